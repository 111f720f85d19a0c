// Looks at every page of a static site in Chromium with axe-core, at desktop and phone width and in dark colours, and keeps a
// picture of each.
// Fails on a serious or critical finding, on a script, and on a page that is wider than its window.
// node axe.mjs SITE NODE_MODULES PICTURES

import { createRequire } from "node:module";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [site, modules, pictures] = process.argv.slice(2).map((path) => resolve(path));
const require = createRequire(join(modules, "from-here.js"));
const found = await import(pathToFileURL(require.resolve("puppeteer-core")));
const puppeteer = found.default ?? found;
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const VIEWS = [
  { width: 1280, scheme: "light" },
  { width: 360, scheme: "light" },
  { width: 1280, scheme: "dark" },
];

const pages = readdirSync(site, { recursive: true }).filter((name) => name.endsWith(".html")).sort();
mkdirSync(pictures, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
});
let bad = 0;
for (const name of pages) {
  for (const { width, scheme } of VIEWS) {
    const page = await browser.newPage();
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.setViewport({ width, height: 900 });
    await page.goto(pathToFileURL(join(site, name)).href, { waitUntil: "load" });
    const scripts = await page.evaluate(() => document.scripts.length);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    await page.screenshot({ path: join(pictures, `${name.replaceAll("/", "-")}-${width}-${scheme}.png`), fullPage: true });
    await page.evaluate(axe);
    const result = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
    const serious = result.violations.filter((one) => ["serious", "critical"].includes(one.impact));
    for (const one of result.violations) {
      console.log(`  ${relative(site, join(site, name))} at ${width} ${scheme}: ${one.impact} ${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 3).join("; ")}`);
    }
    if (serious.length > 0 || scripts > 0 || overflow > 0) {
      bad += 1;
      console.log(`  FAILED ${name} at ${width} ${scheme}: ${serious.length} serious findings, ${scripts} scripts, ${overflow} px too wide`);
    }
    await page.close();
  }
}
await browser.close();
console.log(`axe: ${pages.length} pages at 1280 and 360 px and in dark, ${bad} bad`);
process.exit(bad > 0 || pages.length === 0 ? 1 : 0);
