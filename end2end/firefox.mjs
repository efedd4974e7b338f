// The core of the browser tests in Firefox: `cargo xtask test firefox`.
//
// Playwright drives only a Firefox of its own. puppeteer-core speaks WebDriver BiDi to the system's.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import puppeteer from "puppeteer-core";

const BASE = process.env.BASE_URL ?? "http://localhost:5500";

/** Polls until `check` is true. */
async function until(check, what) {
  for (let tries = 0; tries < 100; tries++) {
    if (await check().catch(() => false)) return;
    await new Promise((wait) => setTimeout(wait, 100));
  }
  assert.fail(`not within 10 seconds: ${what}`);
}

for (const javaScript of [true, false]) {
  describe(javaScript ? "with JavaScript" : "without JavaScript", () => {
    let browser, context, page;

    before(async () => {
      browser = await puppeteer.launch({
        browser: "firefox",
        executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr",
        headless: true,
        protocolTimeout: 20_000,
        extraPrefsFirefox: { "javascript.enabled": javaScript },
      });
    });
    after(() => browser.close());

    beforeEach(async () => {
      context = await browser.createBrowserContext();
      page = await context.newPage();
    });
    afterEach(() => context.close());

    const go = (path) => page.goto(BASE + path, { waitUntil: "load" });
    const texts = () => page.evaluate(() => [...document.querySelectorAll("[data-flash-id] .flash-text")].map((text) => text.textContent));
    const hydrated = async () => javaScript && (await page.waitForSelector(".flashes[data-hydrated]"));
    const shown = (expected) =>
      until(async () => JSON.stringify(await texts()) === JSON.stringify(expected), `the messages ${JSON.stringify(expected)}, but ${page.url()} shows others`);
    /** Without JavaScript no promise of the page settles: `page.click` and `page.$$eval` would wait for ever. */
    const click = async (selector) => {
      const [x, y] = await page.$eval(selector, (element) => {
        element.scrollIntoView({ block: "center", behavior: "instant" });
        const { x, y, width, height } = element.getBoundingClientRect();
        return [x + width / 2, y + height / 2];
      });
      await page.mouse.click(x, y);
    };
    /** Clicks what loads a page. */
    const load = (selector) => Promise.all([page.waitForNavigation({ waitUntil: "load" }), click(selector)]);
    const push = async (text, level = "success") => {
      await go("/messages");
      await click(`[name=level][value=${level}]`);
      await click("#text");
      await page.keyboard.type(text);
      await load("form[action='/api/push_message'] button");
    };

    test("a message is shown once, with its look", async () => {
      await push("Pushed", "warning");
      await shown(["Pushed"]);
      assert.equal(new URL(page.url()).pathname, "/messages");
      assert.equal(await page.$eval("[data-flash-id]", (message) => message.className), "flash flash-warning");
      await go("/race");
      await shown([]);
    });

    test("a dismissed message is gone and stays gone, the others stay", async () => {
      await go("/messages");
      await load("form[action='/api/push_five'] button");
      await hydrated();
      const five = [1, 2, 3, 4, 5].map((number) => `Number ${number} of five.`);
      await shown(five);
      const dismiss = "[data-flash-id]:nth-child(2) .flash-dismiss";
      if (javaScript) await click(dismiss);
      else await load(dismiss);
      await shown(five.filter((_, index) => index != 1));
      if (javaScript) await click(".flash-dismiss-all");
      else await load(".flash-dismiss-all");
      await shown([]);
      await go("/messages");
      await shown([]);
    });

    test("a form sent without a page load brings its message", async () => {
      await go("/messages");
      await hydrated();
      if (javaScript) await page.evaluate(() => (window.sameDocument = true));
      const send = "form[action='/api/push_by_fetch'] button";
      if (javaScript) await click(send);
      else await load(send);
      await shown(["Here without a page load."]);
      if (javaScript) assert.equal(await page.evaluate(() => window.sameDocument), true);
      await go("/race");
      await shown([]);
    });

    test("five messages are on screen, the error among them, and the others wait", async () => {
      await go("/messages");
      await load("form[action='/api/push_seven'] button");
      await hydrated();
      const onScreen = () =>
        page.evaluate(() => [...document.querySelectorAll("[data-flash-id]:not([hidden]) .flash-text")].map((text) => text.textContent));
      const runners = (...numbers) => numbers.map((number) => `Runner ${number} is at the start.`);
      const error = "Runner 7 is missing.";
      if (!javaScript) return assert.deepEqual(await onScreen(), [...runners(1, 2, 3, 4, 5, 6), error]);
      assert.deepEqual(await onScreen(), [...runners(1, 2, 3, 4), error]);
      await click("[data-flash-id] .flash-dismiss");
      const next = JSON.stringify([...runners(2, 3, 4, 5), error]);
      await until(async () => JSON.stringify(await onScreen()) === next, "the next one");
    });

    if (javaScript)
      test("messages are usable above a modal dialog, and back when it closes", async () => {
        await push("From before");
        await hydrated();
        await page.evaluate(() => document.querySelector("dialog").showModal());
        await page.waitForSelector("dialog [data-flash-id]");
        await click("dialog .flash-dismiss");
        await shown([]);
        await click("dialog leptos-island button");
        await shown(["Born in the browser."]);
        await page.evaluate(() => document.querySelector("dialog").close());
        await page.waitForSelector("leptos-island [data-flash-id]");
        await until(async () => !(await page.$("dialog [data-flash-id]")), "no message in the dialog");
      });

    test("coming back shows nothing again", async () => {
      await push("Once");
      await hydrated();
      await shown(["Once"]);
      await load("nav a[href='/']");
      await page.goBack();
      await until(async () => (await page.$eval("h1", (heading) => heading.textContent)) === "Messages", "the page before");
      await shown([]);
    });

    test("a form that fails gets a page that says why, and its message waits", async () => {
      await go("/messages");
      await load("form[action='/api/push_and_fail'] button");
      assert.match(await page.$eval("main", (main) => main.textContent), /failed, as you asked it to/);
      await go("/race");
      await shown(["The server function failed, as you asked it to."]);
    });
  });
}
