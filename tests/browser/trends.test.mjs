// Time on axes: a case over many runs, and the launches of one. Run by ctest: ASSAY, RECORDS,
// PUBLISHED, WORK, CHROMIUM, PLOTS.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openReport, startBrowser } from "./page.mjs";

const { ASSAY, RECORDS, PUBLISHED, WORK, CHROMIUM, PLOTS } = process.env;
const folder = join(WORK, "trends");
let browser;

before(async () => {
  mkdirSync(folder, { recursive: true });
  browser = await startBrowser(CHROMIUM);
});
after(() => browser?.close());

const day = Date.UTC(2026, 10, 26, 3, 12, 7) / 86400e3;

/** Six records, `step` seconds apart, a change before the fourth. */
const trend = (step, device = "chip") => ({
  trend: "decode/m/f32/b1/c512",
  device,
  basis: "measured",
  unit: "tokens/s",
  points: [0, 1, 2, 3, 4, 5].map((i) => ({ day: day + (i * step) / 86400, rate: i < 3 ? 100 : 90, low: i < 3 ? 99 : 89, high: i < 3 ? 101 : 91, changed: i === 3 ? ["driver 581, before 580"] : [], row: null })),
  changes: [{ at: 3, ratio: 0.9, verdict: "SLOWER" }],
});

const texts = (svg) => [...svg.matchAll(/<text[^>]*>(?:<tspan[^>]*>)?([^<]*)/g)].map((m) => m[1]);

function axisLabels(step) {
  writeFileSync(join(folder, "trend.json"), JSON.stringify(trend(step)));
  execFileSync(process.execPath, [PLOTS, join(folder, "trend.json"), folder, "en"]);
  const svg = readFileSync(join(folder, "trend.svg"), "utf8");
  assert.match(svg, /stroke-dasharray="7[, ]4"/, "the line where the level changed");
  return texts(svg).filter((t) => /^(\d{4}-)?\d\d-\d\d( \d\d:\d\d)?$|^\d\d:\d\d:\d\d$/.test(t));
}

// Steps between runs and what tells ticks of that span apart.
for (const [step, form] of [
  [3, /^03:12:\d\d$/],
  [20, /^03:1\d:\d\d$/],
  [400, /^11-26 03:\d\d$/],
  [7200, /^11-26 \d\d:\d\d$/],
  [86400, /^1[12]-\d\d$/],
  [90 * 86400, /^202\d-\d\d-\d\d$/],
])
  test(`no label of the axis stands twice where runs are ${step} s apart`, () => {
    const labels = axisLabels(step);
    assert.ok(labels.length >= 2, labels.join());
    assert.equal(new Set(labels).size, labels.length, labels.join());
    for (const label of labels) assert.match(label, form);
  });

// By hand: points at 15 to 26 with halves of 1 spread 11, so the axis goes on by 22 at most: 48, to the next tick 50.
test("an interval far wider than the points spread ends at the axis; a disturbed record is told apart", () => {
  const wide = { ...trend(20), changes: [] };
  [15, 26, 20, 21, 22, 23].forEach((rate, i) => Object.assign(wide.points[i], { rate, low: i === 2 ? 0 : rate - 1, high: i === 2 ? 1185 : rate + 1, changed: [], disturbed: i === 1 }));
  const drawn = () => {
    writeFileSync(join(folder, "trend.json"), JSON.stringify(wide));
    execFileSync(process.execPath, [PLOTS, join(folder, "trend.json"), folder, "en"]);
    return texts(readFileSync(join(folder, "trend.svg"), "utf8"));
  };
  const all = drawn();
  assert.deepEqual(all.filter((t) => /^[\d,.]+$/.test(t)), ["0", "10", "20", "30", "40", "50"]);
  assert.ok(all.includes("time of 2026-11-26, UTC"), all.join("|"));
  assert.ok(all.includes("record, disturbed"), all.join("|"));
  // One form of number an axis.
  wide.points.forEach((p, i) => Object.assign(p, { rate: 700 + 100 * i, low: null, high: null, disturbed: false }));
  const ticks = drawn();
  assert.deepEqual(ticks.filter((t) => /^[\d,.]+$/.test(t)), ["700", "800", "900", "1,000", "1,100", "1,200"]);
  assert.ok(!ticks.includes("record, disturbed"));
});

/** A report whose model holds two trends. */
function reportWithTrends() {
  const file = join(folder, "report.html");
  execFileSync(ASSAY, ["report", RECORDS, "-o", file]);
  const html = readFileSync(file, "utf8");
  assert.match(html, /"trends":\[\],/);
  writeFileSync(file, html.replace('"trends":[],', () => `"trends":${JSON.stringify([trend(86400, "slower"), trend(20, "near")])},`));
  return file;
}

for (const [lang, words] of [
  ["en", ["Over time", "SLOWER 0.900", "driver"]],
  ["zh", ["随时间的变化", "变慢 0.900", "驱动"]],
])
  test(`the report draws cases over time, and fits a phone (${lang})`, async () => {
    const file = reportWithTrends();
    for (const width of [1200, 390]) {
      const { page, faults, close } = await openReport(browser, file, `lang=${lang}`, { viewport: { width, height: 844 } });
      const charts = page.locator("#trends .chart");
      assert.equal(await charts.count(), 2);
      for (const chart of await charts.all()) {
        await chart.evaluate((box) => box.scrollIntoView({ behavior: "instant" }));
        await chart.locator("svg").first().waitFor();
      }
      const text = await page.innerText("#trends");
      assert.ok(text.includes(words[0]) && text.includes("decode/m/f32/b1/c512"), text);
      if (width > 520) for (const word of words.slice(1)) assert.ok(text.includes(word), `${word}: ${text}`);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)) <= 0);
      await page.locator("#trends").screenshot({ path: join(folder, `trends-${lang}-${width}.png`) });
      assert.deepEqual(faults, []);
      await close();
    }
  });

test("a report without repeats has no section of trends", async () => {
  const file = join(folder, "plain.html");
  execFileSync(ASSAY, ["report", RECORDS, "-o", file]);
  const { page, close } = await openReport(browser, file, "lang=en");
  assert.equal(await page.locator("#trends, a[href='#trends']").count(), 0);
  await close();
});

// The line of steps is broken where a launch begins, and the place is marked.
test("a timeline marks where a launch begins and joins no two of them", async () => {
  const out = join(folder, "plots.json");
  execFileSync(ASSAY, ["report", RECORDS, "-o", out]);
  const model = JSON.parse(readFileSync(out, "utf8"));
  const field = (name) => model.row_fields.indexOf(name);
  const curve = model.curves.find((c) => model.rows[c.row][field("case")] === model.answer.case);
  const half = curve.start_s[Math.floor(curve.start_s.length / 2)];
  const drawn = (launches) => {
    curve.launch_s = launches;
    writeFileSync(out, JSON.stringify(model));
    execFileSync(process.execPath, [PLOTS, out, folder, "en"]);
    return readFileSync(join(folder, "timeline-0.svg"), "utf8");
  };
  // The step line is the one polyline with many points.
  const lines = (svg) => [...svg.matchAll(/<path d="([^"]*)" fill="none"/g)].filter((m) => (m[1].match(/L/g) ?? []).length > 20).length;
  const [joined, apart] = [drawn([]), drawn([half])];
  assert.equal(lines(joined), 1);
  assert.equal(lines(apart), 2);
  assert.ok(!texts(joined).includes("launch 2"));
  assert.ok(texts(apart).includes("launch 2"), texts(apart).join("|"));
});

// By hand: 40 to 120 ms in steps of 20 (80 / 6 = 13.3, rounded up); the line alone would end at 60.
test("the axis of step times holds the band", () => {
  const out = join(folder, "band.json");
  execFileSync(ASSAY, ["report", RECORDS, "-o", out]);
  const model = JSON.parse(readFileSync(out, "utf8"));
  for (const c of model.curves) {
    c.quantile_ns = c.quantile_ns.map((_, i) => (i === 0 ? 50e6 : 60e6));
    c.low_ns = c.p.map(() => 40e6);
    c.high_ns = c.p.map(() => 120e6);
  }
  writeFileSync(out, JSON.stringify(model));
  execFileSync(process.execPath, [PLOTS, out, folder, "en"]);
  const ticks = texts(readFileSync(join(folder, "latency.svg"), "utf8")).filter((t) => /^\d+ ms$/.test(t));
  assert.deepEqual(ticks, ["40 ms", "60 ms", "80 ms", "100 ms", "120 ms"]);
});

/** Pairs of texts of a drawing that lie on each other. */
async function overlaps(svg) {
  const page = await browser.newPage();
  await page.goto(`file://${svg}`);
  const found = await page.evaluate(() => {
    const boxes = [...document.querySelectorAll("text")].filter((t) => t.textContent.trim() !== "").map((t) => ({ text: t.textContent, box: t.getBoundingClientRect() }));
    const touch = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => touch(a.box, b.box)).map((b) => `${a.text} | ${b.text}`));
  });
  await page.close();
  return found;
}

// Of the published records of an H200 a GEMM, a prefill and a DiT block lie close by; of the profile three ops do.
test("labels of rooflines do not lie on one another", async () => {
  const out = join(folder, "roof.json");
  execFileSync(ASSAY, ["report", join(PUBLISHED, "2026-11-26-h200"), "-o", out]);
  execFileSync(process.execPath, [PLOTS, out, folder, "en"]);
  const op = (name, flops, bytes, seconds) => ({ op: name, count: 1, seconds, share: 0.3, flops_each: flops, bytes_each: bytes });
  const ops = [op("first_projection", 1e9, 1e9, 1e-3), op("second_projection", 5e9, 1e9, 5.2e-3), op("third_projection", 2.4e10, 1e9, 2.3e-2)];
  writeFileSync(out, JSON.stringify({ case: "c", device: "d", basis: "measured", attainable_flops_per_s: 1e13, attainable_bytes_per_s: 1e12, datasheet_flops_per_s: null, datasheet_bytes_per_s: null, ops }));
  execFileSync(process.execPath, [PLOTS, out, folder, "en"]);
  for (const plot of ["roofline", "op-roofline", "profile-roofline"]) assert.deepEqual(await overlaps(join(folder, `${plot}.svg`)), [], plot);
  const named = texts(readFileSync(join(folder, "roofline.svg"), "utf8"));
  for (const label of ["dit", "D b1 512", "D b64 4.1k"]) assert.ok(named.some((t) => t.includes(label)), `${label}: ${named.join("|")}`);
});

test("a long name of chip and case stays within the drawing", async () => {
  const out = join(folder, "long.json");
  execFileSync(ASSAY, ["report", RECORDS, "-o", out]);
  const model = JSON.parse(readFileSync(out, "utf8"));
  model.chips.forEach((c, i) => (c.product = `Accelerator of a vendor with a long name ${i}, 96 GB, passively cooled`));
  model.cases[model.answer.case].id = "video-diffusion/dit/vidu-class-1080p-vae16/int8_w8a8/b1/121f1088x1920/cold/another-part";
  writeFileSync(out, JSON.stringify(model));
  execFileSync(process.execPath, [PLOTS, out, folder, "en"]);
  for (const plot of ["op-time-0", "timeline-0"]) {
    const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    await page.goto(`file://${join(folder, `${plot}.svg`)}`);
    const [right, edge] = await page.evaluate(() => [Math.max(...[...document.querySelectorAll("text")].map((t) => t.getBoundingClientRect().right)), document.documentElement.getBoundingClientRect().right]);
    assert.ok(right <= edge, `${plot}: text ends at ${right} of ${edge}`);
    assert.deepEqual(await overlaps(join(folder, `${plot}.svg`)), [], plot);
    await page.close();
  }
});

test("plots name the case, or the model, that they are of", () => {
  const out = join(folder, "named.json");
  execFileSync(ASSAY, ["report", RECORDS, "-o", out]);
  execFileSync(process.execPath, [PLOTS, out, folder, "en"]);
  const model = JSON.parse(readFileSync(out, "utf8"));
  const of = model.cases[model.answer.case];
  for (const [plot, name] of [["energy", `${of.model} · ${of.dtype}`], ["op-time-0", of.id], ["timeline-0", of.id]]) {
    const all = texts(readFileSync(join(folder, `${plot}.svg`), "utf8")).join(""); // a title may take several lines
    assert.ok(all.replace(/\s/g, "").includes(name.replace(/\s/g, "")), `${plot}: ${all}`);
  }
});
