// Charts of curves that are derived from several records: how a step grows with the context, what uneven routing costs.
import type { ChartResult, Mark } from "./chart_def";
import { axisNumber, axisTime, grouped, numberText, rateText, timeText } from "./format";
import { chipName, coldCache, shownRows, usable, type ContextCurve, type Model } from "./model";
import { rowOfRecord } from "./lookup";
import { reasonText } from "./phrases";
import { commonValue, reference, type State } from "./state";
import { basisText, say, T, withCold, type Lang } from "./text";

const maxCurves = 8;
const maxSteps = 4;

interface Derived {
  chip: number;
  model: string;
  dtype: string;
  basis: string;
  form: string;
  options: string;
}

const inScope = (state: State) => (c: Derived): boolean => `${c.model} · ${c.dtype}` === state.scope;

/** Basis, what ran and with which options of the adapter stand in the name unless it is a whole model that was measured with none. */
function nameOf(model: Model, c: Derived, lang: Lang): string {
  const marks = [c.basis === "measured" || c.form === "whole model projected" ? "" : say(basisText(c.basis), lang), c.form === "whole model" ? "" : reasonText(c.form, lang), c.options].filter(Boolean);
  return marks.length > 0 ? `${chipName(model, c.chip)} [${marks.join(", ")}]` : chipName(model, c.chip);
}

const slopeText = (c: ContextCurve): string =>
  c.slope_ns_per_token === null
    ? ""
    : `${signed(c.slope_ns_per_token)}${c.slope_low === null || c.slope_high === null ? "" : ` (${signed(c.slope_low)} – ${signed(c.slope_high)})`}`;

/** Of 1,000 tokens. A step that does not grow with the context has a slope about 0, of either sign. */
const signed = (ns: number): string => (ns < 0 ? "−" : "") + timeText(Math.abs(ns) * 1000);

const tokensText = (of: { context: number | null; note: string }, lang: Lang): string =>
  of.context === null ? reasonText(of.note, lang) : `${grouped(String(of.context))} tokens`;

const kvText = (c: ContextCurve, lang: Lang): string => {
  const bytes = grouped(String(c.kv_bytes_per_token));
  if (c.window === 0) return say(T.context_kv, lang, { bytes });
  return say(T.context_kv_window, lang, { bytes, window: c.window, behind: grouped(String(c.kv_bytes_behind_window)) });
};

/** What a line alone does not show: where attention overtakes the rest, and how far the device goes. */
function factsOf(c: ContextCurve, name: string, lang: Lang): string {
  const [colon, stop] = lang === "zh" ? ["：", "；"] : [": ", "; "];
  return `${name}${colon}${slopeText(c)}${stop}${say(T.context_knee, lang, { time: tokensText(c.knee_time, lang), flops: tokensText(c.knee_flops, lang), bytes: tokensText(c.knee_bytes, lang) })}${stop}${kvText(c, lang)}${stop}${say(T.context_largest, lang, { tokens: tokensText(c.largest, lang) })}`;
}

/** The least-squares line of a curve, which passes through the mean of its points. */
function lineOf(c: ContextCurve): Mark[] {
  if (c.slope_ns_per_token === null) return [];
  const mean = (values: number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
  const [x, y] = [mean(c.points.map((p) => p.context)), mean(c.points.map((p) => p.step_ns))];
  const slope = c.slope_ns_per_token;
  return [c.points[0], c.points[c.points.length - 1]].map((p): Mark => ({ x: p.context, y: y + slope * (p.context - x) }));
}

const coldOf = (model: Model, kind: string): number => shownRows(model).filter((r) => usable(r) && model.cases[r.case].kind === kind && coldCache(model, r)).length;

/** Curves of the scope; where it has none, all that were run: their names then say of what. */
function scoped<C extends Derived>(curves: C[], state: State): { curves: C[]; all: boolean } {
  const chosen = curves.filter(inScope(state));
  return chosen.length > 0 ? { curves: chosen, all: false } : { curves, all: true };
}

/** A tone for each: the chip's, or one each where a chip has several curves. */
const tones = (curves: Derived[]): number[] => {
  const chips = curves.map((c) => c.chip);
  return new Set(chips).size === chips.length ? chips : chips.map((_, i) => i);
};

function contextChart(model: Model, kind: string, state: State, lang: Lang): ChartResult[] {
  const { curves: found, all } = scoped(model.context.filter((c) => c.kind === kind), state);
  if (found.length === 0) return [];
  const batch = commonValue(found, (c) => c.batch, reference(model, state)?.batch);
  const curves = found.filter((c) => c.batch === batch).slice(0, maxCurves);
  const chunks = kind === "prefill";
  const named = (c: ContextCurve): string =>
    [nameOf(model, c, lang), all ? ` · ${c.model} ${c.dtype}` : "", chunks ? ` · ${say(T.context_chunk, lang, { tokens: c.tokens })}` : ""].join("");
  const tone = tones(curves);
  return [
    {
      id: chunks ? "context-prefill" : "context",
      title: chunks ? T.context_prefill_title : T.context_title,
      note: withCold(chunks ? T.context_prefill_note : T.context_note, coldOf(model, kind)),
      noteArgs: { batch, slopes: curves.map((c) => factsOf(c, named(c), lang)).map((line) => `\n${line}`).join("") },
      x: { name: T.axis_context, scale: "linear", tick: axisNumber, value: (v) => grouped(String(v)) },
      y: { name: T.axis_step, scale: "linear", tick: axisTime, value: timeText },
      height: 340,
      series: curves.flatMap((c, i) => [
        {
          name: named(c),
          tone: tone[i],
          style: "points" as const,
          marks: c.points.map((p): Mark => ({ x: p.context, y: p.step_ns, yLow: p.low, yHigh: p.high, row: rowOfRecord(model, p.record)?.index })),
        },
        { name: named(c), tone: tone[i], style: "rule" as const, quiet: true, marks: lineOf(c) },
      ]),
    },
  ];
}

export function contextCurves(model: Model, state: State, lang: Lang): ChartResult[] {
  const charts = ["decode", "prefill"].flatMap((kind) => contextChart(model, kind, state, lang));
  return charts.length > 0 ? charts : [{ id: "context", title: T.context_title, missing: T.context_empty }];
}

/** One chart for each step whose routing was varied: decode and prefill have rates far apart. */
export function skewCurves(model: Model, state: State, lang: Lang): ChartResult[] {
  const { curves: found } = scoped(model.skew, state);
  if (found.length === 0) return [{ id: "skew", title: T.skew_title, missing: T.skew_empty }];
  const stepOf = (c: (typeof found)[number]): string =>
    `${c.model} ${c.dtype}, ${say(c.kind === "prefill" ? T.kind_prefill : T.kind_decode, lang)} b${c.batch}${c.kind === "prefill" ? ` × ${c.tokens}` : ""}`;
  const steps = [...new Set(found.map(stepOf))].slice(0, maxSteps);
  return steps.map((step, at): ChartResult => {
    const curves = found.filter((c) => stepOf(c) === step);
    const points = curves.flatMap((c) => c.points);
    const gammaOf = (routing: string): number => Math.max(...points.filter((p) => p.routing === routing).map((p) => p.gamma));
    const routings = [...new Set(points.map((p) => p.routing))].sort((a, b) => gammaOf(a) - gammaOf(b));
    const tone = tones(curves);
    return {
      id: at === 0 ? "skew" : `skew-${at}`,
      title: T.skew_title,
      note: withCold(T.skew_note, coldOf(model, curves[0].kind)),
      noteArgs: {
        step,
        ranks: curves[0].ranks,
        experts: curves[0].experts,
        rated: curves.map((c) => `${nameOf(model, c, lang)}: ${rateText(c.rated_per_s, null, null, c.unit)} (${reasonText(c.rated_routing, lang)})`).join("; "),
      },
      x: { name: T.axis_routing, scale: "category", tick: String, value: String, categories: routings.map((r) => reasonText(r, lang)) },
      y: { name: T.axis_rate, scale: "linear", tick: axisNumber, value: (v) => `${numberText(v, 4)} tokens/s` },
      height: 340,
      series: curves.map((c, i) => ({
        name: nameOf(model, c, lang),
        tone: tone[i],
        style: "points-line" as const,
        labels: "top" as const,
        marks: c.points
          .map((p): Mark => ({ x: routings.indexOf(p.routing), y: p.per_s, yLow: p.low, yHigh: p.high, row: rowOfRecord(model, p.record)?.index, label: `γ ${numberText(p.gamma)} · ${Math.round(p.active * 10) / 10}/${c.experts}` }))
          .sort((a, b) => a.x - b.x),
      })),
    };
  });
}
