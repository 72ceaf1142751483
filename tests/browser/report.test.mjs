// The report in a real browser. Run by ctest: ASSAY (the command), RECORDS (folder), WORK (folder), CHROMIUM.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { numberIn, openReport, readModel, shows, startBrowser } from "./page.mjs";

const { ASSAY, RECORDS, WORK, CHROMIUM } = process.env;
const file = join(WORK, "report.html");
let browser;
let model;

before(async () => {
  mkdirSync(WORK, { recursive: true });
  execFileSync(ASSAY, ["report", RECORDS, "-o", file, "--json"]);
  model = readModel(join(WORK, "report.json"));
  browser = await startBrowser(CHROMIUM);
});
after(() => browser?.close());

/** Runs with an open report and demands that it stayed quiet. */
const report = (name, fragment, body, options) =>
  test(name, async () => {
    const { page, faults, close } = await openReport(browser, file, fragment, options);
    try {
      await body(page);
      assert.deepEqual(faults, []);
    } finally {
      await close();
    }
  });

/** Each chart comes into view and is drawn, however busy the machine is. */
async function scrollThrough(page) {
  for (const chart of await page.locator(".chart").all()) {
    await chart.evaluate((box) => box.scrollIntoView({ behavior: "instant" }));
    await chart.locator("svg").first().waitFor();
  }
}

report("every chart is drawn and nothing is asked of a network", "lang=en", async (page) => {
  await scrollThrough(page);
  const boxes = await page.locator(".chart").count();
  assert.ok(boxes >= 6, `${boxes} charts`);
  assert.equal(await page.locator(".chart svg").count(), boxes);
  for (const size of await page.locator(".chart svg").evaluateAll((all) => all.map((s) => s.querySelectorAll("path").length))) {
    assert.ok(size > 5, "a chart without marks");
  }
});

report("curves of context are of one chip each, though all devices share a name", "lang=en", async (page) => {
  const curves = model.context.filter((c) => c.kind === "decode" && c.batch === 64);
  assert.deepEqual(curves.map((c) => c.chip).sort(), [0, 1, 2]);
  for (const c of curves) assert.deepEqual(c.points.map((p) => p.context), [512, 4096, 16384]);
  const note = await page.locator("#context .note").first().innerText();
  for (const chip of model.chips) assert.ok(note.includes(chip.product), note);
});

report("figures on the page are those of the JSON", "lang=en", async (page) => {
  const shown = await page.locator("button.figure[data-figure]").evaluateAll((all) => all.map((b) => [b.dataset.figure, Number(b.dataset.row), b.textContent]));
  assert.ok(shown.length > 100, `${shown.length} figures`);
  const times = { ns: 1, "µs": 1e3, ms: 1e6, s: 1e9 };
  const field = { p50: "p50_ns", p99: "p99_ns", rate: "rate", mfu: "mfu", mbu: "mbu", energy: "joules_per_token" };
  const seen = new Set();
  for (const [figure, index, text] of shown) {
    if (!(figure in field)) continue;
    const value = model.rows[index][field[figure]];
    const unit = text.trim().replace(/\?$/, "").split(" ").pop();
    if (figure.startsWith("p")) assert.ok(shows(text, value / times[unit]), `${figure} ${text} ${value}`);
    else if (figure.startsWith("m")) assert.ok(shows(text, value * 100), `${figure} ${text} ${value}`);
    else if (figure === "rate" && unit === "tokens/s") assert.ok(shows(text, value), `${figure} ${text} ${value}`);
    else if (figure === "energy") assert.ok(Math.abs(numberIn(text) / value - 1) < 0.006, `${figure} ${text} ${value}`);
    seen.add(figure);
  }
  assert.deepEqual([...seen].sort(), ["energy", "mbu", "mfu", "p50", "p99", "rate"]);
});

report("the costs of the first screen are those of the JSON, with their basis", "lang=en", async (page) => {
  const shown = await page.locator("#answer .headline button[data-cost]").evaluateAll((all) => all.map((b) => [Number(b.dataset.cost), b.textContent]));
  assert.ok(shown.length >= 2, `${shown.length} costs`);
  for (const [i, text] of shown) {
    const cost = model.costs[i];
    assert.ok(Math.abs(numberIn(text) / (cost.per_token[cost.headline].value * 1e5) - 1) < 6e-3, `${text}`);
  }
  for (const kind of await page.locator("#answer tbody tr").evaluateAll((all) => all.map((r) => r.querySelector(".basis")?.textContent ?? ""))) {
    assert.match(kind, /simulated/);
  }
});

report("ops of the step stand on the measured roof, marked as projected", "lang=en", async (page) => {
  const { ops } = model.ops.find((o) => o.case === model.answer.case);
  const c = model.cases[model.answer.case];
  const flops = ops.reduce((sum, [, , , count, each]) => sum + count * each, 0);
  assert.ok(Math.abs(flops / c.flops - 1) < 1e-9, "the ops' FLOPs are the step's");
  const row = model.rows[model.groups.find((g) => g.case === model.answer.case).row];
  const least = ops.map(([, , , count, f, b]) => count * Math.max(f / row.ceiling_flops, b / row.ceiling_bytes));
  const figure = page.locator("figure", { has: page.locator("#chart-op-time-0") });
  await figure.locator("summary").click();
  const first = figure.locator("tbody tr").first().locator("td");
  await first.first().waitFor(); // the table is made when it opens
  const cells = await first.allInnerTexts();
  assert.match(cells[0], /projected/);
  const unit = { ns: 1e-9, "µs": 1e-6, ms: 1e-3, s: 1 }[cells[1].trim().split(" ").pop()];
  assert.ok(shows(cells[1], Math.max(...least) / unit), `${cells[1]} ${Math.max(...least)}`);
  assert.match(await page.locator("figure", { has: page.locator("#chart-op-roofline") }).innerText(), /not measured/);
});

report("a clip is the sum of its parts and costs its time at the price of an hour", "lang=en", async (page) => {
  assert.ok(model.clips.length > 0, "a clip");
  const clip = model.clips[0];
  const seconds = clip.parts.reduce((sum, p) => sum + p.count * p.seconds_each, 0);
  assert.ok(Math.abs(seconds / clip.seconds - 1) < 1e-12);
  const hour = model.costs.find((c) => c.chip === clip.chip && !c.missing).per_hour.value;
  assert.ok(Math.abs(clip.cny / ((hour * seconds) / 3600) - 1) < 1e-9, `${clip.cny} ${hour}`);
  const figure = page.locator("figure", { has: page.locator("#chart-clip") });
  await figure.locator("summary").click();
  for (const part of clip.parts) assert.ok((await figure.locator("tbody").innerText()).includes(part.record.slice(0, 8)), part.name);
  assert.ok((await figure.locator(".note").innerText()).includes(`under 30 s: ${Math.ceil(clip.seconds / 30)} of this chip`));
  const svg = await page.locator("#chart-clip svg").innerHTML();
  assert.ok(!svg.includes("#5070dd"), "the legend of a stack has the bars' colours, not the library's own");
});

report("a figure opens to its formula, inputs and record", "lang=en", async (page) => {
  const button = page.locator("button.figure[data-figure=rate]").first();
  const row = model.rows[Number(await button.getAttribute("data-row"))];
  await button.click();
  const text = await page.locator("dialog").innerText();
  assert.ok(text.includes(row.id), "record id");
  assert.ok(text.includes(String(row.rate)), "the value in full");
  assert.ok(text.includes("Σ tokens / Σ t"), "formula");
  assert.ok(text.includes(String(row.steps)), "n");
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" }); // the page learns of the key's effect by an event
});

report("numbers of the tornado, the waterfall and the environment open to formula, inputs and record", "lang=en", async (page) => {
  const cost = model.costs[model.cost_answer.costs[0]];
  for (const [chart, name, value] of [
    ["tornado", cost.tornado[0].input, Math.min(cost.tornado[0].at_low, cost.tornado[0].at_high)],
    ["waterfall", cost.verdicts[0].waterfall[1].name, cost.verdicts[0].waterfall[1].factor / 1e5],
  ]) {
    const figure = page.locator("figure", { has: page.locator(`#chart-${chart}`) });
    await figure.locator("summary").click();
    await figure.locator(`button[data-part="${name}"]`).click();
    const dialog = page.locator("dialog[open]");
    const text = await dialog.innerText();
    assert.match(text, /Formula/);
    const numbers = text.replaceAll(",", "").match(/\d+(\.\d+)?/g).map(Number);
    assert.ok(numbers.some((n) => Math.abs(n / (value * 1e5) - 1) < 1e-3), `${chart}: ${value * 1e5} in ${text}`);
    for (const row of cost.rows) assert.ok(text.includes(model.rows[row].id.slice(0, 8)), text);
    await dialog.getByRole("button", { name: "Close" }).click();
  }
  const line = model.environment[0];
  await page.locator(`button[data-fact="${line.name}"]`).first().click();
  const text = await page.locator("dialog[open]").innerText();
  assert.ok(text.includes(line.values[0][0]) && text.includes(line.records[0][0].slice(0, 8)), text);
  assert.ok(model.rows.some((r) => r.id === line.records[0][0]));
});

report("figures within the sentences of the first screen open to formula, inputs and record", "lang=en", async (page) => {
  const [first, second] = [0, model.cost_answer.rival].map((at) => model.costs[model.cost_answer.costs[at]]);
  const sentences = page.locator("#answer .statement, #answer .lead, #answer .point");
  const opened = async (button) => {
    await button.click();
    const text = await page.locator("dialog[open]").innerText();
    await page.locator("dialog[open]").getByRole("button", { name: "Close" }).click();
    return text;
  };
  const near = (text, value) => text.replaceAll(",", "").match(/-?\d+(\.\d+)?(e-?\d+)?/g).some((n) => Math.abs(Number(n) / value - 1) < 1e-9);
  for (const cost of [first, second]) {
    const text = await opened(sentences.locator(`button[data-cost="${model.costs.indexOf(cost)}"]`).first());
    assert.ok(near(text, cost.per_token[cost.headline].value), text);
    for (const row of cost.rows) assert.ok(text.includes(model.rows[row].id.slice(0, 8)), text);
  }
  const likely = await opened(sentences.locator(`button[data-probability="${model.cost_answer.rival}"]`).first());
  assert.ok(near(likely, model.cost_answer.probabilities[model.cost_answer.rival - 1].low) && near(likely, first.draws), likely);
  assert.equal(await sentences.locator("button[data-probability]").count(), model.cost_answer.probabilities.length);
  const verdict = await opened(sentences.locator('button[data-verdict="0"]').first());
  assert.ok(near(verdict, first.verdicts[0].gap) && /Formula/.test(verdict) && verdict.includes(model.rows[first.rows[0]].id.slice(0, 8)), verdict);
  const [a, b] = model.answer.groups.map((g) => model.rows[model.groups[g].row]);
  const ratio = await opened(sentences.locator("button[data-ratio]").first());
  assert.ok(near(ratio, a.rate / b.rate) && ratio.includes(a.id.slice(0, 8)) && ratio.includes(b.id.slice(0, 8)), ratio);
  const rate = await opened(sentences.locator("button[data-figure=rate]").first());
  assert.ok(near(rate, a.rate) && rate.includes(a.id), rate);
  // No figure of the sentences is left as plain text, names of chips and models aside.
  const plain = await sentences.evaluateAll((all) => all.map((p) => [...p.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent).join("|")).join("|"));
  const names = model.chips.map((c) => c.product).concat(model.cases.map((c) => c.model), model.cases.map((c) => c.dtype), model.cases.map((c) => c.id), ["95 %", "100K", "1M"]);
  const left = names.sort((x, y) => y.length - x.length).reduce((text, name) => text.replaceAll(name, ""), plain);
  assert.doesNotMatch(left, /\d/, left);
});

report("a result of the what-if panel opens to its formula, what was changed, and its records", "lang=en", async (page) => {
  const i = model.cost_answer.costs.find((c) => !model.costs[c].rented);
  const cost = model.costs[i];
  const pue = cost.inputs.find((x) => x.name === "pue").value;
  await page.fill(`[data-knob="pue.${i}"]`, String(pue * 2));
  for (const result of ["per-100k", "per-1m", "change", "per-hour", "electricity", "target-0"]) {
    await page.click(`button[data-what-if="${result}.${i}"]`);
    const text = await page.locator("dialog[open]").innerText();
    assert.match(text, /Formula/);
    const changed = text.match(/PUE\s+([\d.]+) → ([\d.]+)/).slice(1).map(Number);
    assert.deepEqual(changed, [pue, pue * 2], text);
    for (const row of cost.rows) assert.ok(text.includes(model.rows[row].id.slice(0, 8)), text);
    const shown = numberIn(await page.locator(`button[data-what-if="${result}.${i}"]`).innerText());
    const full = Number(text.match(/^= (.*)$/m)[1]);
    // The share of a change is shown as a percentage.
    assert.ok(Math.abs(shown / Math.abs(result === "change" ? full * 100 : full) - 1) < 0.02, `${result}: ${shown} ${full}`);
    await page.locator("dialog[open]").getByRole("button", { name: "Close" }).click();
  }
  // kW x PUE x tariff: twice the PUE is twice the electricity.
  const power = cost.electricity_per_token[cost.headline].value * 1e5;
  assert.ok(Math.abs(numberIn(await page.innerText(`#electricity-${i}`)) / (2 * power) - 1) < 6e-4);
});

report("what the header says opens to version, date, chips and records; a price without a range is named", "lang=en", async (page) => {
  await page.locator("button[data-made]").first().click();
  const text = await page.locator("dialog[open]").innerText();
  for (const part of [model.created, model.tool_version, String(model.records), model.chips[0].product]) assert.ok(text.includes(part), `${part}: ${text}`);
  await page.locator("dialog[open] button[data-date]").first().click();
  const dates = model.rows.map((r) => r.created).sort();
  assert.ok((await page.locator("dialog[open]").innerText()).includes(dates[0]));
  await page.locator("dialog[open]").getByRole("button", { name: "Close" }).click();
  const cost = model.cost_answer.costs.find((c) => model.costs[c].notes.some((n) => n.includes("without a range")));
  assert.notEqual(cost, undefined, "the shipped rent of one chip has one source");
  assert.match(await page.locator(`#answer button[data-note="${cost}"]`).first().innerText(), /one source without a range/);
});

report("notes of charts name the records that their numbers are of", "lang=en", async (page) => {
  const figure = page.locator("figure", { has: page.locator("#chart-clip") });
  for (const part of model.clips[0].parts) assert.ok((await figure.locator("figcaption").innerText()).includes(part.record.slice(0, 8)), part.name);
  await figure.locator("figcaption button.figure").first().click();
  assert.ok((await page.locator("dialog[open]").innerText()).includes(model.clips[0].parts[0].record));
});

report("what our own code gives as a reason is Chinese on the Chinese page", "lang=zh", async (page) => {
  assert.equal(model.rows[0].stop, "fixed");
  await page.locator("#records button.figure code").first().click();
  const text = await page.locator("dialog[open]").innerText();
  assert.ok(text.includes("步数达到上限") && !text.includes("fixed"), text);
});

report("the switch of language changes every word and no number", "lang=en", async (page) => {
  const numbers = () => page.locator("button.figure[data-figure]").evaluateAll((all) => all.map((b) => b.textContent));
  const english = await numbers();
  await page.click("#switch-lang");
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
  assert.deepEqual(await numbers(), english);
  for (const heading of await page.locator("h2, h3").allInnerTexts()) {
    if (heading !== "Roofline") assert.match(heading, /[\u4e00-\u9fff]/, heading);
  }
  assert.match(page.url(), /lang=zh/);
  await page.click("#switch-lang");
  for (const heading of await page.locator("h2, h3").allInnerTexts()) assert.doesNotMatch(heading, /[\u4e00-\u9fff]/, heading);
});

report("the theme follows the switch and the charts with it", "lang=en&theme=light", async (page) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.click("#switch-theme");
  assert.notEqual(await ground(), light);
  assert.match(page.url(), /theme=dark/);
});

report("what-if without a change is the C++ figure, and a change is the formula's", "lang=en", async (page) => {
  assert.ok(model.cost_answer.costs.length >= 2, "costs to compare");
  for (const i of model.cost_answer.costs) {
    const cost = model.costs[i];
    const expected = cost.per_token[cost.headline].value;
    assert.ok(Math.abs(numberIn(await page.innerText(`#per-100k-${i}`)) / (expected * 1e5) - 1) < 6e-4);
    assert.ok(Math.abs(numberIn(await page.innerText(`#per-hour-${i}`)) / cost.per_hour.value - 1) < 6e-4);
    assert.equal(await page.innerText(`#change-${i}`), "0 %");
  }
});

report("the command with a changed input agrees with the panel", "lang=en", async (page) => {
  const i = model.cost_answer.costs.find((c) => !model.costs[c].rented);
  assert.notEqual(i, undefined, "an owned chip");
  const tariffs = model.costs[i].inputs.find((x) => x.name === "tariff");
  // The same command under another tariff of the price book: its typical price goes into the panel.
  const other = join(WORK, "coast.json");
  execFileSync(ASSAY, ["report", RECORDS, "-o", other, "--tariff", "cn-coast"]);
  const coast = readModel(other).costs[i];
  const price = coast.inputs.find((x) => x.name === "tariff").value;
  assert.notEqual(price, tariffs.value);
  await page.fill(`[data-knob="tariff.${i}"]`, String(price));
  const shown = numberIn(await page.innerText(`#per-100k-${i}`));
  assert.ok(Math.abs(shown / (coast.per_token[coast.headline].value * 1e5) - 1) < 6e-4, `${shown}`);
  assert.match(page.url(), new RegExp(`w\\.tariff\\.${i}=`));
});

test("the fragment carries the what-if state to another reader", async () => {
  const i = model.cost_answer.costs[0];
  const first = await openReport(browser, file, "lang=en");
  const knob = first.page.locator(`[data-knob$=".${i}"]`).first();
  const name = await knob.getAttribute("data-knob");
  await knob.fill(String(Number(await knob.inputValue()) * 0.5));
  const [hash, value] = [await first.page.evaluate(() => location.hash), await first.page.innerText(`#per-100k-${i}`)];
  assert.match(await first.page.innerText(`#change-${i}`), /^[−+]/);
  await first.close();
  const second = await openReport(browser, file, hash.slice(1));
  assert.equal(await second.page.innerText(`#per-100k-${i}`), value);
  assert.ok(await second.page.locator(`[data-knob="${name}"]`).evaluate((e) => e.classList.contains("changed")));
  await second.page.click("#what-if-reset");
  assert.equal(await second.page.innerText(`#change-${i}`), "0 %");
  assert.deepEqual(second.faults, []);
  await second.close();
});

report("a keyboard reaches the figures, opens one and comes back", "lang=en", async (page) => {
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  const reached = [];
  for (let k = 0; k < 40; ++k) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement.dataset.figure ?? document.activeElement.id ?? ""));
    if (reached.at(-1) === "rate") break;
  }
  assert.equal(reached.at(-1), "rate", reached.join(" "));
  assert.ok(reached.includes("switch-lang"));
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("dialog[open]").count(), 1);
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.figure), "rate");
});

report("records can be filtered", "lang=en", async (page) => {
  const id = model.rows[0].id;
  await page.fill("input[type=search]", id);
  assert.equal(await page.locator("#records tbody tr").count(), 1);
  await page.fill("input[type=search]", "no such record");
  assert.equal(await page.locator("#records tbody tr").count(), 0);
});

for (const lang of ["zh", "en"]) {
  report(`a phone sees all of it without sliding sideways (${lang})`, `lang=${lang}`, async (page) => {
    await scrollThrough(page);
    const beyond = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok((await beyond()) <= 0, `${await beyond()} px too wide`);
    // A printer shrinks a page that is wider than its paper: 184 mm within the margins of A4.
    await page.setViewportSize({ width: 695, height: 900 });
    await page.emulateMedia({ media: "print" });
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    assert.ok((await beyond()) <= 0, `${await beyond()} px wider than the paper`);
  }, { viewport: { width: 390, height: 844 } });
}

test("prints to A4 with every chart on the paper", () => {
  const paper = join(WORK, "report.pdf");
  execFileSync(ASSAY, ["report", RECORDS, "-o", paper, "--lang", "zh"], { env: { ...process.env, ASSAY_CHROMIUM: CHROMIUM } });
  const pdf = readFileSync(paper, "latin1");
  assert.ok(pdf.startsWith("%PDF-"));
  const pages = [...pdf.matchAll(/\/Type\s*\/Page\b/g)].length;
  assert.ok(pages >= 4 && pages <= 40, `${pages} pages`);
  const box = pdf.match(/\/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)/);
  assert.ok(Math.abs(Number(box[1]) - 595) < 2 && Math.abs(Number(box[2]) - 842) < 2, box[0]);
});

test("draws every plot as SVG and PNG", async () => {
  const out = join(WORK, "mail.json");
  execFileSync(ASSAY, ["report", RECORDS, "-o", out, "--plots", "png"], { env: { ...process.env, ASSAY_CHROMIUM: CHROMIUM } });
  const page = await browser.newPage();
  for (const name of ["pareto", "cost", "latency", "roofline"]) {
    const svg = readFileSync(join(WORK, "mail-plots", `${name}.svg`), "utf8");
    assert.match(svg, /^<svg[^>]*width="900"/);
    // Fonts whose names stood in quotes once made every file unreadable to all but a lenient parser.
    const fault = await page.evaluate((text) => new DOMParser().parseFromString(text, "image/svg+xml").querySelector("parsererror")?.textContent ?? "", svg);
    assert.equal(fault, "", name);
    const png = readFileSync(join(WORK, "mail-plots", `${name}.png`));
    assert.equal(png.readUInt32BE(16), 1800);
    const blue = await page.evaluate(countPixels, [`data:image/png;base64,${png.toString("base64")}`, [0x00, 0x72, 0xb2]]);
    assert.ok(blue > 200, `${name}: ${blue} pixels of the first chip's colour`);
  }
  await page.close();
});

/** Pixels of a colour in a picture; runs in the browser. */
async function countPixels([url, color]) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  const data = pen.getImageData(0, 0, image.width, image.height).data;
  let count = 0;
  for (let i = 0; i < data.length; i += 4) count += color.every((c, k) => Math.abs(data[i + k] - c) < 8) ? 1 : 0;
  return count;
}

test("draws a trend for each chip of a case", () => {
  const id = model.cases[model.groups[0].case].id;
  execFileSync(ASSAY, ["trend", RECORDS, "--case", id, "--plot", join(WORK, "trend.svg")]);
  const svg = readFileSync(join(WORK, "trend-1.svg"), "utf8");
  assert.match(svg, /^<svg/);
  for (const word of [`${id} over time`, "record"]) assert.ok(svg.includes(word), word);
  assert.match(svg, /(date|time of [-0-9 to]+), UTC/); // by how far its records lie apart
});
