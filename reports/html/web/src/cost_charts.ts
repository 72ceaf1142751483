// Charts of money: cost by chip, the way from the target to the cost, what moves it.
import type { Chart, ChartResult, Mark } from "./chart_def";
import { axisNumber, fineTick, numberText } from "./format";
import { chipName, headlineCost, priced, workOf, type Cost, type Model } from "./model";
import { reasonText, someReasons } from "./phrases";
import type { State } from "./state";
import { basisText, say, T, type Lang, type Text } from "./text";

const yuan = (v: number): string => `¥ ${numberText(v, 3)}`;

export const inputText = (name: string): Text => {
  const key = `k_${name}` as keyof typeof T;
  return key in T ? T[key] : [name, name];
};

/** An input without its unit. */
const inputName = (name: string, lang: Lang): string => say(inputText(name), lang).replace(/\s*[（(][^（）()]*[）)]$/, "");

/** An input within a sentence. */
function inputWord(name: string, lang: Lang): string {
  if (name === "a rate of tokens") return say(T.token_rate, lang);
  const label = inputName(name, lang);
  return /^[A-Z][a-z]/.test(label) ? label[0].toLowerCase() + label.slice(1) : label;
}

/** Both ends of a range in as many digits as tell them apart, six at most. */
function apart(low: number, high: number): string {
  const digits = [3, 4, 5, 6].find((n) => numberText(low, n) !== numberText(high, n)) ?? 3;
  return `${numberText(low, digits)} – ${numberText(high, digits)}`;
}

/** Costs that lack the same inputs, in one sentence each. */
export function sameMissing(missing: string[]): string[] {
  const chips = new Map<string, Set<string>>();
  for (const text of missing) {
    const [, chip, rest] = /^the cost of (.+?)( needs .+)$/.exec(text) ?? [null, "", text];
    chips.set(rest, (chips.get(rest) ?? new Set()).add(chip));
  }
  return [...chips].map(([rest, names]) => (names.has("") ? rest : `the cost of ${[...names].join(", ")}${rest}`));
}

/** Why a cost is missing, its inputs in words. */
export function missingText(missing: string, lang: Lang): string {
  const names = (list: string): string => list.split(", ").map((name) => inputWord(name, lang)).join(lang === "zh" ? "、" : ", ");
  const chips = (list: string): string => list.split(", ").map((chip) => reasonText(chip, lang)).join(lang === "zh" ? "、" : ", ");
  return reasonText(missing.replace(/^the cost of (.+?) needs (.+?); give it with /, (_, of: string, list: string) => `the cost of ${chips(of)} needs ${names(list)}; give it with `), lang);
}

export const factorText = (name: string): Text => {
  const key = `f_${name}` as keyof typeof T;
  return key in T ? T[key] : [name, name];
};

export const classText = (name: string): Text => T[`class_${name}` as keyof typeof T] ?? [name, name];

/** Name with what sets its cost apart from others beside it: basis, and rented against owned. */
export function nameOf(model: Model, cost: Cost, lang: Lang): string {
  const name = chipName(model, cost.chip);
  const side = say(cost.rented ? T.rented : T.owned, lang);
  return `${name} [${cost.basis === "measured" ? "" : `${say(basisText(cost.basis), lang)}, `}${side}]`;
}

/** What can be compared with the answer; else everything that has a price. */
function compared(model: Model): Cost[] {
  const costs = model.cost_answer.costs.map((i) => model.costs[i]);
  return costs.length > 0 ? costs : model.costs.filter(priced);
}

function barsOf(costs: Cost[], id: string, title: Text, model: Model, lang: Lang): ChartResult {
  const scale = 1e5;
  const values = costs.map((c) => (headlineCost(c).value as number) * scale);
  const guides = model.targets.map((t) => ({ x: t.cny_per_token * scale, label: say(T.target, lang, { target: reasonText(t.text, lang) }) }));
  const first = costs[0];
  return {
    id,
    title,
    note: T.cost_note,
    noteArgs: { class: say(classText(first.classes[first.headline]), lang), model: workOf(first) },
    x: { name: T.axis_cost, scale: "linear", tick: (v) => axisNumber(v), value: yuan, min: 0 },
    y: { name: T.chip, scale: "category", tick: String, value: String, categories: costs.map((c) => nameOf(model, c, lang).replace(" [", "\n[")) },
    height: 110 + 52 * costs.length,
    guides,
    series: [
      {
        name: say(T.m_cost, lang),
        tone: 0,
        style: "bar",
        marks: costs.map((c, y): Mark => {
          const a = headlineCost(c);
          return { x: values[y], y, xLow: a.low === null ? null : a.low * scale, xHigh: a.high === null ? null : a.high * scale, label: numberText(values[y], 3), part: { cost: model.costs.indexOf(c), kind: "whole" } };
        }),
      },
    ],
  };
}

/** The costs of the headline; where they are of one chip, also those on what several were priced on. */
export function costBars(model: Model, _: State, lang: Lang): ChartResult[] {
  const head = { id: "cost", title: T.cost_title };
  const costs = compared(model);
  if (costs.length === 0) {
    const reasons = [...model.costs.map((c) => c.missing).filter(Boolean), ...model.cost_left_out];
    if (reasons.length === 0) return [{ ...head, missing: T.no_pricing }];
    return [{ ...head, missing: T.cost_empty, args: { reasons: someReasons(sameMissing(reasons), 3, lang, missingText) } }];
  }
  const beside = model.cost_answer.compared.map((c) => model.costs[c]);
  return [barsOf(costs, "cost", T.cost_title, model, lang), ...(beside.length > 0 ? [barsOf(beside, "cost-compared", T.cost_compared_title, model, lang)] : [])];
}

/** Steps from the target to the cost of the cheapest chip; their product is the gap. */
export function costWaterfall(model: Model, _: State, lang: Lang): ChartResult[] {
  const cost = compared(model)[0];
  const index = model.costs.indexOf(cost);
  const verdict = cost?.verdicts[0];
  if (!verdict || verdict.waterfall.length === 0 || verdict.gap === null) return [];
  const target = model.targets[verdict.target];
  let at = target.cny_per_token * 1e5;
  const steps = verdict.waterfall.filter((f) => f.factor !== null);
  const marks = steps.map((f, y): Mark => {
    const from = at;
    at *= f.factor as number;
    return { x: at, y, xLow: from, xHigh: at, label: `× ${numberText(f.factor as number)}${f.basis ? ` [${say(basisText(f.basis), lang)}]` : ""}`, part: { cost: index, kind: "factor", name: f.name } };
  });
  const chart: Chart = {
    id: "waterfall",
    title: T.waterfall_title,
    note: T.waterfall_note,
    noteArgs: { chip: nameOf(model, cost, lang), target: reasonText(target.text, lang), gap: numberText(verdict.gap) },
    x: { name: T.axis_cost_log, scale: "log", tick: (v) => axisNumber(v), value: yuan },
    y: { name: T.item, scale: "category", tick: String, value: String, categories: steps.map((f) => say(factorText(f.name), lang)) },
    height: 110 + 34 * steps.length,
    guides: [{ x: target.cny_per_token * 1e5, label: say(T.target, lang, { target: reasonText(target.text, lang) }) }],
    series: [{ name: say(T.factor, lang), tone: 1, style: "range", marks }],
  };
  return [chart];
}

export function costTornado(model: Model, _: State, lang: Lang): ChartResult[] {
  const cost = compared(model)[0];
  const index = model.costs.indexOf(cost);
  const moves = (cost?.tornado ?? []).filter((t) => t.at_low !== null && t.at_high !== null).slice(0, 8);
  if (moves.length === 0) return [];
  const ends = moves.flatMap((m) => [m.at_low as number, m.at_high as number]).map((v) => v * 1e5);
  return [
    {
      id: "tornado",
      title: T.tornado_title,
      note: T.tornado_note,
      noteArgs: { chip: nameOf(model, cost, lang) },
      x: { name: T.axis_cost, scale: "linear", tick: fineTick(Math.min(...ends), Math.max(...ends)), value: yuan, tight: true },
      y: { name: T.item, scale: "category", tick: String, value: String, categories: moves.map((m) => inputName(m.input, lang)) },
      height: 110 + 34 * moves.length,
      series: [
        {
          name: say(T.swing, lang),
          tone: 0,
          style: "range",
          marks: moves.map((m, y): Mark => {
            const [a, b] = [(m.at_low as number) * 1e5, (m.at_high as number) * 1e5];
            const label = apart(Math.min(a, b), Math.max(a, b));
            return { x: b, y, xLow: a, xHigh: b, label, part: { cost: index, kind: "input", name: m.input } };
          }),
        },
      ],
    },
  ];
}
