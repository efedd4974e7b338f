import { test as base, expect, type Page } from "@playwright/test";

type Fixtures = {
  messages: Messages;
  /** What the browser complains about; a test that provokes something takes it out again. */
  troubles: string[];
};

/** No page may write an error to the console or miss a file. */
export const test = base.extend<Fixtures>({
  messages: async ({ page }, use) => use(new Messages(page)),
  troubles: [
    async ({ page, javaScriptEnabled }, use) => {
      const troubles: string[] = [];
      page.on("console", (message) => {
        // A page may be an error page.
        const own = message.location().url === page.url();
        if (["error", "warning"].includes(message.type()) && !own) troubles.push(message.text());
      });
      page.on("pageerror", (error) => troubles.push(String(error)));
      page.on("requestfailed", (request) => {
        // A page that is left aborts what it is still loading; without JavaScript no module loads.
        const aborted = request.failure()?.errorText === "net::ERR_ABORTED";
        const module = !javaScriptEnabled && request.url().endsWith(".js");
        if (!aborted && !module) troubles.push(request.url());
      });
      await use(troubles);
      expect(troubles).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Takes `ariaNotify` away, so that the live regions are heard. */
export async function withoutAriaNotify(page: Page) {
  await page.addInitScript(() => {
    for (const { prototype } of [Document, Element]) delete (prototype as any).ariaNotify;
  });
}

export class Messages {
  constructor(private page: Page) {}

  /** All messages on the page. */
  get all() {
    return this.page.locator("[data-flash-id]");
  }

  async push(level: string, text: string) {
    await this.page.goto("/messages");
    await this.page.getByLabel(level, { exact: true }).check();
    await this.page.getByLabel("Text").fill(text);
    await this.page.getByRole("button", { name: "Push the message" }).click();
    await this.page.waitForURL("**/messages");
  }

  /** Pushes without loading the page that shows it. */
  async post(form: { level: string; text: string; sticky?: string; link?: string; auto_dismiss?: string }) {
    const headers = { accept: "text/html" };
    const response = await this.page.request.post("/api/push_message", { form, headers, maxRedirects: 0 });
    expect(response.status()).toBe(303);
  }

  /** From the next page on, none leaves by itself: a slow machine may take longer than they stay. */
  async stay() {
    const headers = { accept: "text/html" };
    const response = await this.page.request.post("/api/set_reading_time", { form: { time: "unlimited" }, headers, maxRedirects: 0 });
    expect(response.status()).toBe(303);
  }

  /** Waits until the islands are alive, where there is JavaScript. */
  async hydrated(javaScriptEnabled = true) {
    if (javaScriptEnabled) await this.page.locator(".flashes[data-hydrated]").waitFor({ state: "attached" });
  }
}
