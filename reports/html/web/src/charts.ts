// The charts of the report, each made of the model alone.
import { notDrawn, type Chart, type ChartDef, type ChartResult, type Mark, type Series } from "./chart_def";
import { contextCurves, skewCurves } from "./derived_charts";
import { costBars, costTornado, costWaterfall } from "./cost_charts";
import type { Curve } from "./curve";
import { axisNumber, axisTime, grouped, numberText, roundDown, roundUp, rateText, timeText } from "./format";
import { coldCache, pagedCache, shownRows, usable, type Model, type Row } from "./model";
import { someReasons } from "./phrases";
import { seriesName } from "./series";
import { commonValue, reference, scopeOf, type State } from "./state";
import { say, T, withCold, type Lang } from "./text";
import { trendCharts } from "./trend_chart";
import { clipParts, opRoofline, opTimes } from "./work_charts";

const rateTick = (v: number): string => axisNumber(v);
const tokens = (v: number): string => `${rateText(v, null, null, "tokens/s")}`;

const inScope = (model: Model, state: State, row: Row): boolean => scopeOf(model, row.case) === state.scope;

function bySeries(model: Model, rows: Row[], lang: Lang): Map<string, Row[]> {
  const out = new Map<string, Row[]>();
  for (const row of rows) {
    const name = seriesName(model, row, lang);
    out.set(name, [...(out.get(name) ?? []), row]);
  }
  return out;
}

/** Points too near for a label each, in order of x, share that of the last: "b1, b4". */
function joinLabels(series: Series[], near: (a: Mark, b: Mark) => boolean): void {
  for (const s of series) {
    for (let i = 1; i < s.marks.length; ++i) {
      const [before, m] = [s.marks[i - 1], s.marks[i]];
      if (!m.label || !before.label || !near(before, m)) continue;
      if (m.label !== before.label) m.label = `${m.label}, ${before.label}`;
      before.label = "";
    }
  }
}

/** Within the width and the height of a label, on linear axes from 0 that end at the largest marks. */
function nearOnLinear(series: Series[]): (a: Mark, b: Mark) => boolean {
  const marks = series.flatMap((s) => s.marks);
  const [wide, high] = [Math.max(...marks.map((m) => m.x)), Math.max(...marks.map((m) => m.y))];
  return (a, b) => Math.abs(a.x - b.x) < 0.04 * wide && Math.abs(a.y - b.y) < 0.05 * high;
}

const maxNamed = 12; // points of a chart, that each may have a label

const nearOnLog = (a: Mark, b: Mark): boolean => Math.abs(Math.log10(a.x / b.x)) < 0.3 && Math.abs(Math.log10(a.y / b.y)) < 0.15;

function pareto(model: Model, state: State, lang: Lang): ChartResult[] {
  const head = { id: "pareto", title: T.pareto_title };
  const decode = shownRows(model).filter((r) => usable(r) && model.cases[r.case].kind === "decode" && inScope(model, state, r));
  const warm = decode.filter((r) => !coldCache(model, r));
  const contiguous = warm.filter((r) => !pagedCache(model, r));
  const all = contiguous.length > 0 ? contiguous : warm;
  if (all.length === 0) return [{ ...head, missing: T.pareto_empty }];
  const contextOf = (r: Row): number => model.cases[r.case].context;
  const context = commonValue(all, contextOf, reference(model, state)?.context || undefined);
  const rows = all.filter((r) => contextOf(r) === context);
  const series: Series[] = [...bySeries(model, rows, lang)].map(([name, list]) => ({
    name,
    tone: list[0].chip,
    style: "points-line",
    marks: list
      .map((r): Mark => {
        const batch = model.cases[r.case].batch;
        return { x: (r.rate as number) / batch, y: r.rate as number, yLow: r.rate_low, yHigh: r.rate_high, row: r.index, label: `b${batch}` };
      })
      .sort((a, b) => a.x - b.x),
  }));
  joinLabels(series, nearOnLinear(series));
  return [
    {
      ...head,
      note: withCold(T.pareto_note, decode.length - warm.length),
      noteArgs: { scope: state.scope, context: grouped(String(context)) },
      x: { name: T.axis_user_rate, scale: "linear", tick: rateTick, value: (v) => numberText(v, 4) },
      y: { name: T.axis_rate, scale: "linear", tick: rateTick, value: tokens },
      height: 380,
      series,
    },
  ];
}

/** Curves of the case compared, one a chip and basis. */
function curvesOfCase(model: Model, state: State): [Curve, Row][] {
  return model.curves
    .map((c): [Curve, Row] => [c, model.rows[c.row]])
    .filter(([, row]) => row.case === state.case && usable(row));
}

const nines = (p: number): number => -Math.log10(1 - p);

function latency(model: Model, state: State, lang: Lang): ChartResult[] {
  const head = { id: "latency", title: T.latency_title };
  const curves = curvesOfCase(model, state);
  if (curves.length === 0) return [{ ...head, missing: T.latency_empty }];
  const series: Series[] = [];
  let lowest = Infinity;
  let highest = 0;
  for (const [curve, row] of curves) {
    const name = seriesName(model, row, lang);
    const band: Mark[] = [];
    const line: Mark[] = [];
    curve.p.forEach((p, i) => {
      const [low, high] = [curve.low_ns[i], curve.high_ns[i]];
      line.push({ x: nines(p), y: curve.quantile_ns[i], yLow: low, yHigh: high, row: row.index });
      if (low !== null && high !== null) band.push({ x: nines(p), y: curve.quantile_ns[i], yLow: low, yHigh: high });
      lowest = Math.min(lowest, low ?? curve.quantile_ns[i]);
      highest = Math.max(highest, high ?? curve.quantile_ns[i]);
    });
    series.push({ name, tone: row.chip, style: "line", marks: line });
    series.push({ name, tone: row.chip, style: "band", marks: band, quiet: true });
  }
  const log = highest / lowest > 8;
  const axis = { name: T.axis_step, tick: axisTime, value: timeText };
  // The band's bounds, too, lie within the axis.
  const interval = roundUp((highest - lowest || highest) / 6);
  const ends = { interval, min: Math.floor(lowest / interval) * interval, max: Math.ceil(highest / interval) * interval };
  return [
    {
      ...head,
      note: T.latency_note,
      x: { name: T.axis_quantile, scale: "nines", tick: quantileTick, value: quantileTick, max: Math.max(2, Math.ceil(Math.max(...curves.map(([c]) => nines(c.p[c.p.length - 1]))) - 0.01)) },
      y: log ? { ...axis, scale: "log", min: roundDown(lowest), max: roundUp(highest) } : { ...axis, scale: "linear", tight: true, ...ends },
      height: 360,
      series,
    },
  ];
}

/** 1 -> 90 %, 2 -> 99 %; in between as many digits as tell it apart. */
export function quantileTick(x: number): string {
  const percent = (1 - 10 ** -x) * 100;
  const decimals = x < 1.99 ? (Math.abs(percent - Math.round(percent)) < 0.01 ? 0 : 1) : Math.ceil(x - 2.001) + 0;
  return `${Number(percent.toFixed(Math.max(decimals, 0)))} %`;
}

const maxTimelines = 6;

function timelines(model: Model, state: State, lang: Lang): ChartResult[] {
  const curves = curvesOfCase(model, state);
  const drawn = curves
    .slice(0, maxTimelines)
    .map(([curve, row], i): Chart => {
      const of = (mark: number): Mark[] =>
        curve.start_s.flatMap((x, k) => (curve.mark[k] === mark ? [{ x, y: curve.step_ns[k], row: row.index }] : []));
      const all = curve.start_s.map((x, k): Mark => ({ x, y: curve.step_ns[k], row: row.index }));
      // A launch is a process of its own: no line joins it to the one before.
      const launches = [0, ...curve.launch_s].map((from, k, starts) => all.filter((m) => m.x >= from && m.x < (starts[k + 1] ?? Infinity)));
      const highest = Math.max(...curve.step_ns);
      const lowest = Math.min(...curve.step_ns);
      return {
        id: `timeline-${i}`,
        title: T.timeline_title,
        note: curve.launch_s.length > 0 ? [`${T.timeline_note[0]}${T.timeline_launches[0]}`, `${T.timeline_note[1]} ${T.timeline_launches[1]}`] : T.timeline_note,
        noteArgs: {
          case: model.cases[row.case].id,
          launches: curve.launch_s.length + 1,
          chip: seriesName(model, row, lang),
          steps: row.steps,
          stalls: row.stalls ?? 0,
          host: row.stalls_host ?? 0,
        },
        x: { name: T.axis_time, scale: "linear", tick: (v) => String(Number(v.toFixed(3))), value: (v) => `${v.toFixed(3)} s` },
        y: { name: T.axis_step, scale: highest / lowest > 20 ? "log" : "linear", tick: axisTime, value: timeText },
        height: 230,
        series: [
          ...launches.map((marks, k): Series => ({ name: say(T.step, lang), tone: row.chip, style: "line", marks, quiet: k > 0 })),
          { name: say(T.stall, lang), tone: "bad", style: "points", marks: of(1) },
          { name: say(T.stall_host, lang), tone: "warn", style: "points", marks: of(2) },
          { name: say(T.host_gap, lang), tone: "muted", style: "ticks", marks: curve.gap_start_s.map((x, k) => ({ x, y: curve.gap_ns[k] })) },
        ],
        guides: curve.launch_s.map((x, k) => ({ x, label: say(T.launch_n, lang, { n: k + 2 }), muted: true })),
      };
    });
  return [...drawn, ...notDrawn("timeline", T.timeline_title, curves.length - drawn.length)];
}

function energy(model: Model, state: State, lang: Lang): ChartResult[] {
  const head = { id: "energy", title: T.energy_title };
  const shown = shownRows(model).filter((r) => usable(r) && r.unit === "tokens/s");
  const rows = shown.filter((r) => r.joules_per_token !== null && inScope(model, state, r));
  if (rows.length === 0) {
    const reasons = shown.filter((r) => r.joules_per_token === null).map((r) => r.energy_note).filter(Boolean);
    return [{ ...head, missing: T.energy_empty, args: { scope: state.scope, reasons: someReasons(reasons, 3, lang) } }];
  }
  const series = [...bySeries(model, rows, lang)].map(([name, list]): Series => ({
    name,
    tone: list[0].chip,
    style: "points",
    marks: list
      .map((r): Mark => ({ x: r.rate as number, y: r.joules_per_token as number, xLow: r.rate_low, xHigh: r.rate_high, row: r.index, label: rows.length <= maxNamed ? shortCase(model, r) : "" }))
      .sort((a, b) => a.x - b.x),
  }));
  joinLabels(series, nearOnLog);
  return [
    {
      ...head,
      note: T.energy_note,
      noteArgs: { scope: state.scope },
      x: { name: T.axis_rate, scale: "log", tick: rateTick, value: tokens },
      y: { name: T.axis_energy, scale: "log", tick: axisNumber, value: (v) => `${numberText(v)} J/token` },
      height: 340,
      series,
    },
  ];
}

const middle = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function roofline(model: Model, state: State, lang: Lang): ChartResult[] {
  const head = { id: "roofline", title: T.roofline_title };
  const dtype = state.case === null ? "" : model.cases[state.case].dtype;
  const rows = shownRows(model).filter(
    (r) => usable(r) && model.cases[r.case].dtype === dtype && r.flops_per_s !== null && intensity(model, r) > 0,
  );
  const series: Series[] = [];
  for (const [name, list] of bySeries(model, rows, lang)) {
    const withCeiling = list.filter((r) => r.ceiling_flops !== null && r.ceiling_bytes !== null);
    if (withCeiling.length > 0) {
      const peak = middle(withCeiling.map((r) => r.ceiling_flops as number));
      const bandwidth = middle(withCeiling.map((r) => r.ceiling_bytes as number));
      const intensities = list.map((r) => intensity(model, r));
      const ridge = peak / bandwidth;
      const ends = [Math.min(...intensities, ridge) / 2, ridge, Math.max(...intensities, ridge) * 2];
      series.push({
        name: `${name} · ${say(T.ceiling, lang)}`,
        tone: list[0].chip,
        style: "rule",
        quiet: true,
        marks: ends.map((x) => ({ x, y: Math.min(x * bandwidth, peak) })),
      });
    }
    series.push({
      name,
      tone: list[0].chip,
      style: "points",
      marks: list.map((r): Mark => ({ x: intensity(model, r), y: r.flops_per_s as number, row: r.index, label: rows.length <= maxNamed ? shortCase(model, r) : "" })).sort((a, b) => a.x - b.x),
    });
  }
  joinLabels(series.filter((s) => s.style === "points"), nearOnLog);
  if (series.length === 0) return [{ ...head, missing: T.roofline_empty }];
  return [
    {
      ...head,
      note: T.roofline_note,
      x: { name: T.axis_intensity, scale: "log", tick: axisNumber, value: (v) => `${numberText(v)} FLOP/B` },
      y: { name: T.axis_flops, scale: "log", tick: axisNumber, value: (v) => rateText(v, null, null, "FLOP/s") },
      height: 380,
      series,
    },
  ];
}

const intensity = (model: Model, row: Row): number => {
  const c = model.cases[row.case];
  return c.flops / (c.weight_bytes + c.kv_bytes || Infinity);
};

function shortCase(model: Model, row: Row): string {
  const c = model.cases[row.case];
  if (c.kind === "prefill") return `P b${c.batch} ${axisNumber(c.tokens)}`;
  if (c.kind === "decode") return `D b${c.batch} ${axisNumber(c.context)}`;
  return c.batch > 1 ? `${c.kind} b${c.batch}` : c.kind;
}

export const chartDefs: ChartDef[] = [
  { id: "cost", section: "cost", build: costBars },
  { id: "waterfall", section: "cost", build: costWaterfall },
  { id: "tornado", section: "cost", build: costTornado },
  { id: "pareto", section: "pareto", build: pareto },
  { id: "latency", section: "latency", build: latency },
  { id: "timeline", section: "latency", build: timelines },
  { id: "trend", section: "trends", build: trendCharts },
  { id: "energy", section: "energy", build: energy },
  { id: "roofline", section: "roofline", build: roofline },
  { id: "op-roofline", section: "roofline", build: opRoofline },
  { id: "op-time", section: "roofline", build: opTimes },
  { id: "context", section: "context", build: contextCurves },
  { id: "skew", section: "context", build: skewCurves },
  { id: "clip", section: "video", build: clipParts },
];
