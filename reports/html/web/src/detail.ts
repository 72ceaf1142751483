// The dialog behind every number: value, formula, inputs, record.
import { basisMark, chipLabel, numberButton, type Page } from "./context";
import { figureOf, figures } from "./definitions";
import { h } from "./dom";
import { numberText, rateText } from "./format";
import { headlineCost, type Cost, type CostInput, type Row } from "./model";
import { classText, factorText, inputText } from "./cost_charts";
import type { CostPart } from "./chart_def";
import { groupOf, rowOfRecord } from "./lookup";
import { reasonText, someReasons } from "./phrases";
import { factText } from "./facts";
import { basisText, T } from "./text";

export const pairs = (rows: [string, string | Node][]): HTMLElement =>
  h("dl", { class: "pairs" }, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

export function show(page: Page, heading: string, body: (HTMLElement | null)[]): void {
  document.querySelector("dialog")?.remove();
  const close = (): void => dialog.close();
  const dialog: HTMLDialogElement = h(
    "dialog",
    { "aria-labelledby": "dialog-heading", click: (e) => e.target === dialog && close() },
    h("div", { class: "dialog-body" }, h("h2", { id: "dialog-heading" }, heading), body, h("button", { type: "button", class: "plain", autofocus: true, click: close }, page.say(T.d_close))),
  );
  const before = document.activeElement as HTMLElement | null;
  dialog.addEventListener("close", () => {
    dialog.remove();
    before?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}

function recordPairs(page: Page, row: Row): [string, string | Node][] {
  const c = page.model.cases[row.case];
  return [
    [page.say(T.chip), chipLabel(page, row.chip)],
    [page.say(T.c_case), c.id],
    [page.say(T.c_basis), basisMark(page, row.basis)],
    [page.say(T.d_record), h("code", {}, row.id)],
    [page.say(T.d_created), row.created],
  ];
}

export function openFigure(page: Page, id: string, row: Row): void {
  const figure = figureOf(id);
  const c = page.model.cases[row.case];
  const interval = figure.interval?.(row) ?? null;
  const raw = figure.raw(row);
  show(page, page.say(figure.name), [
    h("p", { class: "dialog-value" }, figure.text(row) ?? "–", interval ? h("span", { class: "interval" }, ` ${interval}`) : null),
    h("p", { class: "raw" }, raw === null ? "" : `= ${raw}`),
    h("p", {}, page.say(figure.meaning)),
    pairs([
      [page.say(T.d_formula), h("code", {}, figure.formula)],
      ...figure.inputs(row, c).map(([name, value]): [string, string] => [page.say(name), reasonText(value, page.state.lang)]),
      ...recordPairs(page, row),
    ]),
    h("p", { class: "note" }, page.say(T.d_file)),
    h("button", { type: "button", class: "plain", click: () => openRecord(page, row) }, page.say(T.d_all)),
  ]);
}

/** A cost with its classes, and each input with its source. */
export function openCost(page: Page, index: number): void {
  const { model, say } = page;
  const cost = model.costs[index];
  const amount = headlineCost(cost);
  const unit = (v: number | null, per: number): string => (v === null ? "–" : numberText(v * per, 4));
  const classRows = cost.per_token.map((a, i): [string, string] => [
    say(classText(cost.classes[i])),
    a.value === null ? reasonText(a.reason, page.state.lang) : `${unit(a.value, 1e5)} (${unit(a.low, 1e5)}–${unit(a.high, 1e5)}) · ${unit(a.value, 1e6)} ${say(T.per_1m)}`,
  ]);
  show(page, say(T.named, { name: say(T.m_cost), of: chipLabel(page, cost.chip) }), [
    h("p", { class: "dialog-value" }, unit(amount.value, 1e5), h("span", { class: "interval" }, ` ${say(T.per_100k)}`)),
    h("p", { class: "raw" }, `= ${amount.value} CNY/token`),
    pairs([
      ...classRows,
      [say(T.d_formula), h("code", {}, costFormula(cost))],
      [say(T.monte_carlo), `${cost.draws}, seed ${cost.seed}`],
      [say(T.c_case), ([[cost.input_case, cost.input_cases], [cost.output_case, cost.output_cases]] as const).filter(([taken]) => taken !== "").map(([taken, of]) => (of > 1 ? `${taken} (${say(T.fastest_of, { count: of })})` : taken)).join(", ")],
      [say(T.mix), `${[cost.mix.cached, cost.mix.input, cost.mix.output].map((x) => numberText(x)).join(" : ")} (${reasonText(cost.mix.source, page.state.lang)})`],
    ]),
    ...cost.notes.map((n) => h("p", { class: "note" }, `${say(T.caution)}${page.state.lang === "zh" ? "" : " "}${reasonText(n, page.state.lang)}`)),
    h("h3", {}, say(T.cost_inputs)),
    costInputsTable(page, cost),
    recordButtons(page, cost),
  ]);
}

export const costFormula = (cost: Cost): string => (cost.rented ? "rent / u / 3600 · s/token" : "([CRF·(P·m − S) + opex] / (8760·u) + kW·PUE·tariff) / 3600 · s/token");

export const recordButtons = (page: Page, cost: Cost): HTMLElement =>
  h("p", {}, page.say(T.d_record), " ", cost.rows.map((r) => h("button", { type: "button", class: "plain", click: () => openRecord(page, page.model.rows[r]) }, page.model.rows[r].id.slice(0, 8))));

/** One bar of the tornado, or one factor of the waterfall: what it is made of. */
export function openPart(page: Page, part: CostPart): void {
  if (part.kind === "whole") return openCost(page, part.cost);
  const { model, say } = page;
  const cost = model.costs[part.cost];
  const per = (v: number | null): string => (v === null ? "–" : `${numberText(v * 1e5, 4)} ${say(T.per_100k)}`);
  const own = part.kind === "input" ? cost.inputs.find((i) => i.name === part.name)?.basis : cost.verdicts[0]?.waterfall.find((f) => f.name === part.name)?.basis;
  const basis = own || cost.basis;
  const rows = part.kind === "input" ? inputRows(page, cost, part.name ?? "", per) : factorRows(page, cost, part.name ?? "", per);
  show(page, say(T.named, { name: say((part.kind === "input" ? inputText : factorText)(part.name ?? "")), of: chipLabel(page, cost.chip) }), [
    pairs([...rows, [say(T.c_basis), basisMark(page, basis)]]),
    recordButtons(page, cost),
    h("button", { type: "button", class: "plain", click: () => openCost(page, part.cost) }, say(T.cost_inputs)),
  ]);
}

type Per = (v: number | null) => string;

function inputRows(page: Page, cost: Cost, name: string, per: Per): [string, string | Node][] {
  const { say } = page;
  const input = cost.inputs.find((i) => i.name === name);
  const moved = cost.tornado.find((t) => t.input === name);
  if (!input) return [];
  const value = (v: number | null): string => (v === null ? say(T.confidential) : numberText(v, 4));
  const ends: [string, string][] = moved
    ? [
        [say(T.d_at_low, { value: value(input.low) }), per(moved.at_low)],
        [say(T.d_at_high, { value: value(input.high) }), per(moved.at_high)],
      ]
    : [[say(T.c_range), input.low === input.high ? say(T.d_no_range) : `${value(input.low)} – ${value(input.high)}`]];
  return [
    [say(T.d_value), value(input.value)],
    ...ends,
    [say(T.m_cost), per(headlineCost(cost).value)],
    [say(T.d_formula), h("code", {}, costFormula(cost))],
    ["", say(moved ? T.d_others : T.d_unmoved)],
    [say(T.c_source), h("span", {}, withRecords(page, sourceText(page, input)))],
  ];
}

function factorRows(page: Page, cost: Cost, name: string, per: Per): [string, string | Node][] {
  const { model, say } = page;
  const verdict = cost.verdicts[0];
  const factors = verdict?.waterfall.filter((f) => f.factor !== null) ?? [];
  const at = factors.findIndex((f) => f.name === name);
  if (at < 0) return [];
  const target = model.targets[verdict.target];
  const before = factors.slice(0, at).reduce((product, f) => product * (f.factor as number), target.cny_per_token);
  const factor = factors[at].factor as number;
  return [
    [say(T.d_value), `× ${numberText(factor, 4)} = ${factor}`],
    [say(T.d_before), per(before)],
    [say(T.d_after), per(before * factor)],
    [say(T.d_formula), reasonText(factors[at].meaning, page.state.lang)],
    [say(T.target, { target: reasonText(target.text, page.state.lang) }), per(target.cny_per_token)],
    [say(T.m_cost), per(headlineCost(cost).value)],
  ];
}

/** A fact of the environment on one chip: each value with the record that states it. */
export function openFact(page: Page, fact: number, chip: number): void {
  const { model, say } = page;
  const line = model.environment[fact];
  const record = (id: string): Node => {
    const row = rowOfRecord(model, id);
    return row ? h("button", { type: "button", class: "plain", click: () => openRecord(page, row) }, id.slice(0, 8)) : h("code", {}, id);
  };
  show(page, say(T.named, { name: say(factText(line.name)), of: chipLabel(page, chip) }), [
    h("p", { class: "note" }, say(T.d_fact)),
    h(
      "table",
      { class: "inputs" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, say(T.d_value)), h("th", { scope: "col" }, say(T.d_record)))),
      h("tbody", {}, line.values[chip].map((v, i) => h("tr", {}, h("td", {}, reasonText(v, page.state.lang) || "–"), h("td", {}, record(line.records[chip][i]))))),
    ),
  ]);
}

// As a rate's source names its record; eight digits elsewhere are none.
const recordName = /(\brecord |记录 )([0-9a-f]{8})\b/;
const rowNamed = (page: Page, name: string | undefined): Row | undefined => (name ? page.model.rows.find((r) => r.id.startsWith(name)) : undefined);

/** A text whose names of records open them. */
function withRecords(page: Page, text: string): (string | Node)[] {
  return text.split(recordName).map((part, i) => {
    const row = i % 3 === 2 ? rowNamed(page, part) : undefined;
    return row ? h("button", { type: "button", class: "figure", "data-record": part, click: () => openRecord(page, row) }, h("code", {}, part)) : part;
  });
}

/** An input's figure opens to the rate of its record, or to how it moves the cost. */
function inputFigure(page: Page, cost: Cost, input: CostInput, text: string): Node {
  const row = rowNamed(page, recordName.exec(input.source)?.[2]);
  const attributes = { "data-input": input.name };
  if (row && row.rate === input.value) return numberButton(text, () => openFigure(page, "rate", row), attributes);
  return numberButton(text, () => openPart(page, { cost: page.model.costs.indexOf(cost), kind: "input", name: input.name }), attributes);
}

/** Where an amount is from, and since when; a source is cited as it names itself. */
const sourceText = (page: Page, i: CostInput): string =>
  [reasonText(i.source, page.state.lang), i.date, reasonText(i.note, page.state.lang)].filter(Boolean).join(page.state.lang === "zh" ? "；" : "; ");

export function costInputsTable(page: Page, cost: Cost): HTMLElement {
  const { say } = page;
  const number = (v: number | null): string => (v === null ? say(T.confidential) : numberText(v, 4));
  const heads = [T.item, T.d_value, T.c_range, T.c_basis, T.c_source];
  const row = (i: CostInput): HTMLElement =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, say(inputText(i.name))),
      h("td", { class: "number" }, inputFigure(page, cost, i, number(i.value))),
      h("td", { class: "number" }, i.low === i.high ? "" : inputFigure(page, cost, i, `${number(i.low)} – ${number(i.high)}`)),
      h("td", {}, [say(basisText(i.basis)), i.grade].filter(Boolean).join(" · ")),
      h("td", {}, withRecords(page, sourceText(page, i))),
    );
  return h("div", { class: "scroll", tabindex: 0 }, h("table", { class: "inputs" }, h("thead", {}, h("tr", {}, heads.map((t) => h("th", { scope: "col" }, say(t))))), h("tbody", {}, cost.inputs.map(row))), h("p", { class: "note" }, say(T.grades)));
}

export function openRecord(page: Page, row: Row): void {
  const group = groupOf(page.model, row);
  const { piece } = page.model.cases[row.case];
  const part: [string, string][] = [piece, row.part].filter(Boolean).map((text) => [page.say(T.d_part), reasonText(text, page.state.lang)]);
  if (row.part !== "" && row.projected_rate !== null) part.push([page.say(T.d_projected), rateText(row.projected_rate, null, null, row.unit)]);
  const rest: [string, string | Node][] = [
    ...part,
    ...figures.flatMap((f): [string, string][] => {
      const text = f.text(row);
      const interval = f.interval?.(row) ?? null;
      return text === null ? [] : [[page.say(f.name), interval ? `${text}  (${interval})` : text]];
    }),
    [page.say(T.c_steps), String(row.steps)],
    [page.say(T.d_executed), row.executed ? h("code", {}, row.executed) : "–"],
    [page.say(T.d_stop), reasonText(row.stop, page.state.lang)],
  ];
  if (row.causes.length > 0) rest.push([page.say(T.d_disturbed), someReasons(row.causes, row.causes.length, page.state.lang)]);
  if (row.reason) rest.push([reasonText(row.status, page.state.lang), reasonText(row.reason, page.state.lang)]);
  for (const warning of row.warnings) rest.push([page.say(T.caution), reasonText(warning, page.state.lang)]);
  const spread =
    group && group.records > 1 && group.rate_min !== null && group.rate_max !== null
      ? page.say(T.d_group, { count: group.records, low: rateText(group.rate_min, null, null, row.unit, false), high: rateText(group.rate_max, null, null, row.unit) })
      : null;
  show(page, page.model.cases[row.case].id, [pairs([...recordPairs(page, row), ...rest]), spread ? h("p", { class: "note" }, spread) : null]);
}
