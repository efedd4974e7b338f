import { expect, test } from "./fixtures";

const LEVELS = [
  ["Note", "info"],
  ["Success", "success"],
  ["Warning", "warning"],
  ["Error", "error"],
] as const;

for (const [word, level] of LEVELS) {
  test(`a message of level ${level} is shown once, with its look`, async ({ page, messages }) => {
    await messages.push(word, `Checkpoint of ${level}`);
    await expect(messages.all).toHaveCount(1);
    await expect(messages.all).toHaveClass(`flash flash-${level}`);
    await expect(messages.all).toContainText(word);
    await expect(messages.all).toContainText(`Checkpoint of ${level}`);

    await page.reload();
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(messages.all).toHaveCount(0);
  });
}

test("messages keep the order of their pushes", async ({ page, messages }) => {
  for (const text of ["first", "second", "third"]) await messages.post({ level: "info", text });
  await page.goto("/");
  await expect(messages.all.locator(".flash-text")).toHaveText(["first", "second", "third"]);
});

test("a dismissed message is gone and stays gone", async ({ page, messages, javaScriptEnabled }) => {
  await messages.push("Success", "Dismiss me");
  await messages.hydrated(javaScriptEnabled);
  await messages.all.getByRole("button", { name: "Dismiss" }).click();
  await expect(messages.all).toHaveCount(0);
  expect(new URL(page.url()).pathname).toBe("/messages");
  await page.reload();
  await expect(messages.all).toHaveCount(0);
});

test("the session cookie is there, for the server alone", async ({ context, messages }) => {
  await messages.push("Note", "Hello");
  const cookies = await context.cookies();
  const session = cookies.find((cookie) => cookie.name === "sessionId");
  expect(session).toMatchObject({ httpOnly: true, sameSite: "Lax", path: "/" });
  expect(session!.value.length).toBeGreaterThan(60);
});

test("a visit that pushes nothing gets no cookie", async ({ page, context }) => {
  await page.goto("/");
  await page.goto("/messages");
  expect(await context.cookies()).toEqual([]);
});

test("markup in a message is shown as text", async ({ page, messages }) => {
  const text = `<img src=x onerror="document.title='run'"> & <b>bold</b>`;
  await messages.push("Warning", text);
  await expect(messages.all.locator(".flash-text")).toHaveText(text);
  await expect(messages.all.locator("img, b")).toHaveCount(0);
  await expect(page).not.toHaveTitle("run");
});
