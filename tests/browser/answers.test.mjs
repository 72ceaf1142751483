// What a report says of records that are not alike: options of the adapter, pieces, models of several sizes. Run by
// ctest: ASSAY (the command), RECORDS, TUNED (folders: the same cases with an option of the adapter), PUBLISHED, WORK
// (folders), CHROMIUM.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openReport, readModel, startBrowser } from "./page.mjs";

const { ASSAY, RECORDS, TUNED, PUBLISHED, WORK, CHROMIUM } = process.env;
let browser;

before(async () => {
  mkdirSync(WORK, { recursive: true });
  browser = await startBrowser(CHROMIUM);
});
after(() => browser?.close());

test("a point of a curve opens its own record where a chip ran with several options", async () => {
  const both = join(WORK, "options.html");
  execFileSync(ASSAY, ["report", RECORDS, TUNED, "-o", both, "--json"]);
  const { rows, context } = readModel(join(WORK, "options.json"));
  for (const c of context) {
    for (const p of c.points) assert.equal(rows.find((r) => r.id === p.record).options, c.options);
  }
  const { page, close } = await openReport(browser, both, "lang=en");
  const figure = page.locator("figure", { has: page.locator("#chart-context") });
  await figure.locator("summary").click();
  const lines = await figure.locator("tbody tr").evaluateAll((all) => all.map((tr) => [...tr.cells].map((td) => td.innerText)));
  const points = lines.filter(([, , , record]) => record !== "");
  for (const wanted of ["", "products=own"]) {
    const of = points.filter(([name]) => name.includes("products=own") === (wanted !== ""));
    assert.ok(of.length >= 9, `${of.length} points with "${wanted}": three contexts on three chips`);
    for (const [name, , , record] of of) assert.equal(rows.find((r) => r.id.startsWith(record)).options, wanted, name);
  }
  const first = figure.locator("tbody tr", { hasText: "products=own" }).locator("button.figure").first();
  const id = await first.innerText();
  await first.click();
  const text = await page.locator("dialog[open]").innerText();
  assert.ok(text.includes(id) && text.includes("products=own"), text);
  await close();
});

test("a report of chunks alone says that it is of chunks, and why they have no cost", async () => {
  const folder = join(PUBLISHED, "2026-11-26-h200");
  const chunks = readdirSync(folder).filter((name) => /^long-context_prefill_.*_c\d+-/.test(name));
  assert.equal(chunks.length, 2);
  const out = join(WORK, "chunks.html");
  execFileSync(ASSAY, ["report", ...chunks.map((name) => join(folder, name)), "-o", out]);
  const { page, close } = await openReport(browser, out, "lang=en");
  const answer = await page.locator("#answer").innerText();
  assert.match(answer, /of a chunk of 512 tokens of a prompt, behind 4096, measured apart: no figure of a whole prompt/);
  assert.match(answer, /No cost: .*a chunk behind a context is no prompt and not priced/);
  assert.match(answer, /chunk of a prompt behind a context, .* not priced: 2/);
  assert.match(await page.locator("#records tbody").innerText(), /chunk of 512 tokens of a prompt, behind 16384/);
  const beyond = await page.locator("#answer").evaluate((box) => box.querySelector("table").getBoundingClientRect().right - box.getBoundingClientRect().right);
  assert.ok(beyond <= 0, `the table of the first screen is ${beyond} px too wide`);
  await page.click("#switch-lang");
  assert.doesNotMatch(await page.locator("#answer").innerText(), /chunk/);
  await close();
});

test("the headline's cost is of the largest model measured whole, and names it, its cases and what was compared", async () => {
  const out = join(WORK, "headline.html");
  const rent = [{ value: 13.2, currency: "CNY", date: "2026", source: "an offer", grade: "V" }];
  const book = { schema_version: 1, name: "mine", date: "2026-11", chips: [{ id: "h200", rent_per_hour: rent }, { id: "epyc", aliases: ["AMD EPYC"], rent_per_hour: rent }] };
  writeFileSync(join(WORK, "mine.json"), JSON.stringify(book));
  execFileSync(ASSAY, ["report", join(PUBLISHED, "2026-11-26-epyc-2cpu"), join(PUBLISHED, "2026-11-26-h200"), "-o", out, "--prices", join(WORK, "mine.json"), "--rented"]);
  const { page, faults, close } = await openReport(browser, out, "lang=en");
  // Both chips ran SmolLM2-135M and Qwen2.5-0.5B, no more than a sixteenth of the Llama-3.1-8B that only one ran.
  assert.match(await page.locator("#answer .statement").innerText(), /On llama-3\.1-8b bf16 NVIDIA H200 costs/);
  assert.match(await page.locator("#answer .lead").innerText(), /decode\/llama-3\.1-8b\/bf16\/b64\/c4096, prefill\/llama-3\.1-8b\/bf16\/b1\/t8192/);
  const text = await page.locator("#answer").innerText();
  assert.match(text, /Compared on qwen2\.5-0\.5b f32, blended tokens, CNY per 100K: NVIDIA H200 .*; AMD EPYC /);
  assert.match(text, /at least a tenth of the parameters of the largest one measured whole/);
  assert.equal(await page.locator("#chart-cost, #chart-cost-compared").count(), 2);
  assert.match(await page.locator(".what-if thead").innerText(), /AMD EPYC .*qwen2\.5-0\.5b f32/);
  assert.deepEqual(faults, []);
  await close();
});
