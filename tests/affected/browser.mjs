// The page in a browser, at two widths and in two languages: axe-core's rules for WCAG 2.2 A and AA, no sideways
// scrolling, the keyboard alone, no complaint about the content security policy.
// Arguments: the folder with node_modules, the page's address, a known code, an unknown one, a folder for images.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import path from "node:path";

const [folder, site, known, unknown, images] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(folder), "package.json"));
const { default: puppeteer } = await import(require.resolve("puppeteer-core"));
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

let failed = 0;
let passed = 0;
function expect(what, holds, found = "") {
  if (holds) return void passed++;
  failed++;
  console.error(`FAILED: ${what} ${found}`);
}

const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage();
// What the browser says of a refused question is no complaint about the page.
page.on("console", (message) => expect("the console is silent", message.text().includes("status of 429"), message.text()));
page.on("pageerror", (error) => expect("no script fails", false, error));

async function judge(name) {
  const found = await page.evaluate(`${axe}; axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })`);
  expect(`${name}: axe ran`, found.passes.length > 10);
  for (const rule of found.violations) expect(`${name}: ${rule.id}`, false, JSON.stringify(rule.nodes.map((node) => node.html)));
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(`${name}: nothing sticks out`, sideways <= 0, sideways);
  await page.screenshot({ path: path.join(images, `${name}.png`), fullPage: true });
}

async function focused() {
  return page.evaluate(() => document.activeElement.id || document.activeElement.tagName);
}

// Types into the form with the keyboard alone: language link, field, button.
async function ask(address, code) {
  await page.goto(address);
  const way = [];
  for (let key = 0; key < 3; key++) {
    await page.keyboard.press("Tab");
    way.push(await focused());
    if (way.at(-1) === "code") await page.keyboard.type(code);
  }
  expect("the keyboard goes from the language to the field to the button", way.join() === "A,code,BUTTON", way.join());
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  expect("the code is not in the address", !page.url().includes(code.slice(0, 5)) && !page.url().includes("?"), page.url());
}

for (const width of [1280, 360]) {
  await page.setViewport({ width, height: 800 });
  for (const [language, address] of [["ja", `${site}/`], ["en", `${site}/en`]]) {
    const name = (what) => `${what}-${language}-${width}`;
    await page.goto(address);
    expect("the language is said", (await page.evaluate(() => document.documentElement.lang)) === language);
    await judge(name("form"));
    await ask(address, `${known.slice(0, -1)}${known.endsWith("0") ? "1" : "0"}`);
    await judge(name("mistyped"));
    expect("the field with the error has the focus", (await focused()) === "code");
    expect("the error belongs to the field", await page.evaluate(() =>
      document.getElementById("code").getAttribute("aria-describedby").split(" ").every((id) => document.getElementById(id))));
    await ask(address, unknown);
    await judge(name("unknown"));
    await ask(address, known);
    expect("the result is shown", await page.evaluate(() => document.querySelector("section.left li") !== null));
    await judge(name("found"));
    await page.goto(address);
    await Promise.all([page.waitForNavigation(), page.click("main a")]);
    await judge(name("mail"));
    await page.type("#mail", "nobody");
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    await judge(name("mail-mistyped"));
    await page.goto(page.url());
    await page.type("#mail", "nobody@example.jp");
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    expect("the address is not in the page's address", !page.url().includes("nobody"), page.url());
    await judge(name("mailed"));
  }
}

// The page is the same for whoever has no scripts: it has none.
await page.setJavaScriptEnabled(false);
await page.goto(`${site}/`);
await page.type("#code", known);
await Promise.all([page.waitForNavigation(), page.click("button")]);
expect("without scripts the result is shown", (await page.content()).includes("流出を確認した項目"));
await page.setJavaScriptEnabled(true);

// Zoomed text: 200 % at 1280 px.
await page.setViewport({ width: 640, height: 400, deviceScaleFactor: 2 });
await ask(`${site}/`, known);
await judge("found-ja-zoomed");
for (let asked = 0; asked < 120; asked++) {
  await page.goto(`${site}/`);
  await page.type("#code", known);
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  if ((await page.title()).startsWith("時間をおいて")) break;
}
await judge("busy-ja");
expect("who asks too often is told", (await page.title()).startsWith("時間をおいて"), await page.title());

await browser.close();
console.log(`browser: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
