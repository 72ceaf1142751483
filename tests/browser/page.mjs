// A report opened in the system's Chromium, watched for what a report must never do.
import { chromium } from "playwright-core";
import { readFileSync } from "node:fs";

export async function startBrowser(executablePath) {
  return chromium.launch({
    executablePath,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
    ],
  });
}

/** Opens a report with a fragment; `faults` collects console errors, page errors and requests of anything but the file. */
export async function openReport(browser, file, fragment, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && faults.push(`console ${m.type()}: ${m.text()}`));
  page.on("pageerror", (e) => faults.push(`page: ${e.message}`));
  page.on("request", (r) => r.url().split("#")[0] !== `file://${file}` && faults.push(`request: ${r.url()}`));
  await page.goto(`file://${file}#${fragment}`);
  await page.waitForSelector("main");
  return { page, faults, close: () => context.close() };
}

/** The report's model beside it, its rows by field name. */
export function readModel(file) {
  const model = JSON.parse(readFileSync(file, "utf8"));
  model.rows = model.rows.map((values) => Object.fromEntries(model.row_fields.map((name, i) => [name, values[i]])));
  return model;
}

export const numberIn = (text) => Number(text.replaceAll(",", "").match(/-?[\d.]+/)[0]);

/** Whether `text` shows `value` in as many digits as it has. */
export function shows(text, value) {
  const shown = text.replaceAll(",", "").match(/-?[\d.]+/)[0];
  const decimals = (shown.split(".")[1] ?? "").length;
  return Math.abs(Number(shown) - value) <= 0.5 * 10 ** -decimals * (1 + 1e-9);
}
