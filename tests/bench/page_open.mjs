// How long the page of a report takes to open in the system's Chromium, until it has painted: target 2 s for 1,000
// records. Needs the packages of tests/browser: run it in the folder where its run.sh prepared them.
//
//   node page_open.mjs REPORT.html [CHROMIUM]
import { readFileSync } from "node:fs";
import { openReport, startBrowser } from "./page.mjs";

const targetS = 2;
const [file, chromium = "/usr/bin/chromium"] = process.argv.slice(2);
if (!file) {
  console.error("page_open.mjs: expected REPORT.html");
  process.exit(2);
}
const browser = await startBrowser(chromium);
const seconds = [];
for (let i = 0; i < 5; ++i) {
  const began = performance.now();
  const { page, faults, close } = await openReport(browser, file, "lang=en");
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  seconds.push((performance.now() - began) / 1000);
  if (faults.length > 0) throw new Error(faults.join("; "));
  await close();
}
await browser.close();
seconds.sort((a, b) => a - b);
const mb = readFileSync(file).length / 1e6;
console.log(`${mb.toFixed(2)} MB opened in ${seconds[2].toFixed(2)} s (${seconds[0].toFixed(2)} to ${seconds[4].toFixed(2)}): ${(seconds[2] / targetS).toFixed(2)} of the target of ${targetS} s`);
