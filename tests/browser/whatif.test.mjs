// The what-if panel against the command: the same inputs, the same cost. Run by ctest with paths in the environment.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { numberIn, openReport, readModel, startBrowser } from "./page.mjs";

const { ASSAY, RECORDS, PUBLISHED, WORK, CHROMIUM } = process.env;
const H200 = join(PUBLISHED ?? "", "2026-11-26-h200");
const folder = join(WORK, "whatif");
const file = join(folder, "report.html");
let browser;
let model;

before(async () => {
  mkdirSync(folder, { recursive: true });
  execFileSync(ASSAY, ["report", RECORDS, "-o", file, "--json"]);
  model = readModel(join(folder, "report.json"));
  browser = await startBrowser(CHROMIUM);
});
after(() => browser?.close());

/** What the command says with more options. */
function commanded(name, options, records = RECORDS) {
  const out = join(folder, `${name}.json`);
  execFileSync(ASSAY, ["report", records, "-o", out, ...options]);
  return readModel(out).costs;
}

const shown = () => [...model.cost_answer.costs, ...model.cost_answer.compared];

async function agrees(page, i, cost, what) {
  const [token, hour] = [numberIn(await page.innerText(`#per-100k-${i}`)), numberIn(await page.innerText(`#per-hour-${i}`))];
  const wanted = cost.per_token[cost.headline].value * 1e5;
  assert.ok(Math.abs(token / wanted - 1) < 6e-4, `${what}: ${token} per 100K, the command says ${wanted}`);
  assert.ok(Math.abs(hour / cost.per_hour.value - 1) < 6e-4, `${what}: ${hour} an hour, the command says ${cost.per_hour.value}`);
}

test("the levers of owning give what the command gives", async () => {
  const i = shown().find((c) => !model.costs[c].rented);
  assert.notEqual(i, undefined, "an owned chip");
  const levers = { server_factor: 1.9, salvage_share: 0.25, opex_share: 0.11, idle_power_share: 0.45, life: 6.5, discount_rate: 0.03 };
  const { page, faults, close } = await openReport(browser, file, "lang=en");
  await agrees(page, i, model.costs[i], "unchanged");
  for (const [name, value] of Object.entries(levers)) {
    const before = await page.innerText(`#per-100k-${i}`);
    await page.fill(`[data-knob="${name}.${i}"]`, String(value));
    assert.notEqual(await page.innerText(`#per-100k-${i}`), before, `${name} moves the cost`);
  }
  const set = Object.entries(levers).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  await agrees(page, i, commanded("levers", set)[i], "all levers");
  assert.deepEqual(faults, []);
  await close();
});

test("rates can be moved: twice the rate is half the cost", async () => {
  const i = shown().find((c) => model.costs[c].inputs.some((x) => x.name === "blended_rate") || model.costs[c].headline !== 3);
  const cost = model.costs[i ?? shown()[0]];
  const at = model.costs.indexOf(cost);
  const { page, close } = await openReport(browser, file, "lang=en");
  for (const name of ["input_rate", "output_rate", "blended_rate"]) {
    const box = page.locator(`[data-knob="${name}.${at}"]`);
    if ((await box.count()) > 0) await box.fill(String(2 * cost.inputs.find((x) => x.name === name).value));
  }
  assert.equal(await page.innerText(`#change-${at}`), "−50.0 %");
  await close();
});

test("a chip that can be rented and bought switches between the two, and a link keeps it", async () => {
  const ways = { rented: commanded("rented", ["--rented"]), owned: commanded("owned", ["--owned"]) };
  const both = shown().filter((i) => model.costs[i].other_way);
  assert.ok(both.length > 0, "a chip with a price and a rent");
  const first = await openReport(browser, file, "lang=en");
  for (const i of both) {
    const own = model.costs[i].rented ? "rented" : "owned";
    const other = own === "rented" ? "owned" : "rented";
    await first.page.selectOption(`#way-${i}`, other === "rented" ? "1" : "0");
    await agrees(first.page, i, ways[other][i], `${i}, ${other}`);
    assert.equal(await first.page.locator(`[data-knob="chip_price.${i}"]`).count(), other === "owned" ? 1 : 0);
    assert.equal(await first.page.locator(`[data-knob="rent.${i}"]`).count(), other === "rented" ? 1 : 0);
  }
  const i = both[0];
  const [hash, cost] = [await first.page.evaluate(() => location.hash), await first.page.innerText(`#per-100k-${i}`)];
  await first.page.locator(`#per-100k-${i} button`).click();
  assert.match(await first.page.locator("dialog[open]").innerText(), /rented → owned|owned → rented/);
  assert.deepEqual(first.faults, []);
  await first.close();
  const second = await openReport(browser, file, hash.slice(1));
  assert.equal(await second.page.innerText(`#per-100k-${i}`), cost);
  const own = model.costs[i].rented;
  await second.page.selectOption(`#way-${i}`, own ? "1" : "0");
  assert.equal(await second.page.innerText(`#change-${i}`), "0 %");
  await second.close();
});

/** A page of one chip's records with amounts that are given, and the index of its first cost. */
async function given(name, options, fragment = "lang=en") {
  const out = join(folder, `${name}.html`);
  execFileSync(ASSAY, ["report", H200, "-o", out, ...options]);
  const opened = await openReport(browser, out, fragment);
  const i = Number((await opened.page.locator("[id^=per-hour-]").first().getAttribute("id")).split("-").pop());
  return { ...opened, i, hour: async () => numberIn(await opened.page.innerText(`#per-hour-${i}`)) };
}

test("a rate of exchange moves what is given in that currency, and nothing else", async () => {
  const yuan = await given("yuan", ["--price", "220000 CNY", "--rent", "13.2 CNY/h"], "lang=en&w.fx=14.36");
  assert.equal(await yuan.hour(), 13.2);
  assert.equal(await yuan.page.locator("[data-knob=fx]").count(), 0);
  await yuan.close();
  const dollars = await given("dollars", ["--chip", "h100-sxm", "--rent", "2 USD/h"]);
  assert.equal(await dollars.hour(), 14.36, "2 USD at 7.18 CNY");
  await dollars.page.fill("[data-knob=fx]", "7");
  assert.equal(await dollars.hour(), 14, "2 USD at 7 CNY");
  await dollars.close();
});

test("a price and a rent that are given can be switched between", async () => {
  const amounts = ["--price", "220000 CNY", "--rent", "13.2 CNY/h"];
  const { page, i, faults, close } = await given("both", amounts);
  await page.selectOption(`#way-${i}`, "0");
  await agrees(page, i, commanded("bought", [...amounts, "--owned"], H200)[i], "owned");
  assert.deepEqual(faults, []);
  await close();
});

test("of a rented chip power is in the rent: nothing to change, and a link with a change moves nothing", async () => {
  const { page, i, close } = await given("power", ["--price", "220000 CNY", "--rent", "13.2 CNY/h"]);
  const knobs = () => page.locator(["wall_power", "pue", "tariff"].map((name) => `[data-knob="${name}.${i}"]`).join()).count();
  assert.equal(await knobs(), 0);
  await page.selectOption(`#way-${i}`, "0");
  assert.equal(await knobs(), 3);
  await close();
  const linked = await given("linked", ["--rent", "13.2 CNY/h"], `lang=en&w.tariff.${i}=9`);
  assert.equal(await linked.hour(), 13.2);
  await linked.page.locator(`#per-hour-${i} button`).click();
  assert.doesNotMatch(await linked.page.locator("dialog[open]").innerText(), /→/);
  await linked.close();
});

for (const lang of ["en", "zh"])
  test(`the panel fits a phone (${lang})`, async () => {
    const { page, close } = await openReport(browser, file, `lang=${lang}`, { viewport: { width: 390, height: 844 } });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)) <= 0);
    // Nothing lies beyond the panel's edge: what must be slid to is not seen.
    assert.ok((await page.locator(".what-if .scroll").evaluate((box) => box.scrollWidth - box.clientWidth)) <= 0);
    await page.locator(".what-if").screenshot({ path: join(folder, `panel-${lang}-390.png`) });
    await page.setViewportSize({ width: 1200, height: 900 });
    await page.locator(".what-if").screenshot({ path: join(folder, `panel-${lang}-1200.png`) });
    await close();
  });
