// Dialogs behind the figures of sentences and of the what-if panel.
import { basisMark, chipLabel, numberButton, type Page } from "./context";
import { factorText, inputText } from "./cost_charts";
import { costFormula, openCost, openRecord, pairs, recordButtons, show } from "./detail";
import { h } from "./dom";
import { numberText, percentText, probabilityText, rateText } from "./format";
import { headlineCost, type Cost, type Row } from "./model";
import { costPerHour, costPerToken, electricityPerHour, paid, pointOf, secondsPerToken, type Point } from "./money";
import { reasonText } from "./phrases";
import { T, type Text } from "./text";

type Pairs = [string, string | Node][];

const rowButton = (page: Page, row: Row): HTMLElement => h("button", { type: "button", class: "plain", click: () => openRecord(page, row) }, row.id.slice(0, 8));

/** How many times the target the cost is, and the factors between. */
export function openVerdict(page: Page, index: number, at: number): void {
  const { model, say } = page;
  const cost = model.costs[index];
  const verdict = cost.verdicts[at];
  const target = model.targets[verdict.target];
  const per = (v: number | null): string => (v === null ? "–" : `${numberText(v * 1e5, 4)} ${say(T.per_100k)}`);
  const bounds = verdict.gap_low === null || verdict.gap_high === null ? say(T.no_interval) : `${numberText(verdict.gap_low)} – ${numberText(verdict.gap_high)}`;
  const factors: Pairs = verdict.waterfall.map((f) => [say(factorText(f.name)), f.factor === null ? "–" : h("span", {}, `× ${numberText(f.factor, 4)} `, f.basis ? basisMark(page, f.basis) : null)]);
  show(page, say(T.named, { name: say(T.target, { target: reasonText(target.text, page.state.lang) }), of: chipLabel(page, cost.chip) }), [
    h("p", { class: "dialog-value" }, verdict.gap === null ? "–" : `× ${numberText(verdict.gap, 4)}`, h("span", { class: "interval" }, ` ${bounds}`)),
    h("p", { class: "raw" }, verdict.gap === null ? "" : `= ${verdict.gap}`),
    pairs([
      [say(T.d_formula), h("code", {}, `${say(T.d_actual)} / ${say(T.target, { target: "" }).trim()}`)],
      [say(T.d_actual), per(headlineCost(cost).value)],
      [say(T.target, { target: "" }).trim(), per(target.cny_per_token)],
      ...factors,
      [say(T.c_basis), basisMark(page, cost.basis)],
    ]),
    recordButtons(page, cost),
    h("button", { type: "button", class: "plain", click: () => openCost(page, index) }, say(T.cost_inputs)),
  ]);
}

/** One rate over another's. */
export function openRatio(page: Page, row: Row, other: Row): void {
  const { say } = page;
  const ratio = (row.rate as number) / (other.rate as number);
  const bounds = [row.rate_low, other.rate_high, row.rate_high, other.rate_low].some((v) => v === null)
    ? say(T.no_interval)
    : `${numberText((row.rate_low as number) / (other.rate_high as number))} – ${numberText((row.rate_high as number) / (other.rate_low as number))}`;
  const side = (r: Row): [string, Node] => [chipLabel(page, r.chip), h("span", {}, rateText(r.rate as number, r.rate_low, r.rate_high, r.unit), ` (${r.rate_low ?? "–"} – ${r.rate_high ?? "–"}) `, basisMark(page, r.basis), " ", rowButton(page, r))];
  show(page, say(T.named, { name: say(T.d_ratio), of: `${chipLabel(page, row.chip)} / ${chipLabel(page, other.chip)}` }), [
    h("p", { class: "dialog-value" }, numberText(ratio, 4), h("span", { class: "interval" }, ` ${bounds}`)),
    h("p", { class: "raw" }, `= ${ratio}`),
    pairs([[say(T.d_formula), h("code", {}, "a / b; a.low / b.high – a.high / b.low")], side(row), side(other), [say(T.c_case), page.model.cases[row.case].id]]),
  ]);
}

/** How likely the cheapest costs less than another: of which draws, and of which two costs. */
export function openProbability(page: Page, at: number): void {
  const { model, say } = page;
  const answer = model.cost_answer;
  const [first, other] = [model.costs[answer.costs[0]], model.costs[answer.costs[at]]];
  const p = answer.probabilities[at - 1];
  if (p === null) return;
  const side = (cost: Cost): [string, Node] => [
    chipLabel(page, cost.chip),
    h("span", {}, numberButton(`${numberText((headlineCost(cost).value as number) * 1e5, 4)} ${say(T.per_100k)}`, () => openCost(page, model.costs.indexOf(cost))), " ", basisMark(page, cost.basis), " ", recordButtons(page, cost)),
  ];
  show(page, say(T.named, { name: say(T.d_probability), of: `${chipLabel(page, first.chip)} < ${chipLabel(page, other.chip)}` }), [
    h("p", { class: "dialog-value" }, probabilityText(p)),
    h("p", { class: "raw" }, p.low === p.high ? `= ${p.low}` : `= ${p.low} – ${p.high}`),
    p.low === p.high ? null : h("p", { class: "note" }, say(T.d_within_step)),
    pairs([[say(T.d_formula), h("code", {}, `n(a < b) / ${first.draws}`)], ["", say(T.d_drawn_together, { seed: first.seed, from: percentText(answer.decided_from) })], side(first), side(other)]),
  ]);
}

/** What the header says of the report: when and by what it was made, of which records, on which chips. */
export function openMade(page: Page): void {
  const { model, say } = page;
  const dated = model.rows.filter((r) => r.created !== "").sort((a, b) => a.created.localeCompare(b.created));
  const date = (row: Row): HTMLElement => numberButton(row.created, () => openRecord(page, row), { "data-date": row.index });
  const span = dated.length === 0 ? "–" : h("span", {}, date(dated[0]), " – ", date(dated[dated.length - 1]));
  const chip = (at: number): HTMLElement => {
    const c = model.chips[at];
    const row = h("tr", {}, h("th", { scope: "row" }, chipLabel(page, at)), h("td", {}, c.adapter || "–"), h("td", {}, c.driver || "–"));
    row.append(h("td", {}, numberButton(String(c.records), () => openRows(page, model.rows.filter((r) => r.chip === at)))));
    return row;
  };
  show(page, say(T.d_made), [
    pairs([
      [say(T.d_version), `assay ${model.tool_version} (${model.tool_commit || "–"})`],
      [say(T.d_made_at), model.created],
      [say(T.nav_records), String(model.records)],
      [say(T.d_listed), numberButton(String(model.rows.length), () => openRows(page, model.rows))],
      [say(T.d_span), span],
    ]),
    h(
      "table",
      { class: "inputs" },
      h("thead", {}, h("tr", {}, [T.chip, T.d_vendor, T.d_driver, T.nav_records].map((t) => h("th", { scope: "col" }, say(t))))),
      h("tbody", {}, model.chips.map((_, at) => chip(at))),
    ),
    h("button", { type: "button", class: "plain", click: () => openRows(page, model.rows) }, say(T.d_all_records)),
  ]);
}

/** Several records, one line each. */
export function openRows(page: Page, rows: Row[]): void {
  const { model, say } = page;
  const line = (r: Row): HTMLElement => h("tr", {}, h("td", {}, chipLabel(page, r.chip)), h("td", {}, model.cases[r.case].id), h("td", {}, rowButton(page, r)));
  const shown = rows.slice(0, 200);
  show(page, say(T.d_records_of), [
    h("table", { class: "inputs" }, h("thead", {}, h("tr", {}, [T.chip, T.c_case, T.c_record].map((t) => h("th", { scope: "col" }, say(t))))), h("tbody", {}, shown.map(line))),
    rows.length > shown.length ? h("p", { class: "note" }, say(T.more, { count: rows.length - shown.length })) : null,
  ]);
}

interface Result {
  name: Text;
  formula: string;
  value: number;
  before: number | null;
}

const hourFormula = (cost: Cost): string => (cost.rented ? "rent / u" : "[CRF·(P·m − S) + opex] / (8760·u) + kW·PUE·tariff");

function resultOf(page: Page, cost: Cost, result: string, point: Point): Result {
  const token = costPerToken(point, cost);
  const reported = headlineCost(cost).value;
  const scaled = (by: number): number | null => (reported === null ? null : reported * by);
  const target = result.startsWith("target-") ? page.model.targets[Number(result.slice(7))] : null;
  if (target) return { name: [reasonText(target.text, "zh"), target.text], formula: `${costFormula(cost)} / ${target.cny_per_token}`, value: token / target.cny_per_token, before: scaled(1 / target.cny_per_token) };
  if (result === "per-1m") return { name: T.per_1m, formula: `${costFormula(cost)} · 1e6`, value: token * 1e6, before: scaled(1e6) };
  if (result === "change") return { name: T.change, formula: `${costFormula(cost)} / ${reported} − 1`, value: reported === null ? NaN : token / reported - 1, before: 0 };
  if (result === "per-hour") return { name: T.per_hour, formula: hourFormula(cost), value: costPerHour(point, cost.rented), before: cost.per_hour.value };
  if (result === "electricity") {
    const power = cost.electricity_per_token[cost.headline].value;
    const value = cost.rented ? NaN : (electricityPerHour(point) / 3600) * secondsPerToken(point, cost.mix, cost.headline) * 1e5;
    return { name: T.electricity_100k, formula: cost.rented ? page.say(T.in_rent) : "kW·PUE·tariff / 3600 · s/token · 1e5", value, before: cost.rented || power === null ? null : power * 1e5 };
  }
  return { name: T.per_100k, formula: `${costFormula(cost)} · 1e5`, value: token * 1e5, before: scaled(1e5) };
}

/** A result of the what-if panel: formula, what was changed, every input. */
export function openWhatIf(page: Page, index: number, id: string): void {
  const { model, state, say } = page;
  const own = model.costs[index];
  const cost = paid(own, index, state.changes);
  const point = pointOf(cost, index, state.changes);
  const result = resultOf(page, cost, id, point);
  const number = (v: number | null | undefined): string => (v == null || !Number.isFinite(v) ? "–" : numberText(v, 4));
  const moved = cost.inputs.filter((i) => i.value !== null && point[i.name] !== i.value);
  const changes: Pairs = moved.map((i) => [say(inputText(i.name)), `${number(i.value)} → ${number(point[i.name])} ${i.unit}`]);
  if (cost.rented !== own.rented) changes.unshift([say(T.k_way), `${say(own.rented ? T.rented : T.owned)} → ${say(cost.rented ? T.rented : T.owned)}`]);
  show(page, say(T.named, { name: say(T.what_if), of: `${say(result.name)}, ${chipLabel(page, cost.chip)}` }), [
    h("p", { class: "dialog-value" }, number(result.value)),
    h("p", { class: "raw" }, Number.isFinite(result.value) ? `= ${result.value}` : ""),
    pairs([
      [say(T.d_formula), h("code", {}, result.formula)],
      [say(T.d_before_change), number(result.before)],
      [say(T.d_changed), changes.length === 0 ? say(T.d_unchanged) : ""],
      ...changes,
      [say(T.c_basis), basisMark(page, cost.basis)],
    ]),
    recordButtons(page, cost),
    h("button", { type: "button", class: "plain", click: () => openCost(page, index) }, say(T.cost_inputs)),
  ]);
}
