// Environment differences, all records, methods.
import { basisMark, chipLabel, figureButton, numberButton, optionsMark, partMark, pieceMark, wholeRate, type Page } from "./context";
import { figures } from "./definitions";
import { h } from "./dom";
import { intervalText, timeText } from "./format";
import type { Row } from "./model";
import { reasonText } from "./phrases";
import { factText } from "./facts";
import { T, type Text } from "./text";

/** A fact by its name in words, with the record's own field below where the two differ. */
function factName(page: Page, name: string): Node[] {
  const field = h("code", {}, name);
  const text = page.say(factText(name));
  return text === name ? [field] : [document.createTextNode(text), h("div", {}, field)];
}

export function environmentTable(page: Page): HTMLElement {
  const { model } = page;
  if (model.environment.length === 0) {
    const imported = model.rows.filter((r) => r.basis === "reported").length;
    return h("p", {}, page.say(imported === 0 ? T.environment_same : imported < model.rows.length ? T.environment_same_here : T.environment_unknown));
  }
  // What others report says nothing of the machine.
  const chips = model.chips.map((_, i) => i).filter((i) => model.environment.some((line) => line.values[i].length > 0));
  const cell = (fact: number, chip: number): HTMLElement => {
    const values = model.environment[fact].values[chip];
    if (values.length === 0) return h("td", {}, "–");
    const texts = values.map((v) => reasonText(v, page.state.lang) || "–");
    const text = texts.length > 3 ? page.say(T.values_n, { count: texts.length, values: `${texts.slice(0, 2).join("; ")}…` }) : texts.join("; ");
    return h("td", {}, h("button", { type: "button", class: "figure", "data-fact": model.environment[fact].name, title: texts.length > 3 ? texts.join("\n") : null, click: () => page.openFact(fact, chip) }, text));
  };
  return h(
    "div",
    { class: "scroll", tabindex: 0 },
    h("p", { class: "note" }, page.say(T.environment_note)),
    h(
      "table",
      { class: "environment" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, page.say(T.item)), chips.map((i) => h("th", { scope: "col" }, chipLabel(page, i))))),
      h("tbody", {}, model.environment.map((line, fact) => h("tr", {}, h("th", { scope: "row" }, factName(page, line.name)), chips.map((chip) => cell(fact, chip))))),
    ),
  );
}

const pageSize = 50;

/** Whether several records are of one case and chip, so that each must say when it was made. */
function needDates(rows: Row[]): boolean {
  const known = new Set<string>();
  return rows.some((r) => r.created !== "" && known.size === known.add(`${r.chip} ${r.case}`).size);
}

/** "2026-11-26 03:12" */
const minuteText = (created: string): string => created.slice(0, 16).replace("T", " ") || "–";

function recordRow(page: Page, row: Row, dated: boolean): HTMLElement {
  const label = (text: Text): string => page.say(text);
  const number = (id: string, name: Text, text?: string): HTMLElement => h("td", { class: "number", "data-label": label(name) }, figureButton(page, id, row, text));
  const p99 = row.p99_ns === null ? undefined : timeText(row.p99_ns) + (row.p99_high_ns === null ? "?" : "");
  return h(
    "tr",
    { class: row.status === "ok" ? null : "not-ok" },
    h("td", {}, chipLabel(page, row.chip)),
    h("td", {}, page.model.cases[row.case].id, row.disturbed ? h("span", { class: "disturbed", title: row.causes.map((c) => reasonText(c, page.state.lang)).join("; ") }, " *") : null, pieceMark(page, row), partMark(page, row), optionsMark(page, row), wholeRate(page, row)),
    dated ? h("td", { class: "date", "data-label": label(T.c_date) }, minuteText(row.created)) : null,
    row.rate === null ? h("td", { class: "number", title: reasonText(row.reason, page.state.lang), "data-label": label(T.c_rate) }, numberButton(row.status === "ok" ? label(T.no_rate) : reasonText(row.status, page.state.lang), () => page.openRecord(row))) : h("td", { class: "number", "data-label": label(T.c_rate) }, figureButton(page, "rate", row), h("div", { class: "interval" }, row.rate_low === null || row.rate_high === null ? label(T.no_interval) : intervalText(row.rate as number, row.rate_low, row.rate_high, row.unit))),
    number("p50", T.c_p50),
    number("p99", T.c_p99, p99),
    number("mfu", T.c_mfu),
    number("mbu", T.c_mbu),
    number("energy", T.c_energy),
    h("td", { class: "number", "data-label": label(T.c_steps) }, row.basis === "reported" && row.steps === 0 ? "–" : numberButton(String(row.steps), () => page.openRecord(row))),
    h("td", { "data-label": label(T.c_basis) }, basisMark(page, row.basis)),
    h("td", { "data-label": label(T.c_record) }, h("button", { type: "button", class: "figure", click: () => page.openRecord(row) }, h("code", {}, row.id.slice(0, 8)))),
  );
}

/** Rows a page at a time, with a filter that keeps the focus while one types. */
export function recordsTable(page: Page): HTMLElement {
  const { model } = page;
  const sorted = [...model.rows].sort((a, b) => model.cases[a.case].id.localeCompare(model.cases[b.case].id) || a.chip - b.chip || b.created.localeCompare(a.created));
  const body = h("tbody");
  const count = h("span", { class: "note", "aria-live": "polite" });
  const dated = needDates(model.rows);
  let first = 0;
  let filter = "";
  const matching = (): Row[] =>
    sorted.filter((r) => `${model.cases[r.case].id} ${chipLabel(page, r.chip)} ${r.id} ${r.basis} ${r.status} ${r.options}`.toLowerCase().includes(filter));
  const fill = (): void => {
    const rows = matching();
    first = Math.max(0, Math.min(first, Math.floor((rows.length - 1) / pageSize) * pageSize));
    body.replaceChildren(...rows.slice(first, first + pageSize).map((r) => recordRow(page, r, dated)));
    const last = Math.min(first + pageSize, rows.length);
    count.textContent = page.say(T.records_count, { shown: rows.length === 0 ? 0 : `${first + 1}–${last}`, all: rows.length });
  };
  const turn = (by: number) => (): void => {
    first += by;
    fill();
  };
  const search = h("input", {
    type: "search",
    "aria-label": page.say(T.records_search),
    placeholder: page.say(T.records_search),
    input: (e) => {
      filter = (e.target as HTMLInputElement).value.toLowerCase();
      first = 0;
      fill();
    },
  });
  fill();
  const old = [...new Set(model.cases.map((c) => c.dtype))].filter((d) => d.endsWith("-f32"));
  const paged = sorted.length > pageSize;
  const heads = [T.chip, T.c_case, ...(dated ? [T.c_date] : []), T.c_rate, T.c_p50, T.c_p99, T.c_mfu, T.c_mbu, T.c_energy, T.c_steps, T.c_basis, T.c_record];
  return h(
    "div",
    {},
    h("div", { class: "controls no-print" }, search, count, paged ? h("button", { type: "button", class: "plain", click: turn(-pageSize) }, page.say(T.page_prev)) : null, paged ? h("button", { type: "button", class: "plain", click: turn(pageSize) }, page.say(T.page_next)) : null),
    h("div", { class: "scroll", tabindex: 0 }, h("table", { class: "records cards" }, h("thead", {}, h("tr", {}, heads.map((t) => h("th", { scope: "col" }, page.say(t))))), body)),
    old.map((dtype) => h("p", { class: "note" }, page.say(T.old_int8, { dtype, now: dtype.slice(0, -"-f32".length) }))),
  );
}

export function methodsList(page: Page): HTMLElement {
  return h(
    "div",
    {},
    h("p", { class: "note" }, page.say(T.methods_note)),
    h("p", {}, page.say(T.words_basis)),
    h("dl", { class: "methods" }, figures.flatMap((f) => [h("dt", {}, page.say(f.name), " ", h("code", {}, f.formula)), h("dd", {}, page.say(f.meaning))])),
  );
}
