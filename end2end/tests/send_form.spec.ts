import type { Page, Request } from "@playwright/test";

import { expect, test } from "./fixtures";

// The form of "Without a page load", which `send_form` sends, against what a browser sends by itself.

test.skip(({ javaScriptEnabled }) => !javaScriptEnabled, "the browser sends it");

test.beforeEach(async ({ page, messages }) => {
  await page.goto("/messages");
  await messages.hydrated();
});

const ACTION = "/api/push_by_fetch";
const button = (page: Page) => page.getByRole("button", { name: "Without a page load", exact: true });

/** The posts from here on. */
function posts(page: Page) {
  const posts: Request[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST") posts.push(request);
  });
  return posts;
}

const OVERRIDES = { formaction: "/api/push_five", formenctype: "multipart/form-data", formtarget: "_top", formmethod: "get" };

for (const [name, value] of Object.entries(OVERRIDES)) {
  test(`a button with ${name} is the browser's`, async ({ page, troubles }) => {
    await button(page).evaluate((button, [name, value]) => button.setAttribute(name, value), [name, value]);
    const sent = page.waitForRequest((request) => request.url().includes("/api/"));
    await button(page).click();
    const request = await sent;
    expect(request.isNavigationRequest()).toBe(true);
    expect(request.method()).toBe(name === "formmethod" ? "GET" : "POST");
    expect(new URL(request.url()).pathname).toBe(name === "formaction" ? value : ACTION);
    await page.waitForLoadState();
    troubles.length = 0;
  });
}

test("a form that goes to another window, or has a field for files, is the browser's", async ({ page, messages, troubles }) => {
  const form = page.locator(`form[action="${ACTION}"]`);
  await form.evaluate((form) => form.setAttribute("target", "_top"));
  const first = page.waitForNavigation();
  await button(page).click();
  await first;
  await messages.hydrated();
  await form.evaluate((form) => form.insertAdjacentHTML("beforeend", "<input type=file name=file>"));
  const second = page.waitForNavigation();
  await button(page).click();
  await second;
  troubles.length = 0;
});

test("fields named as the form's own properties don't get into the way", async ({ page, messages }) => {
  const sent = posts(page);
  await button(page).evaluate((button: HTMLButtonElement) => {
    for (const name of ["action", "method", "enctype", "target", "submit"]) {
      button.form!.insertAdjacentHTML("beforeend", `<input type=hidden name=${name} value="of a field">`);
    }
  });
  await button(page).click();
  await expect(messages.all).toContainText("Here without a page load");
  expect(sent.map((request) => [new URL(request.url()).pathname, request.isNavigationRequest()])).toEqual([[ACTION, false]]);
});

test("the request is the one that the browser sends", async ({ page, troubles }) => {
  const sent = posts(page);
  await button(page).evaluate((button: HTMLButtonElement) => {
    button.name = "which";
    button.value = "this & that";
    button.insertAdjacentHTML(
      "beforebegin",
      `<textarea name="text" dirname="direction"></textarea>
       <select name="one" multiple><option selected>a<option selected>b</select>
       <input type="checkbox" name="checked" checked><input type="checkbox" name="unchecked">
       <input name="disabled" disabled value="x"><input type="hidden" name="_charset_">
       <button name="which" value="another">Another</button>`,
    );
    button.insertAdjacentHTML("afterend", `<input name="after" value="zwölf + 12 %0A *-._~">`);
    button.form!.querySelector("textarea")!.value = "two\nlines\r\nthree";
  });
  await button(page).click();
  await expect.poll(() => sent.length).toBe(1);
  // Without its listener the same form is the browser's.
  await button(page).evaluate((button: HTMLButtonElement) => {
    const copy = button.form!.cloneNode(true) as HTMLFormElement;
    // What cloneNode leaves out.
    copy.querySelectorAll("option").forEach((option) => (option.selected = true));
    button.form!.replaceWith(copy);
  });
  const loaded = page.waitForNavigation();
  await button(page).click();
  await loaded;
  const [ours, theirs] = sent;
  expect(sent).toHaveLength(2);
  expect(theirs.isNavigationRequest()).toBe(true);
  expect(ours.postData()).toBe(theirs.postData());
  const type = async (request: Request) => (await request.allHeaders())["content-type"];
  expect(await type(ours)).toBe(await type(theirs));
  troubles.length = 0;
});

test("a double click sends the form once", async ({ page, messages }) => {
  const sent = posts(page);
  await page.route(`**${ACTION}`, async (route) => {
    await new Promise((wait) => setTimeout(wait, 300));
    await route.continue();
  });
  await button(page).dblclick();
  await expect(messages.all).toHaveCount(1);
  await page.waitForTimeout(500);
  expect(sent).toHaveLength(1);
  await button(page).click();
  await expect(messages.all).toHaveCount(2);
});

test("an answer that gets lost is not asked for again, and the page says so", async ({ page, messages, troubles }) => {
  const sent = posts(page);
  await page.route(`**${ACTION}`, async (route) => {
    await route.fetch();
    await route.abort("connectionreset");
  });
  await button(page).click();
  await expect(messages.all).toHaveClass("flash flash-error");
  await expect(messages.all).toContainText("look before you send it again");
  await button(page).evaluate((button: HTMLButtonElement) => (button.form!.dataset.flashLost = "In other words"));
  await button(page).click();
  await expect(messages.all.last()).toContainText("In other words");
  await expect(messages.all).toHaveCount(2);
  expect(sent).toHaveLength(2);
  expect(new URL(page.url()).pathname).toBe("/messages");
  await messages.all.first().getByRole("button", { name: "Dismiss" }).click();
  await expect(messages.all).toHaveCount(1);
  troubles.length = 0;
});

test("a form that failed on the server is not sent again", async ({ page, messages, troubles }) => {
  const sent = posts(page);
  await page.route(`**${ACTION}`, (route) => route.fulfill({ status: 503, body: "" }));
  await button(page).click();
  await expect(messages.all).toContainText("look before you send it again");
  expect(sent).toHaveLength(1);
  troubles.length = 0;
});

test("a refused form that the browser sends again has the fields of its button", async ({ page, troubles }) => {
  const sent = posts(page);
  await button(page).evaluate((button: HTMLButtonElement) => {
    button.name = "which";
    button.value = "this";
  });
  await page.route(`**${ACTION}`, (route) => route.fulfill({ status: 422, contentType: "text/html", body: "<h1>Refused</h1>" }));
  await button(page).click();
  await expect(page.getByRole("heading", { name: "Refused" })).toBeVisible();
  expect(sent.map((request) => request.postData())).toEqual(["which=this", "which=this"]);
  expect(sent.map((request) => request.isNavigationRequest())).toEqual([false, true]);
  troubles.length = 0;
});

for (const location of ["/messages#part", "/messages"]) {
  test(`a redirect to ${location} loads the page that is there`, async ({ page, messages }) => {
    await messages.post({ level: "success", text: "after the redirect" });
    await page.route(`**${ACTION}`, (route) => route.fulfill({ headers: { serverfnredirect: "", location } }));
    await button(page).click();
    await expect(messages.all).toContainText("after the redirect");
    expect(page.url()).toContain(location);
  });
}

test("a redirect never runs a script", async ({ page }) => {
  await page.route(`**${ACTION}`, (route) =>
    route.fulfill({ headers: { serverfnredirect: "", location: "javascript:document.title='run'" } }),
  );
  const answer = page.waitForResponse(`**${ACTION}`);
  await button(page).click();
  await answer;
  await page.waitForTimeout(300);
  await expect(page).not.toHaveTitle("run");
});
