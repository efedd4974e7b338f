import type { Page } from "@playwright/test";

import { expect, test } from "./fixtures";

// Extensions, translation and phones change a page before it hydrates. Whatever they do, the page works
// at least as without JavaScript.

type Change = (html: string) => string;

/** Changes the HTML between server and browser. Returns how often it has done so. */
async function change(page: Page, change: Change) {
  let times = 0;
  await page.route("**/messages", async (route) => {
    if (route.request().method() !== "GET") return route.fallback();
    const response = await route.fetch();
    const html = await response.text();
    const body = change(html);
    if (body !== html) times++;
    await route.fulfill({ response, body });
  });
  return () => times;
}

/** What the hydration script says of islands that failed: a line each. */
function failures(page: Page) {
  const failures: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") failures.push(message.text());
  });
  return failures;
}

const inIsland = (name: string, change: Change): Change => (html) =>
  html.replace(new RegExp(`(<leptos-island data-component="${name}[^>]*>)(.*?)(</leptos-island>)`, "s"), (_, open, inner, close) => open + change(inner) + close);

const inFont: Change = (html) => html.replace(/>([^<>]+)</g, "><font dir=auto><font>$1</font></font><");

const CHANGES: Record<string, Change> = {
  "texts in <font>, by translation": inIsland("FlashIsland", inFont),
  "a number in <a href=tel:>, by a phone": inIsland("FlashIsland", (html) => html.replace(/\+49[ \d]+\d/, '<a href="tel:+4930901820">$&</a>')),
  "a foreign element before the section": inIsland("FlashIsland", (html) => `<div class="extension"></div>${html}`),
  "a foreign element in the list": inIsland("FlashIsland", (html) => html.replace(/<ul[^>]*>/, "$&<li hidden></li>")),
  "comments stripped": (html) => html.replace(/<!--.*?-->|<!>/gs, ""),
  "bare text first in the island": inIsland("FlashIsland", (html) => `EXTENSION${html}`),
  "all texts in <font>": (html) => inIsland("FetchButton", inFont)(inIsland("FlashIsland", inFont)(html)),
};

for (const [name, how] of Object.entries(CHANGES)) {
  test(`a page that was changed before hydration works: ${name}`, async ({ page, messages, javaScriptEnabled, troubles }) => {
    test.skip(!javaScriptEnabled, "nothing hydrates");
    await messages.post({ level: "info", text: "Call +49 30 901820" });
    await messages.post({ level: "success", text: "two" });
    const changes = await change(page, how);
    const failed = failures(page);
    await page.goto("/messages");
    await expect.poll(async () => failed.length || page.locator("[data-hydrated]").count()).toBeGreaterThan(0);
    expect(changes()).toBe(1);
    await page.waitForTimeout(300);
    // The region hydrates nothing, so nothing in it can fail.
    if (!name.startsWith("all")) expect(failed).toEqual([]);
    await expect(messages.all).toHaveCount(2);

    await messages.all.first().locator(".flash-dismiss").click();
    await expect(messages.all).toHaveCount(1);
    await expect(messages.all).toContainText("two");
    expect(new URL(page.url()).pathname).toBe("/messages");

    await page.waitForLoadState("networkidle");
    await page.getByRole("button", { name: "Without a page load", exact: true }).click();
    await expect(messages.all.last()).toContainText("Here without a page load");
    // The script says which island failed.
    troubles.length = 0;
  });
}

test("one island's failure leaves the others alive", async ({ page, messages, javaScriptEnabled, troubles }) => {
  test.skip(!javaScriptEnabled, "nothing hydrates");
  const failed = failures(page);
  await messages.post({ level: "info", text: "one" });
  await change(page, inIsland("FetchButton", (html) => html.replace(/<form/, "EXTENSION<form")));
  await page.goto("/messages");
  await messages.hydrated();
  await expect.poll(() => failed.length).toBe(1);
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  await messages.all.first().getByRole("button", { name: "Dismiss" }).click();
  await expect(messages.all).toHaveCount(0);
  expect(requests, "by script").toEqual([]);
  await page.getByRole("button", { name: "Without a page load", exact: true }).click();
  await expect(messages.all).toContainText("Here without a page load");
  troubles.length = 0;
});

for (const missing of ["wasm", "js"]) {
  test(`a page whose .${missing} can't be loaded works as without JavaScript`, async ({ page, messages, troubles }) => {
    await messages.post({ level: "info", text: "one" });
    await messages.post({ level: "success", text: "two" });
    await page.route(`**/pkg/*.${missing}`, (route) => route.fulfill({ status: 500, body: "" }));
    await page.goto("/messages");
    await page.waitForLoadState("networkidle");
    await page.getByRole("button", { name: "Dismiss Note: one" }).click();
    await expect(messages.all.locator(".flash-text")).toHaveText(["two"]);
    await page.getByRole("button", { name: "Without a page load", exact: true }).click();
    await expect(messages.all.last()).toContainText("Here without a page load");
    troubles.length = 0;
  });
}
