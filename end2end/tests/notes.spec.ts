import type { BrowserContext, Page } from "@playwright/test";

import { expect, test } from "./fixtures";

// What the browser notes for the server: one cookie a session.

const OWN = /^flash-[0-9a-f]{8}$/;

async function notes(context: BrowserContext) {
  const cookies = await context.cookies();
  return cookies.filter(({ name }) => name.startsWith("flash-"));
}

/** The ids in the one cookie. */
async function noted(context: BrowserContext) {
  const [cookie, ...more] = await notes(context);
  expect(more).toEqual([]);
  expect(cookie?.name ?? "flash-00000000").toMatch(OWN);
  return (cookie?.value.split("-") ?? []).map((entry) => {
    expect(entry).toMatch(/^\d+\.[0-9a-z]{8}$/);
    return entry.split(".")[0];
  });
}

/** Waits for a script that never arrives. */
const withoutWasm = (page: Page) => page.route("**/pkg/*.wasm", () => new Promise(() => {}));

test.skip(({ javaScriptEnabled }) => !javaScriptEnabled, "without JavaScript nothing is noted");

test("a page's messages are noted before WASM arrives", async ({ page, context, messages }) => {
  await messages.post({ level: "info", text: "one" });
  await messages.post({ level: "success", text: "two" });
  await messages.post({ level: "warning", text: "stays", sticky: "true" });
  await withoutWasm(page);
  await page.goto("/race", { waitUntil: "domcontentloaded" });
  const ids = await messages.all.evaluateAll((all) => all.map((one) => one.getAttribute("data-flash-id")));
  await expect.poll(() => noted(context)).toEqual(ids.slice(0, 2));
  const [cookie] = await notes(context);
  expect(cookie).toMatchObject({ path: "/", sameSite: "Lax", secure: false });
  expect(cookie.expires - Date.now() / 1000).toBeLessThanOrEqual(86400);
});

test("a page that is prerendered notes its messages when it is seen", async ({ page, context, messages }) => {
  await messages.post({ level: "info", text: "unseen" });
  await page.addInitScript(() => Object.defineProperty(document, "prerendering", { value: true, configurable: true }));
  await page.goto("/race");
  await messages.hydrated();
  expect(await noted(context)).toEqual([]);
  await page.evaluate(() => {
    Object.defineProperty(document, "prerendering", { value: false });
    document.dispatchEvent(new Event("prerenderingchange"));
  });
  expect(await noted(context)).toHaveLength(1);
});

test("messages are noted once, though the script for that comes after WASM", async ({ page, context, messages }) => {
  await messages.post({ level: "info", text: "once" });
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  await page.route("**/flash.*.js", async (route) => {
    await arrived;
    await route.continue();
  });
  await page.goto("/race", { waitUntil: "commit" });
  await messages.hydrated();
  await expect.poll(() => noted(context)).toHaveLength(1);
  const late = page.waitForResponse("**/flash.*.js");
  arrive();
  await (await late).finished();
  await page.waitForLoadState();
  expect(await noted(context)).toHaveLength(1);
});

test("45 messages are noted in one cookie of less than a kilobyte", async ({ page, context, messages }) => {
  for (let number = 1; number <= 45; number++) await messages.post({ level: "info", text: `Number ${number}` });
  await page.goto("/race");
  await expect(messages.all).toHaveCount(45);
  await messages.hydrated();
  const ids = await messages.all.evaluateAll((all) => all.map((one) => one.getAttribute("data-flash-id")));
  expect(await noted(context)).toEqual(ids.slice(-40));
  const [{ name, value }] = await notes(context);
  expect(name.length + value.length).toBeLessThan(1024);
});

test("a page drops the notes that its own request brought, and cookies of old sessions", async ({ page, context, messages, baseURL }) => {
  await messages.post({ level: "info", text: "one" });
  await page.goto("/race");
  await messages.hydrated();
  const [first] = await noted(context);
  const stale = ["7", "8", "aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"];
  await context.addCookies(
    stale.map((name) => ({ name: `flash-${name}`, value: name.length > 1 ? "1.m0000000" : "", url: baseURL! })),
  );
  await messages.post({ level: "info", text: "two" });
  await page.goto("/race");
  await messages.hydrated();
  const ids = await noted(context);
  expect(ids).toHaveLength(1);
  expect(ids).not.toContain(first);
});

test("a call drops the notes that the server has read", async ({ page, context, messages }) => {
  await messages.push("Note", "from the page");
  await messages.hydrated();
  const [first] = await noted(context);
  const call = async () => {
    const answer = page.waitForResponse("**/api/push_by_fetch");
    await page.getByRole("button", { name: "Without a page load", exact: true }).click();
    await answer;
  };
  await call();
  await expect(messages.all).toHaveCount(2);
  await expect.poll(() => noted(context)).toHaveLength(1);
  expect(await noted(context)).not.toContain(first);
  await page.reload();
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(messages.all).toHaveCount(0);
});

test("a message is shown though this tab knows its id from another session or database", async ({ page, messages }) => {
  await page.addInitScript(() => {
    const ids = Array.from({ length: 5000 }, (_, id) => [`${id}`, `deadbeef.${id}`]);
    sessionStorage.setItem("leptos-flash.shown", ids.flat().join());
  });
  await messages.push("Note", "new here");
  await messages.hydrated();
  await page.waitForTimeout(300);
  await expect(messages.all).toHaveCount(1);
});

test("a call from a page without a list leaves its message to the next page", async ({ page, messages }) => {
  await page.route("**/messages", async (route) => {
    if (route.request().method() !== "GET") return route.fallback();
    const response = await route.fetch();
    const html = await response.text();
    await route.fulfill({ response, body: html.replace(/<leptos-island data-component="FlashIsland.*?<\/leptos-island>/s, "") });
  });
  await page.goto("/messages");
  await page.waitForLoadState("networkidle");
  await page.unrouteAll();
  const post = page.waitForRequest((request) => request.method() === "POST");
  await page.getByRole("button", { name: "Without a page load", exact: true }).click();
  expect((await (await post).allHeaders())["x-flash"]).toBeUndefined();
  await expect(messages.all).toContainText("Here without a page load");
});
