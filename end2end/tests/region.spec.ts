import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";

import { expect, type Messages, test, withoutAriaNotify } from "./fixtures";

// What the region does beyond showing messages, at race-bib's desk and in the fully hydrated example.

const texts = (messages: Messages) => messages.all.locator("visible=true").locator(".flash-text");

/** Chooses where messages are, and whether equal ones are counted. */
async function choose(page: Page, position: string, counts = false) {
  const form = { position, ...(counts && { counts: "true" }) };
  const response = await page.request.post("/api/set_look", { form, headers: { accept: "text/html" }, maxRedirects: 0 });
  expect(response.status()).toBe(303);
  await page.goto("/");
}

/** Axe, once nothing fades in or out: it would miss the contrast. */
async function expectNoBarrier(page: Page) {
  await expect.poll(() => page.evaluate(() => document.getAnimations().filter((one) => one instanceof CSSTransition).length)).toBe(0);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id }) => id)).toEqual([]);
}

async function press(page: Page, button: string) {
  await page.goto("/messages");
  await page.getByRole("button", { name: button, exact: true }).click();
}

test("five messages are on screen, the error among them, and the others wait", async ({ page, messages, javaScriptEnabled }) => {
  await press(page, "Seven at once");
  await expect(messages.all).toHaveCount(7);
  await messages.hydrated(javaScriptEnabled);
  if (!javaScriptEnabled) return expect(texts(messages)).toHaveCount(7);
  const runners = (...numbers: number[]) => numbers.map((number) => `Runner ${number} is at the start.`);
  await expect(texts(messages)).toHaveText([...runners(1, 2, 3, 4), "Runner 7 is missing."]);
  await expectNoBarrier(page);
  await messages.all.first().getByRole("button", { name: "Dismiss" }).click();
  await expect(texts(messages)).toHaveText([...runners(2, 3, 4, 5), "Runner 7 is missing."]);
  await page.getByRole("button", { name: "Show 1 more" }).click();
  await expect(texts(messages)).toHaveText([...runners(2, 3, 4, 5, 6), "Runner 7 is missing."]);
  await expect(page.getByRole("button", { name: /^Show \d/ })).toHaveCount(0);
  await expect(page.getByRole("region", { name: "Messages" })).toBeFocused();
});

test("equal messages are one with a count, and leave together", async ({ page, messages, javaScriptEnabled }) => {
  await choose(page, "banner", true);
  await page.goto("/messages");
  await messages.post({ level: "info", text: "another" });
  await page.getByRole("button", { name: "Three that say the same" }).click();
  await messages.hydrated(javaScriptEnabled);
  const same = messages.all.filter({ hasText: "A runner has arrived." });
  await expect(same).toHaveCount(1);
  await expect(same).toHaveAttribute("data-flash-times", "3");
  if (javaScriptEnabled) await expectNoBarrier(page);
  await messages.all.filter({ hasText: "another" }).getByRole("button", { name: "Dismiss" }).click();
  await expect(messages.all.filter({ hasText: "another" })).toHaveCount(0);
  await expect(same).toHaveAttribute("data-flash-times", "3");
  await same.getByRole("button", { name: "Dismiss" }).click();
  await expect(same).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(same).toHaveCount(0);
});

test("an equal message that arrives raises the count, and is announced again", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "nothing arrives");
  await messages.stay();
  await withoutAriaNotify(page);
  await choose(page, "banner", true);
  await page.goto("/messages");
  await messages.hydrated();
  const button = page.getByRole("button", { name: "From the browser" });
  await button.click();
  await expect(messages.all).toHaveCount(1);
  const heard = page.getByRole("status").locator("p");
  await expect(heard).toHaveText(["Success: Born in the browser."]);
  await button.click();
  await expect(messages.all).toHaveAttribute("data-flash-times", "2");
  await expect(messages.all).toHaveCount(1);
  await expect(heard).toHaveCount(2);
});

for (const position of ["top-start", "top-center", "top-end", "bottom-start", "bottom-center", "bottom-end"]) {
  test(`a toast is at the ${position}, and covers nothing when there is none`, async ({ page, messages, javaScriptEnabled }) => {
    await choose(page, position);
    await messages.hydrated(javaScriptEnabled);
    await messages.all.getByRole("button", { name: "Dismiss" }).click();
    await expect(messages.all).toHaveCount(0);
    await messages.post({ level: "warning", text: "Averyveryverylongword".repeat(9) });
    await page.goto("/race");
    await page.waitForTimeout(300);
    const box = (await messages.all.boundingBox())!;
    const { width, height } = page.viewportSize()!;
    const [vertical, horizontal] = position.split("-");
    expect(vertical === "top" ? box.y : height - box.y - box.height).toBeLessThan(40);
    const [before, after] = [box.x, width - box.x - box.width];
    if (horizontal === "center" || width < 480) expect(Math.abs(before - after)).toBeLessThan(20);
    else expect(horizontal === "start" ? before : after).toBeLessThan(40);
    expect(Math.min(before, after)).toBeGreaterThanOrEqual(0);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(over).toBeLessThanOrEqual(0);
    if (javaScriptEnabled) await expectNoBarrier(page);
  });
}

test("a reader has messages stay longer, or until they are dismissed", async ({ page, messages }) => {
  for (const [time, after] of [["Three times as long", "18000"], ["Until I dismiss them", null], ["The usual time", "6000"]]) {
    await page.goto("/messages");
    await page.getByLabel(time!).check();
    await page.getByRole("button", { name: "Keep this" }).click();
    await expect(page.getByLabel(time!)).toBeChecked();
    await messages.post({ level: "info", text: "brief", auto_dismiss: "true" });
    await page.goto("/race");
    if (after) await expect(messages.all).toHaveAttribute("data-flash-after", after);
    else await expect(messages.all).not.toHaveAttribute("data-flash-after");
  }
});

test("a message that arrives keeps to the reader's own time", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "nothing arrives");
  await page.request.post("/api/set_reading_time", { form: { time: "longer" }, headers: { accept: "text/html" } });
  await page.clock.install();
  await page.goto("/messages");
  await page.clock.runFor(1000);
  await messages.hydrated();
  await page.getByRole("button", { name: "From the browser" }).click();
  await expect(messages.all).toHaveCount(1);
  await page.mouse.move(0, 0);
  await page.clock.runFor(15_000);
  await expect(messages.all).toHaveCount(1);
  await page.clock.runFor(5000);
  await expect(messages.all).toHaveCount(0);
});

test("time stands still while the window has not the focus", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "without JavaScript it stays until the next page");
  await page.clock.install();
  await messages.post({ level: "info", text: "brief", auto_dismiss: "true" });
  await page.goto("/");
  await page.clock.runFor(1000);
  await messages.hydrated();
  await page.evaluate(() => (document.hasFocus = () => false));
  await page.clock.runFor(30_000);
  await expect(messages.all).toHaveCount(1);
  await page.evaluate(() => (document.hasFocus = () => true));
  await page.clock.runFor(8000);
  await expect(messages.all).toHaveCount(0);
});

test("a message that is dismissed by a pointer holds up no other, and scrolls nothing", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "a form post loads the page anew");
  await choose(page, "bottom-end");
  await messages.hydrated();
  await messages.all.getByRole("button", { name: "Dismiss" }).click();
  await page.clock.install();
  for (const text of ["one", "two"]) await messages.post({ level: "info", text, auto_dismiss: "true" });
  await page.goto("/messages");
  await page.clock.runFor(1000);
  await messages.hydrated();
  await page.evaluate(() => scrollTo(0, 600));
  await page.getByRole("button", { name: "Dismiss Note: one" }).click();
  await page.mouse.move(0, 0);
  await expect(messages.all).toHaveCount(1);
  await page.clock.runFor(9000);
  await expect(messages.all).toHaveCount(0);
  expect(await page.evaluate(() => scrollY)).toBe(600);
});

test("a screen reader knows the live regions before the first message arrives", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "nothing arrives");
  await page.goto("/messages");
  await messages.hydrated();
  // Only what is in the accessibility tree has a role.
  for (const role of ["status", "alert"] as const) await expect(page.getByRole(role)).toHaveCount(1);
  await expect(page.locator(".flashes form")).toBeHidden();
});

test("messages are usable above a modal dialog, and back in their place when it closes", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "nothing arrives");
  await messages.stay();
  await messages.push("Note", "from before");
  await messages.hydrated();
  await page.getByRole("button", { name: "Above a dialog" }).click();
  const dialog = page.getByRole("dialog", { name: "At the desk" });
  await dialog.getByRole("button", { name: "From the browser" }).click();
  await expect(dialog.locator("[data-flash-id]")).toHaveCount(2);
  await expect(dialog.getByRole("status"), "its live regions came along").toHaveCount(1);
  await expectNoBarrier(page);
  await dialog.getByRole("button", { name: "Dismiss Note: from before" }).click();
  await expect(messages.all).toHaveCount(1);
  // Escape dismisses the message that has the focus, not the dialog.
  await expect(messages.all.getByRole("button", { name: "Dismiss" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(messages.all).toHaveCount(0);
  await expect(dialog).toBeVisible();
  await dialog.getByRole("button", { name: "From the browser" }).click();
  await dialog.getByRole("button", { name: "Close" }).click();
  await expect(page.locator("leptos-island [data-flash-id]")).toBeVisible();
  await expect(page.locator("dialog [data-flash-id]")).toHaveCount(0);
});

test("messages survive a dialog that is taken off the page while it is open", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "a script opens it");
  await messages.push("Note", "survivor");
  await messages.hydrated();
  await page.evaluate(() => document.querySelector("dialog")!.showModal());
  await expect(page.locator("dialog [data-flash-id]")).toHaveCount(1);
  await page.evaluate(() => document.querySelector("dialog")!.remove());
  await expect(page.locator("leptos-island [data-flash-id]")).toBeVisible();
});

test("a finger pushes a message aside, far enough or not at all", async ({ page, messages }, { project }) => {
  test.skip(project.name !== "phone", "it needs a finger");
  await messages.push("Note", "push me");
  await messages.hydrated();
  await page.waitForTimeout(300);
  const box = (await messages.all.boundingBox())!;
  const devtools = await page.context().newCDPSession(page);
  const swipe = async (distance: number) => {
    const y = box.y + box.height / 2;
    const at = (x: number) => [{ x: box.x + 40 + x, y }];
    await devtools.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: at(0) });
    for (let step = 1; step <= 5; step++) {
      await devtools.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: at((distance * step) / 5) });
    }
    await devtools.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  };
  await swipe(50);
  await page.waitForTimeout(500);
  await expect(messages.all).toHaveCount(1);
  expect((await messages.all.boundingBox())!.x).toBeCloseTo(box.x, 0);
  await swipe(200);
  await expect(messages.all).toHaveCount(0);
});

test("what is under way becomes what came of it, in the same place", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "it is born in the browser");
  await messages.stay();
  await page.goto("/messages");
  await messages.hydrated();
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  await page.route("**/api/long_work", async (route) => {
    await ended;
    await route.continue();
  });
  await page.getByRole("button", { name: "A long call" }).click();
  await expect(messages.all).toHaveClass("flash flash-loading");
  await page.getByRole("button", { name: "From the browser" }).click();
  await expect(texts(messages)).toHaveText(["The officials are counting…", "Born in the browser."]);
  await expectNoBarrier(page);
  end();
  await expect(texts(messages)).toHaveText(["All runners are counted.", "Born in the browser."]);
  await expect(messages.all.first()).toHaveClass("flash flash-success");
});

test("what is under way and fails becomes an error", async ({ page, messages, troubles, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "it is born in the browser");
  await page.goto("/messages");
  await messages.hydrated();
  await page.getByRole("button", { name: "One that fails" }).click();
  await expect(messages.all).toHaveClass("flash flash-loading");
  await expect(messages.all).toHaveClass("flash flash-error");
  await expect(messages.all).toContainText("lost count");
  troubles.length = 0;
});

test("a page from the back/forward cache shows what waits now, and nothing again", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "nobody asks");
  await messages.push("Note", "old");
  await messages.post({ level: "warning", text: "stays", sticky: "true" });
  await page.reload();
  await messages.hydrated();
  await messages.post({ level: "success", text: "new" });
  // Playwright switches that cache off; this is the event of a page that comes out of it.
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await expect(texts(messages)).toHaveText(["stays", "new"]);
});

test("a page that was prerendered before a push asks for the message when it is seen", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "nobody asks");
  await messages.post({ level: "info", text: "a session" });
  await page.goto("/race");
  await page.addInitScript(() => Object.defineProperty(document, "prerendering", { value: true, configurable: true }));
  await page.goto("/messages");
  await messages.hydrated();
  await messages.post({ level: "success", text: "pushed meanwhile" });
  await page.evaluate(() => {
    Object.defineProperty(document, "prerendering", { value: false });
    document.dispatchEvent(new Event("prerenderingchange"));
  });
  await expect(texts(messages)).toHaveText(["pushed meanwhile"]);
  await page.reload();
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(messages.all).toHaveCount(0);
});

test("a prerendered page has no frames, and asks with its first one", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "nobody asks");
  await messages.post({ level: "info", text: "a session" });
  await page.goto("/race");
  await page.addInitScript(() => {
    Object.defineProperty(document, "prerendering", { value: true, configurable: true });
    const frame = window.requestAnimationFrame;
    const waiting: FrameRequestCallback[] = ((window as any).waiting = []);
    window.requestAnimationFrame = (call) => waiting.push(call);
    (window as any).activate = () => {
      Object.defineProperty(document, "prerendering", { value: false });
      document.dispatchEvent(new Event("prerenderingchange"));
      window.requestAnimationFrame = frame;
      for (const call of waiting) frame.call(window, call);
    };
  });
  await page.goto("/messages");
  await expect.poll(() => page.evaluate(() => (window as any).waiting.length)).toBeGreaterThan(0);
  await messages.post({ level: "success", text: "pushed meanwhile" });
  await expect(messages.all).toHaveCount(0);
  await page.evaluate(() => (window as any).activate());
  await expect(texts(messages)).toHaveText(["pushed meanwhile"]);
});

test("a browser with ariaNotify is told each message once, and its live regions stay empty", async ({ page, messages, javaScriptEnabled }) => {
  test.skip(!javaScriptEnabled, "without JavaScript the messages are read where they stand");
  await messages.stay();
  await page.addInitScript(() => {
    const told: unknown[] = ((window as any).told = []);
    (Document.prototype as any).ariaNotify = (text: string, options: { priority: string }) => told.push([options.priority, text]);
  });
  for (const [level, text] of [["info", "one"], ["error", "two"], ["success", "three"], ["warning", "four"], ["info", "five"]]) {
    await messages.post({ level, text });
  }
  await page.goto("/messages");
  await messages.hydrated();
  await page.waitForTimeout(500);
  const told = [
    ["normal", "Note: one. Success: three. Note: five"],
    ["high", "Error: two. Warning: four"],
  ];
  expect(await page.evaluate(() => (window as any).told)).toEqual(told);
  await expect(page.getByRole("status")).toHaveText("");
  await messages.all.first().getByRole("button", { name: "Dismiss" }).click();
  await page.getByRole("button", { name: "From the browser" }).click();
  await expect.poll(() => page.evaluate(() => (window as any).told)).toEqual([...told, ["normal", "Success: Born in the browser."]]);
});

// The same in a fully hydrated app.

const hydrated = process.env.HYDRATED_URL;

async function open(page: Page) {
  await page.goto(hydrated + "/");
  await page.locator("form[data-hydrated]").waitFor();
}

async function save(page: Page, text: string, then = "stay") {
  await page.getByLabel("Text").fill(text);
  await page.getByLabel("Then").selectOption(then);
  await page.getByRole("button", { name: "Save" }).click();
}

test.describe("fully hydrated", () => {
  test.skip(({ javaScriptEnabled }) => !hydrated || !javaScriptEnabled, "HYDRATED_URL is not set, or nothing is hydrated");

  const slots = (messages: Messages) => messages.all.locator("visible=true").locator("[data-flash-slot=text]");

  test("five are on screen, the others wait for a place", async ({ page, messages }) => {
    await open(page);
    await save(page, "lap", "many");
    await expect(messages.all).toHaveCount(30);
    await expect(slots(messages)).toHaveCount(5);
    await messages.all.first().getByRole("button", { name: "Dismiss" }).click();
    await expect(messages.all).toHaveCount(29);
    await expect(slots(messages)).toHaveCount(5);
    await expect(slots(messages).last()).toContainText("6 lap");
    await page.getByRole("button", { name: "Show 24 more" }).click();
    await expect(slots(messages)).toHaveCount(29);
  });

  test("equal messages are counted, F6 and Escape go to them and back", async ({ page, messages }) => {
    await open(page);
    await save(page, "same");
    await expect(messages.all).toHaveCount(1);
    await save(page, "other");
    await expect(messages.all).toHaveCount(2);
    await save(page, "same");
    await expect(messages.all.first()).toHaveAttribute("data-flash-times", "2");
    await expect(messages.all).toHaveCount(2);
    await page.getByLabel("Text").focus();
    await page.keyboard.press("F6");
    await expect(page.getByRole("region", { name: "Messages" })).toBeFocused();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Escape");
    await expect(messages.all).toHaveText(/other/);
    await expect(messages.all.getByRole("button")).toBeFocused();
    await page.keyboard.press("Enter");
    await expect(messages.all).toHaveCount(0);
    await expect(page.getByLabel("Text")).toBeFocused();
  });

  test("what is under way becomes what came of it", async ({ page, messages }) => {
    await open(page);
    await page.getByRole("button", { name: "Export" }).click();
    await expect(messages.all).toHaveText(/Exporting/);
    await expect(messages.all).toHaveText(/Exported/);
    await expect(messages.all).toHaveClass("flash flash-success");
  });

  test("a call that fails and says nothing shows an error by itself", async ({ page, messages, troubles }) => {
    await open(page);
    await save(page, "x", "nothing");
    await expect(messages.all).toHaveText(/That did not work/);
    await save(page, "x", "nothing");
    await expect(messages.all).toHaveCount(1);
    troubles.length = 0;
  });

  test("messages move above a dialog, and back", async ({ page, messages }) => {
    await open(page);
    await save(page, "kept");
    await expect(messages.all).toHaveCount(1);
    await page.evaluate(() => {
      document.body.insertAdjacentHTML("beforeend", "<dialog><button>In it</button></dialog>");
      document.querySelector("dialog")!.showModal();
    });
    await expect(page.locator("dialog [data-flash-id]")).toHaveText(/kept/);
    await page.evaluate(() => document.querySelector("dialog")!.close());
    await expect(page.locator("dialog [data-flash-id]")).toHaveCount(0);
    await messages.all.getByRole("button", { name: "Dismiss" }).click();
    await expect(messages.all).toHaveCount(0);
  });
});
