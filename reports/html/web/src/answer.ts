// The first screen: the answer, the four headline figures of each chip, and what can't be compared.
import { basisMark, chipLabel, figureButton, launchMark, numberButton, partDetail, partMark, type Page } from "./context";
import { figureOf } from "./definitions";
import { h, select } from "./dom";
import { numberText, rateText } from "./format";
import { headlineCost, priced, usable, workOf, type Cost, type Incomparable, type Row } from "./model";
import { classText, missingText, sameMissing } from "./cost_charts";
import { reasonText, someReasons } from "./phrases";
import { pickCase } from "./state";
import { basisText, T, type Text } from "./text";

/** Rows of the case compared, in the answer's order where it has one. */
export function rowsOfCase(page: Page): Row[] {
  const { model, state } = page;
  const rows = model.groups.filter((g) => g.case === state.case).map((g) => model.rows[g.row]);
  return rows.sort((a, b) => Number(usable(b)) - Number(usable(a)) || (b.rate ?? 0) - (a.rate ?? 0));
}

type Sentence = (string | Node)[];

interface Statement {
  head: Sentence;
  /** sentences below it, and lists that open */
  tails: (Sentence | HTMLElement)[];
}

const perHundredK = (v: number | null): string => (v === null ? "–" : numberText(v * 1e5, 3));

/** What the costs say, where chips are priced. */
function costStatement(page: Page): Statement | null {
  const { model, say, parts } = page;
  const answer = model.cost_answer;
  if (answer.kind === "none") return null;
  const [first, second] = answer.costs.map((i) => model.costs[i]);
  // Each figure of a sentence opens the cost that it is of; an element stands in one place only.
  const of = (cost: Cost, v: number | null): Node => numberButton(perHundredK(v), () => page.openCost(model.costs.indexOf(cost)), { "data-cost": model.costs.indexOf(cost) });
  const amount = headlineCost(first);
  const chip = chipLabel(page, first.chip);
  const bounds = (): Record<string, Node> => ({ low: of(first, amount.low), high: of(first, amount.high) });
  const what = say(T.cost_for, { model: workOf(first), class: say(classText(first.classes[first.headline])) });
  const known = amount.low !== null && amount.high !== null;
  if (answer.kind === "one-chip") {
    const alone = known ? parts(T.cost_alone, bounds()) : [say(T.cost_no_interval)];
    return { head: parts(T.answer_cost_one, { chip, value: of(first, amount.value) }), tails: [[`${what} · `, ...alone]] };
  }
  const sides = new Set(answer.costs.map((i) => model.costs[i].rented));
  const mixed: Sentence[] = sides.size > 1 ? [[say(T.mixed_sides)]] : [];
  const rival = headlineCost(second);
  const rivals = (): Record<string, string | Node> => ({ second: chipLabel(page, second.chip), second_low: of(second, rival.low), second_high: of(second, rival.high) });
  if (answer.kind === "cheapest") {
    const sure = parts(T.cost_sure, { ...bounds(), ...rivals(), value: of(second, rival.value) });
    return { head: parts(T.answer_cheapest, { chip, value: of(first, amount.value) }), tails: [[`${what} · `, ...sure], ...mixed] };
  }
  const chips = [chip, chipLabel(page, second.chip)].join(page.state.lang === "zh" ? "、" : " and ");
  if (!known || rival.low === null || rival.high === null) {
    const costs = parts(T.cost_unknown, { chip, second: chipLabel(page, second.chip), value: of(first, amount.value), second_value: of(second, rival.value) });
    return { head: parts(T.answer_cost_unknown, { chips }), tails: [[`${what} · `, ...costs], ...mixed] };
  }
  return { head: parts(T.answer_cost_undecided, { chips }), tails: [[`${what} · `, ...parts(T.cost_unsure, { chip, ...bounds(), ...rivals() })], ...mixed] };
}

function verdictLines(page: Page): Sentence[] {
  const { model, say, parts } = page;
  const first = model.cost_answer.costs[0];
  if (first === undefined) return [];
  return model.costs[first].verdicts.flatMap((v, at) => {
    if (v.gap === null) return [];
    const open = (): void => page.openVerdict(first, at);
    const figure = (n: number): Node => numberButton(numberText(n), open, { "data-verdict": at });
    const bounded = v.gap_low !== null && v.gap_high !== null;
    const args = { target: numberButton(reasonText(model.targets[v.target].text, page.state.lang), open, { "data-verdict": at }), gap: figure(v.gap), ...(bounded ? { low: figure(v.gap_low as number), high: figure(v.gap_high as number) } : {}) };
    const text = v.reached === "reached" ? T.verdict_reached : v.reached === "not reached" ? T.verdict_not : bounded ? T.verdict_unsure : T.verdict_no_interval;
    return [[...parts(text, args), v.impossible_by_electricity ? `${page.state.lang === "zh" ? "；" : "; "}${say(T.verdict_impossible)}` : ""]];
  });
}

function rateStatement(page: Page): Statement {
  const { model } = page;
  const rows = model.answer.groups.map((g) => model.rows[model.groups[g].row]);
  if (model.answer.kind === "none" || rows.length === 0) return { head: [page.say(T.answer_none)], tails: [] };
  const rate = (r: Row): Node => figureButton(page, "rate", r, rateText(r.rate as number, r.rate_low, r.rate_high, r.unit));
  const chip = chipLabel(page, rows[0].chip);
  const part: Sentence[] = rows[0].part === "" ? [] : [[page.say(T.answer_part, { part: partDetail(page, rows[0].part) })]];
  if (model.answer.kind === "one-chip") return { head: page.parts(T.answer_one, { chip, rate: rate(rows[0]) }), tails: part };
  const second = rows[1];
  const ratio = (a: number | null, b: number | null): Node =>
    numberButton(a === null || b === null ? "–" : numberText(a / b), () => page.openRatio(rows[0], second), { "data-ratio": second.index });
  const tail = page.parts(T.answer_times, {
    second: chipLabel(page, second.chip),
    ratio: ratio(rows[0].rate, second.rate),
    low: ratio(rows[0].rate_low, second.rate_high),
    high: ratio(rows[0].rate_high, second.rate_low),
  });
  if (model.answer.kind === "fastest") return { head: page.parts(T.answer_fastest, { chip, rate: rate(rows[0]) }), tails: [tail, ...part] };
  const chips = [chip, chipLabel(page, second.chip)].join(page.state.lang === "zh" ? "、" : " and ");
  return { head: page.parts(T.answer_undecided, { chips }), tails: [tail, ...part] };
}

const shownNotes = 4;

/** A remark on a case that the cost doesn't rest on. */
const ofUnused = (cost: Cost, note: string): boolean => {
  const disturbed = /^(.+) was disturbed$/.exec(note);
  return disturbed !== null && ![cost.input_case, cost.output_case].includes(disturbed[1]);
};

/** What the costs of the answer leave out or rest on, each once; beyond the first few in a list that opens. */
function costNotes(page: Page): (Sentence | HTMLElement)[] {
  const { model, say, state } = page;
  const [stop, colon] = state.lang === "zh" ? ["、", "："] : [", ", ": "];
  const of = new Map<string, number[]>();
  for (const c of model.cost_answer.costs) {
    for (const note of model.costs[c].notes.filter((n) => !ofUnused(model.costs[c], n))) of.set(note, [...(of.get(note) ?? []), c]);
  }
  const lines = [...of].map(([note, costs]): Sentence => {
    // Whose it is must be said where it is not everyone's, unless it names a case or the chip itself.
    const named = costs.length < model.cost_answer.costs.length && !/[/:]|^the (rent|chip's price) of /.test(note);
    const whose = named ? costs.map((c) => chipLabel(page, model.costs[c].chip)).join(stop) + colon : "";
    return [numberButton(`${say(T.caution)}${state.lang === "zh" ? "" : " "}${whose}${reasonText(note, state.lang)}`, () => page.openCost(costs[0]), { "data-note": costs[0] })];
  });
  const rest = lines.slice(shownNotes);
  if (rest.length === 0) return lines;
  const list = h("ul", { class: "apart" }, rest.map((line) => h("li", {}, ...line)));
  return [...lines.slice(0, shownNotes), h("details", { class: "on-paper" }, h("summary", {}, say(T.more_notes, { count: rest.length })), list)];
}

/** Money first where there is any; then what the rates say; then why a chip has no cost. */
function statement(page: Page): Statement {
  const { model, say } = page;
  const money = costStatement(page);
  const rates = rateStatement(page);
  const reasons = model.costs.map((c) => c.missing).filter(Boolean);
  const unpriced: Sentence[] = reasons.length > 0 ? [[say(T.no_cost, { reasons: someReasons(sameMissing(reasons), 3, page.state.lang, missingText) })]] : [];
  if (!money) return { head: rates.head, tails: [...rates.tails, ...unpriced] };
  return { head: money.head, tails: [...money.tails, ...costNotes(page), ...verdictLines(page), [rates.head, ...rates.tails].flatMap((part, i): Sentence => (part instanceof HTMLElement ? [part] : i === 0 ? part : [page.state.lang === "zh" ? "，" : ", ", ...part])), ...unpriced] };
}

/** The cost that goes with a row: same chip, model, dtype and basis. */
function costOf(page: Page, row: Row): number {
  const c = page.model.cases[row.case];
  return page.model.costs.findIndex((x) => priced(x) && x.chip === row.chip && x.model === c.model && x.dtype === c.dtype && x.variant === c.variant && x.basis === row.basis);
}

function costCell(page: Page, row: Row): HTMLElement {
  const at = costOf(page, row);
  const label = page.say(T.m_cost);
  if (at < 0) return h("td", { "data-label": label }, h("span", { class: "absent" }, page.say(T.no_price)));
  const cost = page.model.costs[at];
  const amount = headlineCost(cost);
  const known = amount.low !== null && amount.high !== null;
  const button = h("button", { type: "button", class: "figure", "data-cost": at, click: () => page.openCost(at) }, perHundredK(amount.value));
  const side = page.say(cost.rented ? T.rented : T.owned);
  const bounds = known ? `${perHundredK(amount.low)}–${perHundredK(amount.high)}` : page.say(T.no_interval);
  return h("td", { "data-label": label }, button, h("div", { class: "interval" }, numberButton(bounds, () => page.openCost(at)), h("span", { class: "side" }, side), known ? launchMark(page, cost.rows.map((r) => page.model.rows[r])) : null));
}

function headlineRow(page: Page, row: Row): HTMLElement {
  const none = (text: Text): HTMLElement => h("span", { class: "absent" }, page.say(text));
  const cell = (name: Text, value: HTMLElement, below: string | null, id: string, mark: HTMLElement | null = null): HTMLElement =>
    h("td", { "data-label": page.say(name) }, value, below ? h("div", { class: "interval" }, numberButton(below, () => page.openFigure(id, row)), mark) : null);
  if (!usable(row)) {
    return h("tr", {}, h("th", { scope: "row" }, chipLabel(page, row.chip)), h("td", { colspan: 4 }, none(T.not_on_case)), h("td", {}, basisMark(page, row.basis)));
  }
  const interval = (low: number | null, high: number | null): string | null =>
    low === null || high === null ? null : `${rateText(low, low, high, row.unit, false)}–${rateText(high, low, high, row.unit, false)}`;
  const few = numberButton(page.say(T.too_few_steps, { n: row.independent_steps ?? row.steps }), () => page.openRecord(row));
  few.className = "figure few";
  const determinism = row.p99_ns === null ? (row.steps > 0 ? few : none(T.absent)) : figureButton(page, "determinism", row);
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, chipLabel(page, row.chip), row.options === "" ? null : ` (${row.options})`, partMark(page, row), row.disturbed ? h("span", { class: "disturbed", title: row.causes.map((c) => reasonText(c, page.state.lang)).join("; ") }, " *") : null),
    cell(T.m_throughput, figureButton(page, "rate", row), interval(row.rate_low, row.rate_high), "rate", launchMark(page, [row])),
    cell(T.m_determinism, determinism, row.p99_high_ns === null && row.p99_ns !== null ? page.say(T.no_bound) : figureOf("determinism").interval!(row), "determinism"),
    costCell(page, row),
    cell(T.m_energy, row.joules_per_token === null ? none(T.no_energy) : figureButton(page, "energy", row), null, "energy"),
    h("td", { "data-label": page.say(T.c_basis) }, basisMark(page, row.basis)),
  );
}

const apartTexts: Record<string, Text> = {
  "one-chip": T.apart_one_chip,
  basis: T.apart_basis,
  tier: T.apart_tier,
  "case-version": T.apart_version,
  failed: T.apart_failed,
  "no-rate": T.apart_no_rate,
  numerics: T.apart_numerics,
  disturbed: T.apart_disturbed,
  part: T.apart_part,
};

/** The line, and the records that it speaks of. */
function apartLine(page: Page, item: Incomparable): Sentence {
  const text = apartTexts[item.kind] ?? ([`{detail}`, `{detail}`] as const);
  const line = page.say(text, {
    chip: item.chip === null ? "" : chipLabel(page, item.chip),
    case: item.case === null ? "" : page.model.cases[item.case].id,
    count: item.count,
    detail: reasonText(item.detail, page.state.lang),
    basis: page.say(basisText(item.detail)),
    tier: item.detail,
    part: item.kind === "part" ? partDetail(page, item.detail) : "",
  });
  const rows = page.model.rows.filter((r) => (item.chip === null || r.chip === item.chip) && (item.case === null ? apartRow(page, item, r) : r.case === item.case));
  return rows.length > 0 ? [line, " ", numberButton(page.say(T.d_records_of), () => page.openRows(rows), { "data-apart": item.kind })] : [line];
}

/** Of a line over many cases: whether it counts this record's. */
function apartRow(page: Page, item: Incomparable, row: Row): boolean {
  if (item.kind === "basis") return row.basis === item.detail;
  if (item.kind === "tier") return row.tier === item.detail;
  if (item.kind === "case-version") return page.model.cases[row.case].id === item.detail;
  return item.kind !== "one-chip" || page.model.groups.filter((g) => g.case === row.case).length === 1;
}

const shownAtOnce = 6;
const shownAtMost = 200; // of a list that opens

function apart(page: Page): HTMLElement {
  const items = page.model.incomparable;
  if (items.length === 0) return h("p", {}, page.say(T.apart_nothing));
  const lines = (part: Incomparable[]): HTMLElement[] => part.map((i) => h("li", {}, ...apartLine(page, i)));
  const rest = items.slice(shownAtOnce);
  return h(
    "div",
    {},
    h("ul", { class: "apart" }, lines(items.slice(0, shownAtOnce))),
    rest.length > 0 ? h("details", { class: "on-paper" }, h("summary", {}, page.say(T.more, { count: rest.length })), h("ul", { class: "apart" }, lines(rest.slice(0, shownAtMost)), rest.length > shownAtMost ? h("li", {}, page.say(T.more, { count: rest.length - shownAtMost })) : null)) : null,
  );
}

export function answerSection(page: Page): HTMLElement {
  const { model, state } = page;
  const { head, tails } = statement(page);
  const first = model.cost_answer.costs[0];
  const basis = first === undefined ? model.answer.basis : model.costs[first].basis;
  const measured = [...new Set(model.groups.map((g) => g.case))].sort((a, b) => model.cases[a].id.localeCompare(model.cases[b].id));
  const picker = select(page.say(T.case_pick), measured.map((c) => [String(c), model.cases[c].id]), String(state.case), (value) => {
    pickCase(model, state, Number(value));
    page.update();
  });
  const answerCase = model.answer.case;
  return h(
    "section",
    { id: "answer", "aria-labelledby": "answer-h" },
    h("h2", { id: "answer-h", class: "statement" }, ...head, " ", basis ? basisMark(page, basis) : null),
    tails.map((tail, i) => (tail instanceof HTMLElement ? tail : h("p", { class: i === 0 ? "lead" : "point" }, ...tail))),
    answerCase !== null ? h("p", { class: "note" }, `${page.say(T.on_case)} `, h("code", {}, model.cases[answerCase].id)) : null,
    measured.length > 1 ? h("div", { class: "controls no-print" }, picker) : null,
    h(
      "table",
      { class: "headline" },
      h("thead", {}, h("tr", {}, [T.chip, T.m_throughput, T.m_determinism, T.m_cost_unit, T.m_energy, T.c_basis].map((t) => h("th", { scope: "col" }, page.say(t))))),
      h("tbody", {}, rowsOfCase(page).map((row) => headlineRow(page, row))),
    ),
    h("h3", {}, page.say(T.apart_title)),
    apart(page),
  );
}
