// Lighthouse on every page: 100 in accessibility, best practices and SEO. `cargo xtask test` sets
// BASE_URL and CHROMIUM.
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";
import { chromium } from "@playwright/test";

const MUST_BE_100 = ["accessibility", "best-practices", "seo"];

/** A look at a page; once more when the browser was too busy to be looked at (a category without a score). */
async function look(path) {
  for (let attempt = 1; ; attempt++) {
    const { lhr } = await lighthouse(new URL(path, process.env.BASE_URL).href, {
      port: chrome.port,
      onlyCategories: ["performance", ...MUST_BE_100],
    });
    const failed = Object.values(lhr.audits).filter((audit) => audit.scoreDisplayMode === "error");
    if (attempt === 3 || failed.length === 0) return lhr;
    console.log(path, "again:", failed[0].errorMessage);
  }
}

const chrome = await launch({
  chromePath: process.env.CHROMIUM ?? chromium.executablePath(),
  chromeFlags: [
    "--headless=new",
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
let missed = 0;
try {
  for (const path of ["/", "/race", "/messages", "/session"]) {
    const lhr = await look(path);
    const score = (name) => Math.round(lhr.categories[name].score * 100);
    console.log(path.padEnd(12), ["performance", ...MUST_BE_100].map((name) => `${name} ${score(name)}`).join(", "));
    for (const name of MUST_BE_100.filter((name) => score(name) < 100)) {
      missed++;
      for (const { id } of lhr.categories[name].auditRefs) {
        const audit = lhr.audits[id];
        if (audit.score !== null && audit.score < 1) console.log(`  ${name}: ${audit.title}`, audit.details?.items ?? "");
      }
    }
  }
} finally {
  chrome.kill();
}
process.exitCode = missed ? 1 : 0;
