// One case on one chip by date: each record with its interval, and where the level or what it ran on changed.
import type { Chart, Mark } from "./chart_def";
import { rateScale, rateText } from "./format";
import { basisText, say, T, type Lang } from "./text";

/** What `assay trend --plot` hands over. */
export interface Trend {
  trend: string;
  device: string;
  basis: string;
  unit: string;
  points: { day: number; rate: number; low: number | null; high: number | null; changed: string[] }[];
  changes: { at: number; ratio: number; verdict: string }[];
}

export const isTrend = (value: unknown): value is Trend => typeof value === "object" && value !== null && "trend" in value && "points" in value;

const secondsPerDay = 86400;

/** "11-26", and the year where the axis begins in another one; below a day the time. */
const dayText = (day: number, span: number): string => {
  const iso = new Date(Math.round(day * secondsPerDay) * 1000).toISOString();
  return span < 3 ? iso.slice(5, 16).replace("T", " ") : iso.slice(span > 300 ? 0 : 5, 10);
};

export function trendChart(trend: Trend, lang: Lang): Chart {
  const { points } = trend;
  const unit = rateScale(points[0].rate, trend.unit)[1];
  const days = points.map((p) => p.day);
  const span = Math.max(...days) - Math.min(...days);
  const mark = (p: Trend["points"][number]): Mark => ({ x: p.day, y: p.rate, yLow: p.low, yHigh: p.high });
  // Beside the points, so that no label lies on one.
  const floor = Math.min(...points.map((p) => p.low ?? p.rate));
  const ceiling = Math.max(...points.map((p) => p.high ?? p.rate));
  const between = (at: number): number => (points[at].day + points[at - 1].day) / 2;
  return {
    id: "trend",
    title: T.trend_title,
    note: T.trend_note,
    noteArgs: { case: trend.trend, device: trend.device, basis: say(basisText(trend.basis), lang) },
    x: { name: T.axis_date, scale: "linear", tight: true, tick: (v) => dayText(v, span), value: (v) => dayText(v, 0) },
    y: { name: [unit, unit], scale: "linear", tight: true, tick: (v) => rateText(v, null, null, trend.unit, false), value: (v) => rateText(v, null, null, trend.unit) },
    height: 420,
    series: [
      { name: say(T.trend_record, lang), tone: 0, style: "points-line", marks: points.map((p) => mark(p)) },
      { name: say(T.trend_ground, lang), tone: "warn", style: "points", labels: "right", marks: points.filter((p) => p.changed.length > 0).map((p) => ({ x: p.day, y: floor, label: p.changed.map((c) => c.split(" ")[0]).join(", ") })) },
      { name: say(T.trend_change, lang), tone: "bad", style: "points", labels: "right", marks: trend.changes.map((c) => ({ x: between(c.at), y: ceiling, label: `${c.verdict} ${c.ratio.toFixed(3)}` })) },
    ],
    guides: trend.changes.map((c) => ({ x: between(c.at), label: "" })),
  };
}
