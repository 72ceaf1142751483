// One case on one chip by date: each record with its interval, and where the level or what it ran on changed.
import { notDrawn, type Chart, type ChartResult, type Mark } from "./chart_def";
import { grouped, rateScale, rateText, roundUp } from "./format";
import type { Model } from "./model";
import type { State } from "./state";
import { basisText, say, T, type Lang, type Text } from "./text";
import type { Trend } from "./trend";

const secondsPerDay = 86400;
const minute = 60 / secondsPerDay;

/** Steps between ticks that fall on whole seconds, minutes, hours or days. */
const tickSteps = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds / secondsPerDay),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * minute),
  ...[1, 2, 3, 6, 12].map((hours) => hours / 24),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((days) => days),
];
const mostTicks = 5;

interface TickedAxis {
  interval: number;
  min: number;
  max: number;
}

/** About five ticks, each on a value of its own: no label stands twice. */
export function dateAxis(days: number[]): TickedAxis {
  const [first, last] = [Math.min(...days), Math.max(...days)];
  const interval = tickSteps.find((step) => (last - first) / step <= mostTicks) ?? tickSteps[tickSteps.length - 1];
  const min = Math.floor(first / interval + 1e-9) * interval;
  return { interval, min, max: Math.max(min + interval, Math.ceil(last / interval - 1e-9) * interval) };
}

const isoText = (day: number): string => new Date(Math.round(day * secondsPerDay) * 1000).toISOString().replace("T", " ");

/** As much of a date as ticks this far apart need: "11-26", "11-26 03:12", "03:12:59"; over most of a year with it. */
export function tickText(day: number, axis: TickedAxis): string {
  const iso = isoText(day);
  if (axis.interval < minute * 0.99) return iso.slice(11, 19);
  if (axis.interval < 0.99) return iso.slice(5, 16);
  return iso.slice(axis.max - axis.min > 300 ? 0 : 5, 10);
}

/** Names the day where the ticks are times alone. */
function dateName(axis: TickedAxis): Text {
  if (axis.interval >= minute * 0.99) return T.axis_date;
  const days = [...new Set([axis.min, axis.max].map((day) => isoText(day).slice(0, 10)))];
  return [`${days.join(" 至 ")} 的时刻（UTC）`, `time of ${days.join(" to ")}, UTC`];
}

/** By the points and their intervals; one far wider than the points spread and the others are wide ends at the axis. */
export function rateAxis(points: Trend["points"]): TickedAxis {
  const rates = points.map((p) => p.rate);
  const [low, high] = [Math.min(...rates), Math.max(...rates)];
  const halves = points.flatMap((p) => (p.low === null || p.high === null ? [] : [(p.high - p.low) / 2])).sort((a, b) => a - b);
  const typical = halves.length > 0 ? halves[Math.floor((halves.length - 1) / 2)] : 0;
  const reach = 2 * Math.max(high - low, typical) || 0.05 * high || 1;
  const from = Math.max(low - reach, Math.min(...points.map((p) => p.low ?? p.rate)));
  const to = Math.min(high + reach, Math.max(...points.map((p) => p.high ?? p.rate)));
  const interval = roundUp((to - from || reach) / mostTicks);
  const min = Math.floor(from / interval + 1e-9) * interval;
  return { interval, min, max: Math.max(min + interval, Math.ceil(to / interval - 1e-9) * interval) };
}

const changedText = (changed: string, lang: Lang): string => {
  const name = changed.split(" ")[0];
  const key = `changed_${name}` as keyof typeof T;
  return key in T ? say(T[key], lang) : name;
};

export function trendChart(trend: Trend, lang: Lang, id = "trend"): Chart {
  const { points } = trend;
  const [factor, unit] = rateScale(points[0].rate, trend.unit);
  const axis = dateAxis(points.map((p) => p.day));
  const mark = (p: Trend["points"][number]): Mark => ({ x: p.day, y: p.rate, yLow: p.low, yHigh: p.high, row: p.row ?? undefined });
  const rates = rateAxis(points);
  const decimals = Math.max(0, Math.ceil(-Math.log10(rates.interval / factor) - 1e-9));
  // Beside the points, so that no label lies on one.
  const floor = Math.max(rates.min, Math.min(...points.map((p) => p.low ?? p.rate)));
  const ceiling = Math.min(rates.max, Math.max(...points.map((p) => p.high ?? p.rate)));
  const between = (at: number): number => (points[at].day + points[at - 1].day) / 2;
  return {
    id,
    title: T.trend_title,
    note: T.trend_note,
    noteArgs: { case: trend.trend, device: trend.device, basis: say(basisText(trend.basis), lang) },
    x: { name: dateName(axis), scale: "linear", tight: true, ...axis, tick: (v) => tickText(v, axis), value: (v) => isoText(v).slice(0, 19) },
    y: { name: [unit, unit], scale: "linear", tight: true, ...rates, tick: (v) => grouped((v / factor).toFixed(decimals)), value: (v) => rateText(v, null, null, trend.unit) },
    height: 420,
    series: [
      { name: say(T.trend_record, lang), tone: 0, style: "points-line", marks: points.map((p) => mark(p)) },
      // Of the records' tone, so that it is drawn hollow over them.
      { name: say(T.trend_disturbed, lang), tone: 0, style: "points", marks: points.filter((p) => p.disturbed).map((p) => ({ x: p.day, y: p.rate, row: p.row ?? undefined })) },
      { name: say(T.trend_ground, lang), tone: "warn", style: "points", labels: "right", marks: points.filter((p) => p.changed.length > 0).map((p) => ({ x: p.day, y: floor, label: p.changed.map((c) => changedText(c, lang)).join(lang === "zh" ? "、" : ", ") })) },
      { name: say(T.trend_change, lang), tone: "bad", style: "points", labels: "right", marks: trend.changes.map((c) => ({ x: between(c.at), y: ceiling, label: `${say(c.verdict === "SLOWER" ? T.trend_slower : T.trend_faster, lang)} ${c.ratio.toFixed(3)}` })) },
    ],
    guides: trend.changes.map((c) => ({ x: between(c.at), label: "" })),
  };
}

const maxTrends = 12;

/** The report's: what changed most first. */
export function trendCharts(model: Model, _: State, lang: Lang): ChartResult[] {
  const head = { id: "trend", title: T.nav_trends };
  if (model.trends.length === 0) return model.trends_unread > 0 ? [{ ...head, missing: T.trend_unread, args: { count: model.trends_unread } }] : [];
  return [...model.trends.slice(0, maxTrends).map((t, i) => trendChart(t, lang, `trend-${i}`)), ...notDrawn("trend", T.nav_trends, model.trends.length - maxTrends)];
}
