import AxeBuilder from "@axe-core/playwright";

import { expect, test, withoutAriaNotify } from "./fixtures";

const PAGES = ["/", "/race", "/messages", "/session", "/nowhere"];

for (const scheme of ["light", "dark"] as const) {
  test(`no page has a barrier that axe finds, ${scheme}`, async ({ page, messages, javaScriptEnabled }) => {
    test.skip(!javaScriptEnabled, "axe runs in the page");
    test.slow();
    await page.emulateMedia({ colorScheme: scheme });
    for (const path of PAGES) {
      for (const level of ["info", "success", "warning", "error", "checkpoint"]) {
        await messages.post({ level, text: `Message of level ${level}`, link: "true" });
      }
      await page.goto(path);
      await expect(messages.all).toHaveCount(5);
      await messages.hydrated();
      await page.waitForTimeout(300); // the entrance of the messages
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => [path, id, nodes.map((node) => node.html)])).toEqual([]);
    }
  });
}

test("a page with messages announces each once, calm or urgent, and never again", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "without JavaScript the messages are read where they stand");
  await withoutAriaNotify(page);
  await page.addInitScript(() => {
    const heard: string[] = ((window as any).heard = []);
    new MutationObserver(() => {
      for (const region of document.querySelectorAll("[role=status], [role=alert]")) {
        const text = region.textContent!.trim();
        const entry = `${region.getAttribute("role")}: ${text}`;
        if (text && heard.at(-1) !== entry && !heard.includes(entry)) heard.push(entry);
      }
    }).observe(document, { subtree: true, childList: true, characterData: true });
  });
  for (const [level, text] of [["info", "one"], ["error", "two"], ["success", "three"]]) {
    await messages.post({ level, text });
  }
  const html = await (await page.request.get("/messages", { headers: { accept: "application/json" } })).text();
  expect(html).toMatch(/role="status"[^>]*>\s*</);
  await page.goto("/messages");
  await expect
    .poll(() => page.evaluate(() => (window as any).heard))
    .toEqual(["status: Note: one. Success: three", "alert: Error: two"]);
  // Emptied again, so that nobody comes across it twice.
  await expect(page.getByRole("status")).toHaveText("", { timeout: 10_000 });
  await page.reload();
  await messages.hydrated();
  await page.waitForTimeout(300);
  expect(await page.evaluate(() => (window as any).heard)).toEqual([]);
});

test("an announcement stays its time, whatever comes after it", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "nothing arrives");
  await withoutAriaNotify(page);
  await page.clock.install();
  await page.goto("/messages");
  await page.clock.runFor(1000);
  await messages.hydrated();
  const arrive = async (number: number) => {
    await page.getByRole("button", { name: "Without a page load", exact: true }).click();
    await expect(messages.all).toHaveCount(number);
    await page.clock.runFor(100); // the frames before it is announced
  };
  const status = page.getByRole("status");
  await arrive(1);
  await page.clock.runFor(2600);
  await arrive(2);
  await expect(status).toContainText("Here without a page load");
  await page.clock.runFor(500);
  await expect(status, "the first one leaves alone").toHaveText("Success: Here without a page load.");
  await page.clock.runFor(2000);
  await expect(status).toHaveText("Success: Here without a page load.");
  await page.clock.runFor(600);
  await expect(status).toHaveText("");
});

test("the focus goes to the next message, then back to where it was", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "a form post loads the page anew");
  for (const text of ["one", "two", "three"]) await messages.post({ level: "info", text });
  await page.goto("/messages");
  await messages.hydrated();
  await page.getByLabel("Text").focus();
  await page.keyboard.press("F6");
  await expect(page.getByRole("region", { name: "Messages" })).toBeFocused();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Dismiss Note: one" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Dismiss Note: two" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("button", { name: "Dismiss Note: three" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(messages.all).toHaveCount(0);
  await expect(page.getByLabel("Text")).toBeFocused();
});

test("dismissing one keeps the others, dismissing all keeps none", async ({ page, messages, javaScriptEnabled }) => {
  for (const text of ["one", "two", "three"]) await messages.post({ level: "success", text });
  await page.goto("/messages");
  await messages.hydrated(javaScriptEnabled);
  await page.getByRole("button", { name: "Dismiss Success: two" }).click();
  await expect(messages.all.locator(".flash-text")).toHaveText(["one", "three"]);
  expect(new URL(page.url()).pathname).toBe("/messages");
  await page.getByRole("button", { name: "Dismiss all" }).click();
  await expect(messages.all).toHaveCount(0);
  await page.reload();
  await expect(messages.all).toHaveCount(0);
});

test("a sticky message stays over pages and tabs until it is dismissed", async ({ page, context, messages, javaScriptEnabled }) => {
  await messages.post({ level: "warning", text: "stays", sticky: "true" });
  for (const path of PAGES.slice(0, 4)) {
    await page.goto(path);
    await expect(messages.all).toContainText("stays");
  }
  const tab = await context.newPage();
  await tab.goto("/");
  await expect(tab.locator("[data-flash-id]")).toContainText("stays");
  await messages.hydrated(javaScriptEnabled);
  const gone = javaScriptEnabled ? page.waitForResponse("**/api/dismiss_flash") : page.waitForURL("**/session*");
  await messages.all.getByRole("button", { name: "Dismiss" }).click();
  await gone;
  await expect(messages.all).toHaveCount(0);
  await tab.reload();
  await expect(tab.locator("[data-flash-id]")).toHaveCount(0);
});

test("the desk's other ways bring their messages", async ({ page, messages, javaScriptEnabled }) => {
  await page.goto("/messages");
  await page.getByRole("button", { name: "Five at once" }).click();
  await expect(messages.all).toHaveCount(5);
  await page.getByRole("button", { name: "Over two redirects" }).click();
  await expect(messages.all.locator(".flash-text")).toHaveText(["From the form post.", "From redirect 1.", "From redirect 2."]);
  await page.getByRole("button", { name: "From a failure" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("That didn't work");
  await page.goto("/messages");
  await expect(messages.all).toHaveClass(/flash-error/);
  await messages.hydrated(javaScriptEnabled);
  await page.getByRole("button", { name: "Without a page load" }).click();
  await expect(messages.all.last()).toContainText("Here without a page load");
});

test("a form sent without a page load has the fields of its button", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "the browser sends it");
  await page.goto("/messages");
  await messages.hydrated();
  const button = page.getByRole("button", { name: "Without a page load" });
  await button.evaluate((button) => {
    button.setAttribute("name", "which");
    button.setAttribute("value", "this one");
  });
  const sent = page.waitForRequest((request) => request.method() === "POST");
  await button.click();
  expect((await sent).postData()).toContain("which=this+one");
});

test("a form sent without a page load and refused gets the page that says why", async ({ page, messages, troubles, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "the browser shows it");
  await page.goto("/messages");
  await messages.hydrated();
  const button = page.getByRole("button", { name: "Without a page load" });
  await button.evaluate((button: HTMLButtonElement) => {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = "more";
    field.value = "x".repeat(300_000);
    button.form!.append(field);
  });
  await button.click();
  await expect(page.locator("main")).toContainText("256 KiB");
  expect(troubles.splice(0)).toEqual([expect.stringContaining("413")]);
});

test("the back button shows nothing again", async ({ page, messages }) => {
  await messages.push("Note", "once");
  await expect(messages.all).toHaveCount(1);
  await page.goto("/");
  await page.goBack();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Messages");
  await expect(messages.all).toHaveCount(0);
  await page.goForward();
  await expect(messages.all).toHaveCount(0);
});

test("nothing moves for somebody who asked for that", async ({ page, messages }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await messages.post({ level: "info", text: "calm" });
  await page.goto("/");
  await expect(messages.all).toHaveCSS("transition-duration", "0s");
});

test("forced colours leave each message its border, its word and a visible close button", async ({ page, messages }) => {
  await page.emulateMedia({ forcedColors: "active" });
  await messages.post({ level: "error", text: "bordered" });
  await page.goto("/");
  const ink = await page.evaluate(() => getComputedStyle(document.body).color);
  await expect(messages.all).toHaveCSS("border-inline-start-color", ink);
  await expect(messages.all).toContainText("Error");
  const close = messages.all.getByRole("button", { name: "Dismiss" });
  expect(await close.evaluate((button) => getComputedStyle(button).borderTopColor)).not.toBe("rgba(0, 0, 0, 0)");
});

test("a page is laid out from right to left", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "the test turns the page by a script");
  await messages.post({ level: "info", text: "سباق", link: "true" });
  await page.goto("/messages");
  await page.evaluate(() => (document.documentElement.dir = "rtl"));
  await expect(messages.all).toHaveCSS("border-right-width", "6px");
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(over).toBeLessThanOrEqual(0);
});

test("a printed page has its messages and no controls", async ({ page, messages }) => {
  await messages.post({ level: "success", text: "on paper" });
  await page.goto("/race");
  await page.emulateMedia({ media: "print" });
  await expect(messages.all).toContainText("on paper");
  for (const button of await page.locator("button").all()) await expect(button).toBeHidden();
});

test("at 400 % zoom nothing scrolls sideways and nothing is cut off", async ({ page, messages }) => {
  await page.setViewportSize({ width: 320, height: 256 }); // 1280 × 1024 at 400 % (WCAG 1.4.10)
  for (const path of PAGES) {
    await messages.post({ level: "warning", text: "A message of a usual length, with a link", link: "true" });
    await page.goto(path);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(over, path).toBeLessThanOrEqual(0);
  }
});

test("a brief message leaves when there was time to read it, but not from under the pointer", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "without JavaScript it stays until the next page");
  await page.clock.install();
  for (const level of ["success", "error"]) await messages.post({ level, text: level, auto_dismiss: "true" });
  await messages.post({ level: "info", text: "stays", auto_dismiss: "true", link: "true" });
  await page.goto("/");
  await messages.hydrated();
  await page.clock.runFor(4000);
  await expect(messages.all).toHaveCount(3);
  await messages.all.first().hover();
  await page.clock.runFor(30_000);
  await expect(messages.all).toHaveCount(3);
  await page.mouse.move(0, 0);
  await page.clock.runFor(4000);
  await expect(messages.all.locator(".flash-text")).toHaveText(["error", "stays"]);
});

test("a brief message waits for its reader: in a hidden tab, and while the focus is there", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "without JavaScript it stays until the next page");
  await page.clock.install();
  await messages.post({ level: "info", text: "brief", auto_dismiss: "true" });
  await page.goto("/");
  await messages.hydrated();
  const hide = (hidden: boolean) =>
    page.evaluate((hidden) => Object.defineProperty(document, "hidden", { value: hidden, configurable: true }), hidden);
  await hide(true);
  await page.clock.runFor(30_000);
  await expect(messages.all).toHaveCount(1);
  await hide(false);
  await page.keyboard.press("F6");
  await page.clock.runFor(30_000);
  await expect(messages.all).toHaveCount(1);
  await page.keyboard.press("F6");
  await page.clock.runFor(8000);
  await expect(messages.all).toHaveCount(0);
});

test("a level of one's own has its name on the message", async ({ page, messages }) => {
  await page.goto("/messages");
  await page.getByLabel("Or a level of your own").fill("check-in");
  await page.getByLabel("Text").fill("Own");
  await page.getByRole("button", { name: "Push the message" }).click();
  await expect(messages.all).toHaveClass("flash flash-check-in");
  await expect(messages.all).toContainText("check-in");
});

test("each page has a title and a description of its own, and no inline style", async ({ page }) => {
  const titles = new Set<string>();
  const descriptions = new Set<string>();
  for (const path of PAGES) {
    await page.goto(path);
    titles.add(await page.title());
    const description = page.locator("meta[name=description]");
    await expect(description).toHaveCount(1);
    descriptions.add((await description.getAttribute("content"))!);
    await expect(page.locator("[style], style")).toHaveCount(0);
    await expect(page.locator("nav [aria-current=page]")).toHaveCount(path === "/nowhere" ? 0 : 1);
  }
  expect(titles.size).toBe(PAGES.length);
  expect(descriptions.size).toBe(PAGES.length);
});

test("targets are large enough for a finger", async ({ page, messages }) => {
  await messages.post({ level: "info", text: "tap" });
  await page.goto("/race");
  for (const target of await page.locator("button:visible, nav a").all()) {
    const box = (await target.boundingBox())!;
    expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(24);
  }
});

test("no page scrolls sideways, at any length of words", async ({ page, messages }) => {
  for (const path of PAGES) {
    await messages.post({ level: "error", text: "Averyveryverylongword".repeat(20), link: "true" });
    await page.goto(path);
    await expect(messages.all).toHaveCount(1);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(over, path).toBeLessThanOrEqual(0);
  }
});
