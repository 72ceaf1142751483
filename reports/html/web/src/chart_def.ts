// What a chart is, as data: axes, series of marks, guides. chart_option.ts draws it.
import type { Model } from "./model";
import type { State } from "./state";
import { T, type Lang, type Text } from "./text";

export interface Axis {
  name: Text;
  scale: "linear" | "log" | "nines" | "category";
  /** how a value reads on the axis and in the tooltip */
  tick: (value: number) => string;
  value: (value: number) => string;
  categories?: string[];
  /** linear axes begin at 0 unless this is set */
  tight?: boolean;
  min?: number;
  max?: number;
  /** of the ticks; the chart's own choice unless it is set */
  interval?: number;
}

export interface CostPart {
  cost: number;
  kind: "whole" | "input" | "factor";
  /** of the input or the factor */
  name?: string;
}

export interface Mark {
  x: number;
  y: number;
  xLow?: number | null;
  xHigh?: number | null;
  yLow?: number | null;
  yHigh?: number | null;
  /** the record it stands for */
  row?: number;
  /** the cost it is of, or a part of that: one input moved, one factor of the way from the target */
  part?: CostPart;
  label?: string;
}

export interface Series {
  name: string;
  /** gives colour, symbol and dash */
  tone: number | "muted" | "warn" | "bad" | "target";
  style: "points" | "line" | "points-line" | "bar" | "band" | "ticks" | "rule" | "range" | "interval";
  marks: Mark[];
  stack?: string;
  /** where a mark's label stands; right of it unless said */
  labels?: "top" | "right";
  /** not listed in the legend */
  quiet?: boolean;
}

export interface Chart {
  id: string;
  title: Text;
  note: Text;
  noteArgs?: Record<string, string | number>;
  x: Axis;
  y: Axis;
  height: number;
  series: Series[];
  /** lines across at a value of x */
  guides?: { x: number; label: string; muted?: boolean }[];
}

/** A chart for what the reader chose, or the one line that says why there is none. */
export type ChartResult = Chart | { missing: Text; args?: Record<string, string | number>; id: string; title: Text };

export interface ChartDef {
  id: string;
  section: string;
  build: (model: Model, state: State, lang: Lang) => ChartResult[];
}

/** Says how many charts of a kind were left out, where any was. */
export const notDrawn = (id: string, title: Text, count: number): ChartResult[] => (count > 0 ? [{ id, title: [title[0].split("：")[0], title[1].split(":")[0]], missing: T.more_charts, args: { count } }] : []);

export const isMissing = (c: ChartResult): c is Extract<ChartResult, { missing: Text }> => "missing" in c;
