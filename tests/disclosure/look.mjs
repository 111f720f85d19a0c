// Looks at every page of a site over HTTP in Chromium without script: axe-core at 1280 and 360 px and in dark colours, no
// sideways scrolling at 320 px, and by keyboard: the skip link first, then every link in its order.
// node look.mjs BASE-URL PICTURES PATH…
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [base, pictures, ...paths] = process.argv.slice(2);
const require = createRequire(join(resolve(process.env.SEKISHO_CACHE), "browser", "from-here.js"));
const found = await import(pathToFileURL(require.resolve("puppeteer-core")));
const puppeteer = found.default ?? found;
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const VIEWS = [[1280, "light"], [360, "light"], [1280, "dark"]];

mkdirSync(pictures, { recursive: true });
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
});
let passed = 0;
let failed = 0;
const check = (what, ok) => {
  if (ok) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED  ${what}`);
  }
};
for (const path of paths) {
  for (const [width, scheme] of VIEWS) {
    const page = await browser.newPage();
    // Scripts of the page do not run; those of this test do.
    await page.setBypassCSP(true);
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.setViewport({ width, height: 900 });
    const errors = [];
    page.on("requestfailed", (request) => errors.push(request.url()));
    await page.goto(base + path, { waitUntil: "load" });
    check(`${path}: everything it asks for is there: ${errors}`, errors.length === 0);
    check(`${path}: no script`, (await page.evaluate(() => document.scripts.length)) === 0);
    await page.screenshot({ path: join(pictures, `${(path || "index").replaceAll("/", "-")}-${width}-${scheme}.png`), fullPage: true });
    await page.evaluate(axe);
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const result = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), tags);
    for (const one of result.violations) {
      console.log(`        ${path} at ${width} ${scheme}: ${one.impact} ${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 3).join("; ")}`);
    }
    check(`${path} at ${width} ${scheme}: serious findings`, !result.violations.some((one) => ["serious", "critical"].includes(one.impact)));
    await page.close();
  }
  const page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  await page.setViewport({ width: 320, height: 700 });
  await page.goto(base + path, { waitUntil: "load" });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  check(`${path}: ${wide} px too wide at 320 px`, wide <= 0);
  const links = await page.evaluate(() => [...document.querySelectorAll("a[href], summary, [tabindex='0']")].map((one) => one.outerHTML.slice(0, 80)));
  const reached = [];
  for (let at = 0; at < links.length; at += 1) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement.outerHTML.slice(0, 80)));
  }
  check(`${path}: Tab reaches every link in its order`, JSON.stringify(reached) === JSON.stringify(links));
  await page.goto(base + path, { waitUntil: "load" });
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  check(`${path}: the skip link leads to the text`, (await page.evaluate(() => document.activeElement.id)) === "text");
  await page.close();
}
await browser.close();
console.log(`browser: ${paths.length} pages, ${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
