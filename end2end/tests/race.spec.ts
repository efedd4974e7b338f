import { expect, test } from "./fixtures";

test("a race: a bib, the checkpoints in their order, the finish, goodbye, and a second one", async ({ page, messages, context }) => {
  await page.goto("/race");
  expect(await context.cookies()).toEqual([]);
  await page.getByLabel("Your name").fill("Ada");
  await page.getByRole("button", { name: "Pick up a bib" }).click();
  await expect(messages.all).toContainText(["Bib"]);
  await expect(page.locator(".bib")).toContainText("Ada");

  await page.getByRole("button", { name: "Pass the hill" }).click();
  await expect(messages.all).toHaveClass(/flash-warning/);
  await expect(messages.all).toContainText("the bridge comes first");
  await expect(page.getByText("Not passed yet")).toHaveCount(4);

  await page.getByRole("button", { name: "Pass the bridge" }).click();
  await expect(messages.all).toContainText("noted at");
  await page.getByRole("button", { name: "Pass the bridge" }).click();
  await expect(messages.all).toHaveClass(/flash-info/);
  for (const name of ["hill", "forest", "finish"]) {
    await page.getByRole("button", { name: `Pass the ${name}` }).click();
  }
  await expect(messages.all).toContainText("You made it");
  await expect(page.getByRole("row")).toHaveCount(5);

  await page.getByRole("button", { name: "Hand in the bib" }).click();
  await expect(messages.all).toContainText("Until the next race!");
  await page.getByLabel("Your name").fill("Ada again");
  await page.getByRole("button", { name: "Pick up a bib" }).click();
  await expect(page.locator(".bib")).toContainText("Ada again");
});

test("the race can be run with the keyboard alone", async ({ page, messages }) => {
  await page.goto("/race");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await expect(page.getByLabel("Your name")).toBeFocused();
  await page.keyboard.type("Grace");
  await page.keyboard.press("Enter");
  await expect(page.locator(".bib")).toContainText("Grace");
  const button = page.getByRole("button", { name: "Pass the bridge" });
  await button.focus();
  await page.keyboard.press("Enter");
  await expect(messages.all).toContainText("The bridge: noted");
});

test("the session page says what the server knows, renews the id and ends the session", async ({ page, messages, context }) => {
  await page.goto("/session");
  await expect(page.getByText("You have none")).toBeVisible();
  await page.goto("/race");
  await page.getByLabel("Your name").fill("Ada");
  await page.getByRole("button", { name: "Pick up a bib" }).click();
  await page.goto("/session");
  await expect(page.locator(".notes")).toContainText("HttpOnly");
  await expect(page.locator(".notes")).toContainText("race");
  const value = async () => (await context.cookies()).find(({ name }) => name === "sessionId")?.value;
  const before = await value();
  const since = await page.locator(".notes dd").nth(1).textContent();

  await page.getByRole("button", { name: "Renew the id" }).click();
  await expect(messages.all).toContainText("A new number");
  expect(await value()).not.toBe(before);
  await expect(page.locator(".notes dd").nth(1)).toHaveText(since!);

  await page.getByRole("button", { name: "End the session" }).click();
  await expect(messages.all).toContainText("has ended");
  await page.goto("/race");
  await expect(page.getByLabel("Your name")).toBeVisible();
});

test("in development the session page shows what each request asked PostgreSQL", async ({ page, messages }) => {
  await messages.push("Note", "noted");
  await page.goto("/session");
  const post = page.locator(".requests > li", { hasText: "POST /api/push_message · 303" });
  await expect(post.locator(".statements > li")).toHaveCount(2); // the message, the session of the first visit
  await expect(post.locator("summary")).toContainText(["flash push", "session create"]);
  await post.getByText("flash push").click();
  await expect(post.getByText('insert into "public"."flash_message"')).toBeVisible();
  const load = page.locator(".requests > li", { hasText: "GET /messages · 200" });
  await expect(load.locator(".statements > li")).toHaveCount(1);
});
