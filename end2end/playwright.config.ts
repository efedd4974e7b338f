import { defineConfig, devices } from "@playwright/test";

// `cargo xtask test browser` starts the app and sets both.
const baseURL = process.env.BASE_URL ?? "http://localhost:5500";
const executablePath = process.env.CHROMIUM;

const desktop = { ...devices["Desktop Chrome"] };

export default defineConfig({
  testDir: "tests",
  fullyParallel: true,
  forbidOnly: !!process.env.CI,
  workers: 2,
  // Two browsers share two cores with the server and PostgreSQL.
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: "list",
  use: {
    baseURL,
    trace: "retain-on-failure",
    launchOptions: {
      executablePath,
      args: [
        // Chromium's sandbox does not start as root.
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "javascript", use: desktop },
    { name: "no-javascript", use: { ...desktop, javaScriptEnabled: false } },
    { name: "phone", use: { ...devices["Pixel 7"], viewport: { width: 320, height: 640 } } },
  ],
});
