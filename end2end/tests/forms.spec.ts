import AxeBuilder from "@axe-core/playwright";

import { expect, test } from "./fixtures";

test("a refused message stays in its form, and the reason stands beside the field", async ({ page }) => {
  await page.goto("/messages");
  await page.getByLabel("Warning", { exact: true }).check();
  await page.getByLabel("Or a level of your own").fill("check-in");
  await page.getByLabel("Text").fill("  \n ");
  await page.getByLabel("stays until it is dismissed").check();
  await page.getByLabel("with a link to the race").check();
  const [answer] = await Promise.all([
    page.waitForResponse("**/api/push_message"),
    page.getByRole("button", { name: "Push the message" }).click(),
  ]);
  expect(answer.status()).toBe(422);
  await expect(page).toHaveTitle("Error: Messages · race-bib");

  const text = page.getByLabel("Text");
  await expect(text).toHaveValue("  \n ");
  await expect(text).toHaveAttribute("aria-invalid", "true");
  await expect(text).toHaveAccessibleDescription("Error: The message has no text.");
  const own = page.getByLabel("Or a level of your own");
  await expect(own).toHaveValue("check-in");
  await expect(own).not.toHaveAttribute("aria-invalid");
  await expect(own).toHaveAccessibleDescription(/^A letter/);
  await expect(page.getByLabel("Warning", { exact: true })).toBeChecked();
  await expect(page.getByLabel("stays until it is dismissed")).toBeChecked();
  await expect(page.getByLabel("leaves by itself")).not.toBeChecked();
  await expect(page.getByLabel("with a link to the race")).toBeChecked();

  // Mended, it is what the form would have sent at first.
  await text.fill("Here it is");
  await page.getByRole("button", { name: "Push the message" }).click();
  await page.waitForURL("**/messages");
  await expect(page.locator("[data-flash-id]")).toHaveClass("flash flash-check-in flash-sticky");
  await expect(page.locator("[data-flash-id]")).toContainText("Here it is");
});

test("the summary has the focus and leads to the field", async ({ page }) => {
  await page.goto("/race");
  await page.getByLabel("Your name").fill("   ");
  await page.getByRole("button", { name: "Pick up a bib" }).click();
  await expect(page).toHaveTitle("Error: The race · race-bib");
  const summary = page.locator(".error-summary");
  await expect(summary).toBeFocused();
  await expect(summary.getByRole("heading")).toHaveText("There is a problem");
  await page.keyboard.press("Tab");
  const link = summary.getByRole("link", { name: "A name has 1 to 40 characters" });
  await expect(link).toBeFocused();
  await page.keyboard.press("Enter");
  const name = page.getByLabel("Your name");
  await expect(name).toBeFocused();
  await expect(name).toHaveValue("   ");
  await expect(name).toHaveAccessibleDescription(/^Error: A name has/);
  await name.fill("Ada");
  await page.keyboard.press("Enter");
  await expect(page.locator(".bib")).toContainText("Ada");
});

test("a text that is too long for the server comes back whole, its line breaks too", async ({ page }) => {
  const text = `\n  <b>& "quotes"</b>\r\n${"🏃".repeat(1000)}`;
  await page.route("**/api/push_message", (route) => {
    const postData = new URLSearchParams({ level: "error", own_level: "", text }).toString();
    return route.continue({ postData });
  });
  await page.goto("/messages");
  await page.getByLabel("Text").fill("short");
  await page.getByRole("button", { name: "Push the message" }).click();
  await expect(page.locator(".error-summary")).toContainText("where 2000 are allowed");
  await expect(page.getByLabel("Text")).toHaveValue(text.replace("\r", ""));
  await expect(page.locator("form b")).toHaveCount(0);
  await expect(page.getByLabel("Error", { exact: true })).toBeChecked();
});

test("as many characters as the form lets in are taken", async ({ page, messages }) => {
  await page.goto("/messages");
  const text = page.getByLabel("Text");
  const longest = `${"я\n".repeat(500)}${"🏃".repeat(500)}`;
  await text.fill(longest);
  expect((await text.inputValue()).length).toBe(2000);
  await page.getByRole("button", { name: "Push the message" }).click();
  await page.waitForURL("**/messages");
  await expect(messages.all.locator(".flash-text")).toHaveText(longest, { useInnerText: true });
});

test("a form that is too large says so and keeps its beginning", async ({ page }) => {
  await page.route("**/api/push_message", (route) => {
    const postData = new URLSearchParams({ level: "info", text: "x".repeat(300_000) }).toString();
    return route.continue({ postData });
  });
  await page.goto("/messages");
  await page.getByLabel("Text").fill("short");
  await page.getByRole("button", { name: "Push the message" }).click();
  await expect(page.locator(".error-summary")).toContainText("256 KiB");
  await expect(page.getByLabel("Text")).toHaveValue(/^x{200000}x*$/);
});

test("a button on a refused form's page leads back to the page", async ({ page, messages }) => {
  await page.goto("/messages");
  await page.getByLabel("Text").fill(" ");
  await page.getByRole("button", { name: "Push the message" }).click();
  await expect(page.locator(".error-summary")).toBeVisible();
  await page.getByRole("button", { name: "Five at once" }).click();
  await page.waitForURL("**/messages");
  await expect(messages.all).toHaveCount(5);
});

test("a form's address that is opened says what it is, and leads to the form", async ({ page }) => {
  const answer = await page.goto("/api/push_message");
  expect(answer?.status()).toBe(405);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("That didn't work");
  await page.getByRole("link", { name: "Back to the form" }).click();
  await page.waitForURL("**/messages");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Messages");
});

for (const scheme of ["light", "dark"] as const) {
  test(`a refused form has no barrier that axe finds, ${scheme}`, async ({ page, javaScriptEnabled }) => {
    test.skip(!javaScriptEnabled, "axe runs in the page");
    await page.emulateMedia({ colorScheme: scheme });
    for (const [path, label, button] of [
      ["/messages", "Text", "Push the message"],
      ["/race", "Your name", "Pick up a bib"],
    ]) {
      await page.goto(path);
      await page.getByLabel(label).fill(" ");
      await page.getByRole("button", { name: button }).click();
      await expect(page.locator(".error-summary")).toBeVisible();
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => [path, id, nodes.map((node) => node.html)])).toEqual([]);
    }
  });
}

test("a refused form fits a small page, both ways of writing, and forced colours", async ({ page, javaScriptEnabled }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  await page.emulateMedia({ forcedColors: "active" });
  await page.goto("/messages");
  await page.getByLabel("Text").fill(" ");
  await page.getByRole("button", { name: "Push the message" }).click();
  await expect(page.locator(".error-summary")).toHaveCSS("border-left-width", "6px");
  await expect(page.getByLabel("Text")).toHaveCSS("border-top-width", "2px");
  const over = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(await over()).toBeLessThanOrEqual(0);
  if (!javaScriptEnabled) return; // the test turns the page by a script
  await page.evaluate(() => (document.documentElement.dir = "rtl"));
  await expect(page.locator(".error-summary")).toHaveCSS("border-right-width", "6px");
  expect(await over()).toBeLessThanOrEqual(0);
});
