// Others' results beside measured ones, in a real browser. Run by ctest: ASSAY (the command), PUBLISHED (records), SOURCE
// (the tree), WORK (folder), CHROMIUM.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { numberIn, openReport, readModel, startBrowser } from "./page.mjs";

const { ASSAY, PUBLISHED, SOURCE, WORK, CHROMIUM } = process.env;
let browser;

before(async () => {
  mkdirSync(WORK, { recursive: true });
  browser = await startBrowser(CHROMIUM);
});
after(() => browser?.close());

test("a measured cost stands beside an import of the same product, and each chip's name says which", async () => {
  const source = join(SOURCE, "tests/golden/import/llama_bench.json");
  const bench = JSON.parse(readFileSync(source, "utf8")).map((r) => ({ ...r, gpu_info: "NVIDIA H200" }));
  writeFileSync(join(WORK, "bench.json"), JSON.stringify(bench));
  execFileSync(ASSAY, ["import", join(WORK, "bench.json"), "--out", join(WORK, "imported")]);
  const of = join(WORK, "beside.html");
  execFileSync(ASSAY, ["report", join(WORK, "imported"), join(PUBLISHED, "2026-11-26-h200"), "-o", of, "--json", "--md"]);
  const beside = readModel(join(WORK, "beside.json"));
  const { page, faults, close } = await openReport(browser, of, `lang=en&case=${encodeURIComponent("decode/llama-3.1-8b/bf16/b64/c4096")}`);
  const row = page.locator("#answer .headline tbody tr");
  const [name, cost] = [await row.locator("th").innerText(), await row.locator("button[data-cost]").innerText()];
  await close();
  assert.deepEqual(faults, []);
  assert.match(name, /^NVIDIA H200 \(cuda\)/);
  const priced = beside.costs.find((c) => c.model === "llama-3.1-8b");
  assert.ok(Math.abs(numberIn(cost) / (priced.per_token[priced.headline].value * 1e5) - 1) < 6e-3, cost);
  const markdown = readFileSync(join(WORK, "beside.md"), "utf8");
  for (const chip of ["NVIDIA H200 (cuda)", "NVIDIA H200 (imported)"]) assert.ok(markdown.includes(`| ${chip} |`), chip);
});

test("beside a part's rate stand the whole model's and, marked as projected, its cost", async () => {
  const of = join(WORK, "part.html");
  execFileSync(ASSAY, ["report", join(PUBLISHED, "2026-11-26-h200"), "-o", of, "--json"]);
  const model = readModel(join(WORK, "part.json"));
  const id = "long-context/prefill/qwen2.5-0.5b/f32/b1/t512";
  const { page, faults, close } = await openReport(browser, of, `lang=en&case=${encodeURIComponent(id)}`);
  const text = await page.locator("#answer .headline tbody tr").innerText();
  await close();
  assert.deepEqual(faults, []);
  const row = model.rows.find((r) => model.cases[r.case].id === id);
  assert.match(text, /2\/24 layers/);
  assert.ok(Math.abs(numberIn(/projected\)? ([\d,.]+) tokens\/s/.exec(text)[1]) / row.projected_rate - 1) < 1e-3, text);
  assert.match(text, /rented\s*▲ projected/);
});

// Of imports no environment is known: they share none.
test("the section of environments claims nothing of imported records", async () => {
  const said = async (name, places, lang) => {
    const of = join(WORK, `${name}.html`);
    execFileSync(ASSAY, ["report", ...places, "-o", of]);
    const { page, close } = await openReport(browser, of, `lang=${lang}`);
    const text = await page.innerText("#environment");
    await close();
    return text;
  };
  execFileSync(ASSAY, ["import", join(SOURCE, "tests/golden/import/llama_bench.json"), "--out", join(WORK, "imports")]);
  const folder = join(PUBLISHED, "2026-11-26-h200");
  const one = join(folder, readdirSync(folder).find((name) => name.startsWith("decode_llama-3.1-8b_bf16_b64")));
  assert.match(await said("alone", [one], "en"), /All runs share one environment\./);
  assert.match(await said("imports", [join(WORK, "imports")], "en"), /Of imported records no environment is stated/);
  assert.match(await said("both", [one, join(WORK, "imports")], "en"), /All runs that were measured or simulated share one environment; of the imported ones none is stated/);
  assert.match(await said("both", [one, join(WORK, "imports")], "zh"), /导入的记录未说明其环境/);
});
