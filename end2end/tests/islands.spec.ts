import AxeBuilder from "@axe-core/playwright";

import { expect, test } from "./fixtures";

// The example of 40 lines: crates/leptos-flash/examples/islands. It has no style of its own.
const base = process.env.ISLANDS_URL;
test.skip(!base, "ISLANDS_URL is not set: `cargo xtask test browser` starts the example");

test("a message looks good, has no barrier and can be dismissed, with no CSS of the app's own", async ({ page, messages, javaScriptEnabled }) => {
  await page.goto(base + "/");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(messages.all).toHaveText(/Your notes are saved/);
  await expect(messages.all).toHaveCSS("border-inline-start-width", "6px");
  await page.waitForTimeout(300);
  const box = (await messages.all.boundingBox())!;
  expect(page.viewportSize()!.height - box.y - box.height).toBeLessThan(40);
  if (javaScriptEnabled) {
    await messages.hydrated();
    const { violations } = await new AxeBuilder({ page }).include(".flashes").analyze();
    expect(violations.map(({ id }) => id)).toEqual([]);
  }
  await messages.all.getByRole("button", { name: "Dismiss Success: Your notes are saved." }).click();
  await expect(messages.all).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Notes" })).toBeVisible();
  await expect(messages.all).toHaveCount(0);
});
