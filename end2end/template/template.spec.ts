import AxeBuilder from "@axe-core/playwright";
import { expect, test } from "@playwright/test";

// An app of the template, as a person uses it: with a script and without, on a desktop and on a phone.

test("a person registers, keeps notes, and is told once what happened", async ({ page, javaScriptEnabled }, { project }) => {
  const expectNoBarrier = async () => {
    if (!javaScriptEnabled) return;
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id }) => id)).toEqual([]);
  };
  const messages = page.locator("[data-flash-id]");
  await page.goto("/register");
  await expect(page).toHaveTitle("Register · my-notes");
  await expectNoBarrier();
  const name = `Ada ${project.name} ${Date.now()}`;
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Register" }).click();
  await expect(page.getByLabel("Password")).toHaveAccessibleDescription("The password needs 10 characters or more, 200 at most.");
  await expect(page.getByLabel("Password")).toBeFocused();
  await expect(page.getByLabel("Name")).toHaveValue(name);
  await page.getByLabel("Password").fill("a long password");
  await page.getByRole("button", { name: "Register" }).click();
  await expect(messages).toHaveText([new RegExp(`Welcome, ${name}`)]);
  await expectNoBarrier();

  await page.getByRole("button", { name: /^Dismiss/ }).click();
  await expect(messages).toHaveCount(0);
  await page.getByLabel("A new note").fill("Buy <bread>");
  if (javaScriptEnabled) await expect(page.getByText("189 characters left")).toBeVisible();
  await page.getByRole("button", { name: "Save" }).click();
  await expect(messages).toHaveText([/Your note is saved/]);
  await expect(page.getByRole("listitem").filter({ hasText: "Buy <bread>" })).toBeVisible();
  await page.reload();
  await expect(messages).toHaveCount(0);

  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(messages).toHaveText([/You are signed out/]);
  await expect(page.getByText("Buy <bread>")).toHaveCount(0);
  await page.getByRole("link", { name: "Sign in" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill("a long password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("Buy <bread>")).toBeVisible();
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(over).toBeLessThanOrEqual(0);
});
