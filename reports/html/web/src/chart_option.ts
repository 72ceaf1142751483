// Draws a chart's data: the one place that knows ECharts' options.
import type { EChartsCoreOption } from "echarts/core";
import type { Axis, Chart, Mark, Series } from "./chart_def";
import { labelPlaces, type Place } from "./label_places";
import { inks, toneOf, type Ink } from "./palette";
import { say, type Lang } from "./text";

type Theme = "light" | "dark";

interface Look {
  theme: Theme;
  lang: Lang;
  ink: Ink;
  /** width in CSS pixels: labels thin out where it is small */
  width: number;
  symbolScale: number;
  hollow?: Set<string>;
  /** where labels stand, if not where their series says; one that is not in it is left out */
  places?: Map<Mark, Place>;
}

// Without quotes: they would end the attribute that an SVG file keeps the style in.
export const fontFamily = "system-ui, -apple-system, Segoe UI, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, Noto Sans SC, sans-serif";

interface Drawn {
  color: string;
  symbol: string;
  dash: number[] | "solid";
}

const pointed = (s: Series): boolean => !s.quiet && ["points", "line", "points-line"].includes(s.style);

/** Names of the series that share another's tone, as a part of a model and the whole on one chip do: drawn hollow. */
function hollowNames(chart: Chart): Set<string> {
  const shown = chart.series.filter((s) => pointed(s) && typeof s.tone === "number" && s.marks.length > 0);
  return new Set(shown.filter((s, i) => shown.findIndex((other) => other.tone === s.tone) < i && shown.find((other) => other.tone === s.tone)?.name !== s.name).map((s) => s.name));
}

function drawn(series: Series, look: Look): Drawn {
  if (typeof series.tone === "number") {
    const tone = toneOf(series.tone, look.theme);
    return look.hollow?.has(series.name) ? { ...tone, dash: toneOf(series.tone + 3, look.theme).dash } : tone;
  }
  if (series.tone === "warn") return { color: look.ink.warn, symbol: "triangle", dash: "solid" };
  if (series.tone === "bad") return { color: look.ink.bad, symbol: "diamond", dash: "solid" };
  if (series.tone === "target") return { color: look.ink.bad, symbol: "none", dash: [8, 4] };
  return { color: look.ink.muted, symbol: "rect", dash: "solid" };
}

/** `narrow`: names of rows take most of a small chart's width. */
function axisOption(axis: Axis, look: Look, vertical: boolean, narrow: boolean): Record<string, unknown> {
  const common = {
    name: say(axis.name, look.lang),
    nameLocation: vertical ? "end" : "middle",
    nameGap: vertical ? 12 : 28,
    nameTextStyle: { color: look.ink.muted, fontSize: 12, align: vertical ? "left" : "center", padding: vertical ? [0, 0, 0, -52] : 0 },
    axisLabel: { color: look.ink.muted, fontSize: 11.5, hideOverlap: true, formatter: (v: number) => axis.tick(v) },
    axisLine: { show: !vertical, lineStyle: { color: look.ink.line } },
    axisTick: { show: !vertical, lineStyle: { color: look.ink.line } },
    splitLine: { show: vertical || axis.scale === "log", lineStyle: { color: look.ink.faint } },
    min: axis.min,
    max: axis.max,
    interval: axis.interval,
  };
  if (axis.scale === "category") {
    return {
      ...common,
      type: "category",
      data: axis.categories,
      axisLabel: { color: look.ink.text, fontSize: look.width > 520 ? 12 : 11, lineHeight: look.width > 520 ? 15 : 13, interval: 0, width: look.width > 520 ? 168 : 100, overflow: "break" },
      splitLine: { show: false },
    };
  }
  if (axis.scale === "log") return { ...common, type: "log", minorSplitLine: { show: false } };
  if (axis.scale === "nines") return { ...common, type: "value", min: 0, interval: 1, splitLine: { show: true, lineStyle: { color: look.ink.faint } } };
  return { ...common, type: "value", scale: axis.tight === true, splitNumber: vertical || look.width > 520 ? 5 : narrow ? 2 : 4 };
}

const point = (m: Mark): (number | null | undefined)[] => [m.x, m.y, m.xLow ?? null, m.xHigh ?? null, m.yLow ?? null, m.yHigh ?? null];

interface Api {
  value(dim: number): number;
  getWidth(): number;
  coord(at: [number, number]): [number, number];
}

const stroke = (x1: number, y1: number, x2: number, y2: number, color: string, width = 1.4): Record<string, unknown> => ({
  type: "line",
  shape: { x1, y1, x2, y2 },
  style: { stroke: color, lineWidth: width },
});

/** Of a whisker: a bar across, or an arrow where the interval goes on beyond the axis. */
const end = (x: number, y: number, arrow: number, color: string): unknown[] => [stroke(x - 4, y + arrow, x, y, color), stroke(x, y, x + 4, y + arrow, color)];

/** Whiskers of a mark's intervals in both directions. */
function whiskers(series: Series, color: string, look?: Look): Record<string, unknown> | null {
  const marks = series.marks.filter((m) => m.yLow != null || m.xLow != null || (look && m.label));
  if (marks.length === 0) return null;
  return {
    type: "custom",
    name: series.name,
    itemStyle: { color },
    silent: true,
    z: 3,
    data: marks.map(point),
    encode: { x: [0, 2, 3], y: [1, 4, 5] },
    renderItem: (params: { dataIndex: number; coordSys: { y: number; height: number } }, api: Api) => {
      const [x, y, xLow, xHigh, yLow, yHigh] = [0, 1, 2, 3, 4, 5].map((d) => api.value(d));
      const children: unknown[] = [];
      if (Number.isFinite(yLow) && Number.isFinite(yHigh)) {
        const [top, bottom] = [params.coordSys.y, params.coordSys.y + params.coordSys.height];
        const [[cx, low], [, high]] = [api.coord([x, yLow]), api.coord([x, yHigh])];
        const [from, to] = [Math.min(low, bottom), Math.max(high, top)];
        children.push(stroke(cx, from, cx, to, color), ...end(cx, from, low > bottom + 1 ? -6 : 0, color), ...end(cx, to, high < top - 1 ? 6 : 0, color));
      }
      if (Number.isFinite(xLow) && Number.isFinite(xHigh) && xLow !== xHigh) {
        const [[low, cy], [high]] = [api.coord([xLow, y]), api.coord([xHigh, y])];
        children.push(stroke(low, cy, high, cy, color), stroke(low, cy - 4, low, cy + 4, color), stroke(high, cy - 4, high, cy + 4, color));
      }
      const label = marks[params.dataIndex].label;
      if (look && label) {
        const [right, cy] = api.coord([Number.isFinite(xHigh) ? xHigh : x, y]);
        children.push({ type: "text", style: { x: right + 8, y: cy, text: label, fill: look.ink.text, font: `600 12.5px ${fontFamily}`, textVerticalAlign: "middle" } });
      }
      return { type: "group", children };
    },
  };
}

function band(series: Series, color: string): Record<string, unknown> {
  return {
    type: "custom",
    name: series.name,
    itemStyle: { color },
    silent: true,
    clip: true, // ECharts sets the axis by the line alone
    z: 1,
    data: [series.marks.map(point)],
    encode: { x: -1, y: -1 },
    renderItem: (_: unknown, api: Api) => {
      const upper = series.marks.map((m) => api.coord([m.x, m.yHigh as number]));
      const lower = series.marks.map((m) => api.coord([m.x, m.yLow as number])).reverse();
      return { type: "polygon", shape: { points: [...upper, ...lower] }, style: { fill: color, opacity: 0.18 } };
    },
  };
}

/** Bars from xLow to xHigh on the row y of a category axis. */
function range(series: Series, look: Look): Record<string, unknown> {
  return {
    type: "custom",
    name: series.name,
    z: 6, // over the guides: their lines would strike the labels out
    itemStyle: { color: drawn(series, look).color },
    data: series.marks.map((m) => ({ value: point(m) })),
    encode: { x: [2, 3], y: 1 },
    renderItem: (params: { dataIndex: number }, api: Api) => {
      const mark = series.marks[params.dataIndex];
      const [a, y] = api.coord([mark.xLow as number, mark.y]);
      const [b] = api.coord([mark.xHigh as number, mark.y]);
      const [left, width] = [Math.min(a, b), Math.max(2, Math.abs(a - b))];
      const up = (mark.xHigh as number) >= (mark.xLow as number);
      const color = toneOf(up ? 1 : 0, look.theme).color;
      const label = { y, text: mark.label ?? "", font: `11.5px ${fontFamily}`, textVerticalAlign: "middle" };
      const around = { backgroundColor: look.ink.surface, padding: [2, 2] };
      // Where no room is left beside the bar the label stands in it.
      const beside = left + width + 6 + 6.6 * label.text.length < api.getWidth();
      const place = beside ? { x: left + width + 6, fill: look.ink.muted, ...around } : { x: left + width - 4, fill: look.ink.text, textAlign: "right" };
      return {
        type: "group",
        children: [
          { type: "rect", shape: { x: left, y: y - 9, width, height: 18 }, style: { fill: color, opacity: up ? 0.9 : 0.75 } },
          { type: "text", style: { ...label, ...place } },
        ],
      };
    },
  };
}

/** Short strokes on the floor of the chart. */
function ticks(series: Series, color: string): Record<string, unknown> {
  return {
    type: "custom",
    name: series.name,
    silent: true,
    clip: true,
    itemStyle: { color },
    data: series.marks.map((m) => [m.x, m.y]),
    encode: { x: 0, y: -1 },
    renderItem: (params: { coordSys: { y: number; height: number } }, api: Api) => {
      const x = api.coord([api.value(0), api.value(1)])[0];
      const floor = params.coordSys.y + params.coordSys.height;
      return stroke(x, floor, x, floor - 9, color, 1.2);
    },
  };
}

function seriesOptions(series: Series, chart: Chart, look: Look): Record<string, unknown>[] {
  const tone = drawn(series, look);
  const placeOf = (m: Mark): string | undefined => (look.places ? look.places.get(m) : (series.labels ?? "right"));
  const data = series.marks.map((m) => {
    const place = m.label ? placeOf(m) : undefined;
    return { value: [m.x, m.y], row: m.row, part: m.part, label: place ? labelOf(m, look, place) : undefined };
  });
  const itemStyle = look.hollow?.has(series.name) ? { color: look.ink.surface, borderColor: tone.color, borderWidth: 2 } : { color: tone.color };
  const base = { name: series.name, data, itemStyle, labelLayout: { hideOverlap: true }, animation: false };
  if (series.style === "band") return [band(series, tone.color)];
  if (series.style === "ticks") return series.marks.length > 0 ? [ticks(series, tone.color)] : [];
  if (series.style === "range") return [range(series, look)];
  if (series.style === "interval") return list(whiskers(series, look.ink.text, look));
  if (series.style === "bar") return [barOption(series, chart, look, tone), ...list(whiskers(series, look.ink.text, look))];
  if (series.style === "points") {
    if (series.marks.length === 0) return [];
    return [{ ...base, type: "scatter", symbol: tone.symbol, symbolSize: 11 * look.symbolScale, z: 4 }, ...list(whiskers(series, tone.color))];
  }
  const joined = {
    ...base,
    type: "line",
    symbol: series.style === "points-line" ? tone.symbol : "none",
    symbolSize: 10 * look.symbolScale,
    showSymbol: series.style === "points-line",
    showAllSymbol: true,
    lineStyle: { color: tone.color, width: series.style === "rule" ? 1.5 : 2, type: tone.dash },
    silent: series.style === "rule",
    z: 4,
  };
  return [joined, ...(series.style === "points-line" ? list(whiskers(series, tone.color)) : [])];
}

const list = <T>(item: T | null): T[] => (item === null ? [] : [item]);

const labelOf = (m: Mark, look: Look, position: string): Record<string, unknown> => ({
  show: look.width > 520,
  formatter: m.label,
  position,
  color: look.ink.muted,
  fontSize: 11,
  ...halo(look),
});

/** So that a line below a label does not strike it out. */
const halo = (look: Look): Record<string, unknown> => ({ textBorderColor: look.ink.surface, textBorderWidth: 3, opacity: 1 });

const decals = [
  null,
  { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [3, 4], rotation: Math.PI / 4 },
  { symbol: "circle", symbolSize: 0.5, dashArrayX: [[8, 8], [0, 8, 8, 0]], dashArrayY: [6, 0] },
  { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 5] },
  { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [3, 4], rotation: -Math.PI / 4 },
];

function barOption(series: Series, chart: Chart, look: Look, tone: Drawn): Record<string, unknown> {
  const sideways = chart.y.scale === "category";
  return {
    name: series.name,
    type: "bar",
    stack: series.stack,
    // What the legend shows; a bar that stands alone has its own.
    itemStyle: series.stack === undefined ? { color: tone.color } : itemOf(series, { x: 0, y: 0 }, sideways, look, tone),
    barMaxWidth: 34,
    animation: false,
    data: series.marks.map((m) => ({
      value: [m.x, m.y],
      row: m.row,
      part: m.part,
      itemStyle: itemOf(series, m, sideways, look, tone),
    })),
  };
}

function itemOf(series: Series, m: Mark, sideways: boolean, look: Look, tone: Drawn): Record<string, unknown> {
  const at = series.stack === undefined ? (sideways ? m.y : m.x) : Number(series.tone);
  const decal = decals[at % decals.length];
  const color = series.stack === undefined ? toneOf(at, look.theme).color : tone.color;
  return { color, decal: decal ? { ...decal, color: "rgba(255,255,255,0.45)" } : undefined };
}

function guides(chart: Chart, look: Look): Record<string, unknown>[] {
  if (!chart.guides || chart.guides.length === 0) return [];
  return [
    {
      type: "line",
      data: [],
      silent: true,
      markLine: {
        symbol: "none",
        silent: true,
        animation: false,
        precision: 12, // its own is two decimals, a quarter of an hour on an axis of days
        lineStyle: { color: look.ink.bad, type: [7, 4], width: 1.6 },
        data: chart.guides.map((g, i) => ({
          xAxis: g.x,
          ...(g.muted ? { lineStyle: { color: look.ink.muted, type: [3, 4], width: 1 } } : {}),
          label: { formatter: g.label, position: g.muted ? "insideEndTop" : "start", rotate: g.muted ? 0 : undefined, distance: g.muted ? 2 : 3 + 15 * i, color: g.muted ? look.ink.muted : look.ink.bad, fontSize: 11.5 },
        })),
      },
    },
  ];
}

const nameWidth = (name: string): number => [...name].reduce((sum, c) => sum + (c.charCodeAt(0) > 0x2e80 ? 12 : 7), 0);

/** The width that names of a legend break at; undefined where each fits on a line. */
const legendBreak = (names: string[], width: number): number | undefined => (names.some((n) => nameWidth(n) + 60 > width) ? width - 60 : undefined);

/** Rows that the legend takes, so that the chart begins below it. */
function legendRows(names: string[], width: number): number {
  const at = legendBreak(names, width);
  if (at !== undefined) return names.reduce((rows, n) => rows + Math.ceil(nameWidth(n) / at), 0);
  let rows = 1;
  let used = 0;
  for (const name of names) {
    const wide = nameWidth(name) + 26 + 5 + 16;
    if (used + wide > width - 8 && used > 0) {
      rows += 1;
      used = 0;
    }
    used += wide;
  }
  return rows;
}

interface TooltipItem {
  seriesName: string;
  value: number[];
  marker: string;
  data?: { row?: number };
}

/** Escapes what a record may hold before it goes into a tooltip's markup. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export function chartOption(chart: Chart, look: { theme: Theme; lang: Lang; width: number; static?: boolean; caseOf?: (row: number) => string }): EChartsCoreOption {
  const full: Look = { ...look, ink: inks[look.theme], symbolScale: look.width > 520 ? 1 : 0.8, hollow: hollowNames(chart) };
  const legend = [...new Set(chart.series.filter((s) => !s.quiet && s.marks.length > 0).map((s) => s.name))];
  const sideways = chart.y.scale === "category";
  // A symbol alone keeps its shape; a line needs length to show its dashes.
  const lined = chart.series.some((s) => !s.quiet && ["line", "rule", "points-line"].includes(s.style));
  // A line without symbols has none in the legend either.
  const entry = (name: string): unknown => (chart.series.some((s) => s.name === name && !s.quiet && ["line", "rule"].includes(s.style)) ? { name, itemStyle: { opacity: 0 } } : name);
  // Rows of a category axis name themselves; a chart of one series must say whose it is.
  const listed = legend.length > (sideways ? 1 : 0);
  const aside = look.width > 520 ? 180 : 112;
  const [right, bottom] = [sideways ? 90 : 28, 46];
  const top = sideways ? 14 + 15 * (chart.guides?.length ?? 0) + (listed ? 24 * legendRows(legend, look.width) : 0) : listed ? 38 + 24 * legendRows(legend, look.width) : 40;
  if (chart.x.scale === "log" && chart.y.scale === "log") full.places = labelPlaces(chart, { left: 64, top, right: look.width - right, bottom: chart.height - bottom });
  return {
    animation: false,
    textStyle: { fontFamily, color: full.ink.text },
    backgroundColor: look.static ? full.ink.surface : "transparent",
    grid: { left: sideways ? aside : 64, right, top, bottom },
    legend: { show: listed, data: legend.map(entry), top: 0, left: 0, itemGap: 16, itemWidth: lined ? 26 : 12, itemHeight: lined ? 11 : 12, textStyle: { color: full.ink.text, fontSize: 12, width: legendBreak(legend, look.width), overflow: "break" } },
    tooltip: look.static
      ? undefined
      : {
          trigger: "item",
          confine: true,
          backgroundColor: full.ink.surface,
          borderColor: full.ink.line,
          textStyle: { color: full.ink.text, fontSize: 12 },
          formatter: (item: TooltipItem) => tooltip(item, chart, look.caseOf),
        },
    xAxis: axisOption(chart.x, full, false, sideways),
    yAxis: { ...axisOption(chart.y, full, true, false), ...(sideways ? { inverse: true, axisLine: { show: false }, axisTick: { show: false }, name: "" } : {}) },
    series: [...chart.series.flatMap((s) => seriesOptions(s, chart, full)), ...guides(chart, full)],
  };
}

function tooltip(item: TooltipItem, chart: Chart, caseOf?: (row: number) => string): string {
  const [x, y] = item.value;
  const axisValue = (axis: Axis, v: number): string => (axis.scale === "category" ? (axis.categories?.[v] ?? "") : axis.value(v));
  const row = item.data?.row;
  const of = row === undefined || caseOf === undefined ? "" : `<br>${escapeHtml(caseOf(row))}`;
  return `${item.marker}<b>${escapeHtml(item.seriesName)}</b>${of}<br>${escapeHtml(axisValue(chart.x, x))}<br>${escapeHtml(axisValue(chart.y, y))}`;
}
