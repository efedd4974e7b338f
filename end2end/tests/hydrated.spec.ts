import type { Page } from "@playwright/test";

import { expect, type Messages, test } from "./fixtures";

// The example of a fully hydrated app: crates/leptos-flash/examples/hydrated.
const base = process.env.HYDRATED_URL;
test.skip(!base, "HYDRATED_URL is not set: `cargo xtask test browser` starts the example");

async function save(page: Page, text: string, then: string, javaScriptEnabled: boolean) {
  await page.goto(base + "/");
  if (javaScriptEnabled) await page.locator("form[data-hydrated]").waitFor();
  await page.getByLabel("Text").fill(text);
  await page.getByLabel("Then").selectOption(then);
  await page.getByRole("button", { name: "Save" }).click();
}

/** A streaming page that is left before its end was not handed over: its messages come again. */
async function shownToTheEnd(page: Page, messages: Messages) {
  await expect(messages.all).toHaveCount(1);
  await page.waitForLoadState();
}

/** The end of the page's stream; without JavaScript the slow part stays in a template. */
async function streamed(page: Page, javaScriptEnabled: boolean) {
  await expect(page.locator("#slow")).toHaveCount(javaScriptEnabled ? 1 : 0);
}

test("a message is shown once, on the page that is already there or the next", async ({ page, messages, javaScriptEnabled }) => {
  await save(page, "saved", "stay", javaScriptEnabled);
  await expect(messages.all).toHaveText(/saved/);
  await page.reload();
  await streamed(page, javaScriptEnabled);
  await expect(messages.all).toHaveCount(0);
});

test("a server function that fails brings its message", async ({ page, messages, troubles, javaScriptEnabled }) => {
  await save(page, "not saved", "fail", javaScriptEnabled);
  await expect(messages.all).toHaveText(/not saved/);
  await expect(messages.all).toHaveClass("flash flash-error");
  expect(troubles.splice(0)).toEqual(javaScriptEnabled ? [expect.stringContaining("500")] : []);
});

test("a message survives exactly its redirect", async ({ page, messages, javaScriptEnabled }) => {
  await save(page, "moved", "redirect", javaScriptEnabled);
  await page.waitForURL("**/other");
  await expect(messages.all).toHaveText(/moved/);
  await page.getByRole("link", { name: "Home" }).click();
  await expect(page.getByRole("heading", { name: "Home" })).toBeVisible();
  await expect(messages.all).toHaveCount(0);
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Other" })).toBeVisible();
  await expect(messages.all).toHaveCount(0);
});

test("more messages than a header carries are all shown, in order", async ({ page, messages, javaScriptEnabled }) => {
  await save(page, "lap", "many", javaScriptEnabled);
  await expect(messages.all).toHaveCount(30);
  const texts = await messages.all.allInnerTexts();
  expect(texts.map((text) => parseInt(text))).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
  await page.reload();
  await streamed(page, javaScriptEnabled);
  await expect(messages.all).toHaveCount(0);
});

test("messages are in the first part of a page that streams", async ({ page, messages }) => {
  await page.goto(base + "/");
  const action = await page.locator("main form").getAttribute("action");
  await page.request.post(base + action!, {
    form: { text: "early", then: "stay" },
    headers: { accept: "text/html" },
    maxRedirects: 0,
  });
  await page.goto(base + "/", { waitUntil: "commit" });
  await expect(messages.all).toHaveText(/early/);
  expect(await page.locator("#slow").count()).toBe(0);
});

test("without another request", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "a form post is answered with a redirect");
  await page.goto(base + "/");
  await page.locator("form[data-hydrated]").waitFor();
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.method()));
  await page.getByLabel("Text").fill("one request");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(messages.all).toHaveText(/one request/);
  await page.waitForTimeout(300);
  expect(requests).toEqual(["POST"]);
});

test("a message whose response got lost is shown by a later page", async ({ page, messages, troubles, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "a lost page load is tested in crates/flash-messages/tests");
  test.slow();
  // A session first, so that its cookie doesn't get lost with the response.
  await save(page, "before", "stay", true);
  await expect(messages.all).toHaveCount(1);
  await page.route("**/api/save*", async (route) => {
    await route.fetch();
    await route.abort("connectionreset");
  });
  await page.getByLabel("Text").fill("lost");
  const lost = page.waitForEvent("requestfailed");
  await page.getByRole("button", { name: "Save" }).click();
  await lost;
  // The lease of 15 seconds has to run out.
  await expect(async () => {
    await page.goto(base + "/other");
    await expect(messages.all).toHaveText(/lost/, { timeout: 500 });
  }).toPass({ timeout: 25_000, intervals: [3000] });
  expect(troubles.splice(0)).toEqual([expect.stringContaining("/api/save"), expect.stringContaining("CONNECTION_RESET")]);
});

test("coming back shows nothing again, from the back/forward cache neither", async ({ page, messages, javaScriptEnabled }) => {
  await save(page, "seen", "stay", javaScriptEnabled);
  await shownToTheEnd(page, messages);
  if (javaScriptEnabled) {
    // Playwright switches that cache off; this is the event of a page that comes out of it.
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    await expect(messages.all).toHaveCount(0);
  }
  await page.goto(base + "/other");
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Home" })).toBeVisible();
  await expect(messages.all).toHaveCount(0);
});

test("a reload while the page hydrates shows nothing again and breaks nothing", async ({ page, messages, javaScriptEnabled }) => {
  await save(page, "before", "stay", javaScriptEnabled);
  await shownToTheEnd(page, messages);
  const action = await page.locator("main form").getAttribute("action");
  const form = { text: "on the first load", then: "stay" };
  await page.request.post(base + action!, { form, headers: { accept: "text/html" }, maxRedirects: 0 });
  await page.goto(base + "/other", { waitUntil: "commit" });
  await expect(messages.all).toHaveText(/on the first load/);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Other" })).toBeVisible();
  await expect(messages.all).toHaveCount(0);
});

test("two tabs show a message once", async ({ context, page, messages, javaScriptEnabled }) => {
  await save(page, "one tab", "stay", javaScriptEnabled);
  await expect(messages.all).toHaveCount(1);
  const second = await context.newPage();
  await second.goto(base + "/");
  await streamed(second, javaScriptEnabled);
  await expect(second.locator("[data-flash-id]")).toHaveCount(0);
});
