// Every reason and note of our own code has a Chinese form. Run by ctest: ASSAY, RECORDS and PUBLISHED (folders), WORK,
// SOURCE (the tree), PHRASES (phrases.ts as a module).
import { test } from "node:test";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { elsewhere, notes } from "./notes.mjs";
import { readModel } from "./page.mjs";

const { ASSAY, RECORDS, PUBLISHED, WORK, SOURCE, PHRASES } = process.env;
const { reasonText } = await import(PHRASES);

/** What is left in English: two words of small letters one after another. Texts of others, cases and paths aside. */
const english = (zh) => zh.replace(/<[^>]*>/g, "").match(/(?<![\w./-])[a-z]{2,} [a-z]{2,}(?![\w./-])/)?.[0] ?? (/[\u4e00-\u9fff]/.test(zh) || !/[a-z]{2,} /.test(zh) ? "" : zh);

test("every note in the list is Chinese on the Chinese page, and as it was on the English one", () => {
  const all = Object.values(notes).flat();
  const left = all.filter((note) => english(reasonText(note, "zh")) !== "" || !/[\u4e00-\u9fff]/.test(reasonText(note, "zh")));
  assert.deepEqual(left.map((note) => `${note} -> ${reasonText(note, "zh")}`), []);
  for (const note of all) assert.equal(reasonText(note, "en"), note);
});

test("the list has every sentence of the sources that make the notes", () => {
  const unlisted = [];
  for (const [file, samples] of Object.entries(notes)) {
    const code = readFileSync(join(SOURCE, file), "utf8").replace(/^\s*(#include|\/\/).*$/gm, "");
    // Adjacent literals are one; what printf fills in may be anything.
    const literals = [...code.matchAll(/"(?:[^"\\\n]|\\.)*"(?:\s*"(?:[^"\\\n]|\\.)*")*/g)].map(([all]) => all.replace(/"\s*"/g, "").slice(1, -1).replaceAll('\\"', '"'));
    for (const literal of literals) {
      if (!/[a-z]{2,} [a-z]{2,}/.test(literal) || elsewhere.some((known) => known.test(literal))) continue;
      const form = literal.split(/%[-\d.]*[a-z%]/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".+?");
      if (!samples.some((sample) => new RegExp(form.trim()).test(sample))) unlisted.push(`${file}: "${literal}"`);
    }
  }
  assert.deepEqual(unlisted, [], "no note of tests/browser/notes.mjs has these");
});

test("no note of a real report is left in English", () => {
  mkdirSync(WORK, { recursive: true });
  for (const [name, records] of [["simulated", RECORDS], ["published", PUBLISHED]]) {
    const out = join(WORK, `${name}.json`);
    execFileSync(ASSAY, ["report", records, "-o", out]);
    const model = readModel(out);
    const texts = model.rows.flatMap((r) => [r.reason, r.part, r.stop, r.status, r.energy_note, r.energy_source, ...r.causes, ...r.warnings]);
    texts.push(...model.cost_left_out, ...model.cases.map((c) => c.piece), ...model.costs.flatMap((c) => [c.missing, c.mix?.source ?? "", ...c.notes, ...(c.inputs ?? []).map((i) => i.note), ...(c.verdicts ?? []).flatMap((v) => v.waterfall.map((f) => f.meaning))]));
    texts.push(...model.context.flatMap((c) => [c.form, c.knee_time.note, c.knee_flops.note, c.largest.context === null ? c.largest.note : ""]), ...model.incomparable.filter((i) => !["basis", "tier", "case-version"].includes(i.kind)).map((i) => i.detail));
    texts.push(...model.environment.flatMap((line) => (/^(cpu_flags|os|kernel|.*driver|cpu_model|chip|mitigations|build_flags)$/.test(line.name) ? [] : line.values.flat())));
    const left = [...new Set(texts)].filter((text) => text && !text.startsWith("simulated ") && english(reasonText(text, "zh")) !== "");
    assert.deepEqual(left.map((text) => `${text} -> ${reasonText(text, "zh")}`), [], name);
  }
});
