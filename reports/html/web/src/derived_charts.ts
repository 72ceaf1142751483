// Charts of curves that are derived from several records: how a step grows with the context, what uneven routing costs.
import type { ChartResult, Mark } from "./chart_def";
import { axisNumber, axisTime, grouped, numberText, rateText, timeText } from "./format";
import { chipName, type ContextCurve, type Model } from "./model";
import { reasonText } from "./phrases";
import { commonValue, reference, type State } from "./state";
import { basisText, say, T, type Lang } from "./text";

interface Derived {
  chip: number;
  model: string;
  dtype: string;
  basis: string;
  form: string;
}

const inScope = (state: State) => (c: Derived): boolean => `${c.model} · ${c.dtype}` === state.scope;

/** Basis and what ran stand in the name unless it is a whole model that was measured. */
function nameOf(model: Model, c: Derived, lang: Lang): string {
  const marks = [c.basis === "measured" ? "" : say(basisText(c.basis), lang), c.form === "whole model" ? "" : reasonText(c.form, lang)].filter(Boolean);
  return marks.length > 0 ? `${chipName(model, c.chip)} [${marks.join(", ")}]` : chipName(model, c.chip);
}

/** The record that stands for a point: its case on its chip with its basis. */
function rowOf(model: Model, c: Derived, caseId: string): number | undefined {
  const group = model.groups.find((g) => g.chip === c.chip && model.cases[g.case].id === caseId && model.rows[g.row].basis === c.basis);
  return group?.row;
}

const slopeText = (c: ContextCurve): string =>
  c.slope_ns_per_token === null
    ? ""
    : `${timeText(Math.max(c.slope_ns_per_token * 1000, 0))}${c.slope_low === null || c.slope_high === null ? "" : ` (${timeText(Math.max(c.slope_low * 1000, 0))} – ${timeText(Math.max(c.slope_high * 1000, 0))})`}`;

export function contextCurves(model: Model, state: State, lang: Lang): ChartResult[] {
  const head = { id: "context", title: T.context_title };
  const all = model.context.filter((c) => c.kind === "decode").filter(inScope(state));
  if (all.length === 0) return [{ ...head, missing: T.context_empty }];
  const batch = commonValue(all, (c) => c.batch, reference(model, state)?.batch);
  const curves = all.filter((c) => c.batch === batch);
  const slopes = curves.filter((c) => c.slope_ns_per_token !== null).map((c) => `${nameOf(model, c, lang)}: ${slopeText(c)}`);
  return [
    {
      ...head,
      note: T.context_note,
      noteArgs: { batch, slopes: slopes.join("; ") },
      x: { name: T.axis_context, scale: "log", tick: axisNumber, value: (v) => grouped(String(v)) },
      y: { name: T.axis_step, scale: "linear", tick: axisTime, value: timeText },
      height: 340,
      series: curves.map((c) => ({
        name: nameOf(model, c, lang),
        tone: c.chip,
        style: "points-line",
        marks: c.points.map((p): Mark => ({ x: p.context, y: p.step_ns, yLow: p.low, yHigh: p.high, row: rowOf(model, c, p.case) })),
      })),
    },
  ];
}

export function skewCurves(model: Model, state: State, lang: Lang): ChartResult[] {
  const head = { id: "skew", title: T.skew_title };
  const scoped = model.skew.filter(inScope(state));
  // Few models have experts: without one in the scope, all that were run.
  const curves = scoped.length > 0 ? scoped : model.skew;
  if (curves.length === 0) return [{ ...head, missing: T.skew_empty }];
  const routings = [...new Set(curves.flatMap((c) => c.points.map((p) => p.routing)))];
  const named = (c: (typeof curves)[number]): string => `${nameOf(model, c, lang)} · ${c.model} ${c.dtype} b${c.batch}`;
  const rated = curves.map((c) => `${named(c)}: ${rateText(c.rated_per_s, null, null, c.unit)}`);
  return [
    {
      ...head,
      note: T.skew_note,
      noteArgs: { ranks: curves[0].ranks, rated: rated.join("; ") },
      x: { name: T.axis_routing, scale: "category", tick: String, value: String, categories: routings },
      y: { name: T.axis_rate, scale: "linear", tick: axisNumber, value: (v) => `${numberText(v, 4)} tokens/s` },
      height: 340,
      series: curves.map((c) => ({
        name: named(c),
        tone: c.chip,
        style: "points-line",
        labels: "top",
        marks: c.points.map((p): Mark => ({ x: routings.indexOf(p.routing), y: p.per_s, yLow: p.low, yHigh: p.high, row: rowOf(model, c, p.case), label: `γ ${numberText(p.gamma)}` })),
      })),
    },
  ];
}
