// Where labels of points stand on a chart with two log axes, so that none lies on another or on a point.
import type { Axis, Chart, Mark } from "./chart_def";

export type Place = "right" | "left" | "top" | "bottom";

interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const pointSize = 13;
const gap = 5; // between a point and its label
const lineHeight = 15;
const clearance = 2;

const textWide = (text: string): number => [...text].reduce((sum, c) => sum + (c.charCodeAt(0) > 0x2e80 ? 11.5 : 6.6), 0);

const touches = (a: Box, b: Box): boolean => a.left < b.right + clearance && b.left < a.right + clearance && a.top < b.bottom + clearance && b.top < a.bottom + clearance;

const within = (a: Box, b: Box): boolean => a.left >= b.left && a.right <= b.right && a.top >= b.top && a.bottom <= b.bottom;

function boxAt(x: number, y: number, place: Place, label: string): Box {
  const [wide, away] = [textWide(label), pointSize / 2 + gap];
  const left = place === "right" ? x + away : place === "left" ? x - away - wide : x - wide / 2;
  const top = place === "top" ? y - away - lineHeight + gap : place === "bottom" ? y + away - gap : y - lineHeight / 2;
  return { left, top, right: left + wide, bottom: top + lineHeight };
}

/** A log axis ends at whole decades. */
function decades(axis: Axis, values: number[]): [number, number] {
  const [low, high] = [Math.floor(Math.log10(axis.min ?? Math.min(...values)) + 1e-9), Math.ceil(Math.log10(axis.max ?? Math.max(...values)) - 1e-9)];
  return [low, Math.max(high, low + 1)];
}

/** The place of each label, in the order of the series; a mark that is not in it has none that is free. `frame`: of the axes, in pixels. */
export function labelPlaces(chart: Chart, frame: Box): Map<Mark, Place> {
  const marks = chart.series.flatMap((s) => s.marks);
  const [x0, x1] = decades(chart.x, marks.map((m) => m.x));
  const [y0, y1] = decades(chart.y, marks.flatMap((m) => [m.y, m.yLow ?? m.y, m.yHigh ?? m.y]));
  const at = (m: Mark): [number, number] => [frame.left + ((Math.log10(m.x) - x0) / (x1 - x0)) * (frame.right - frame.left), frame.bottom - ((Math.log10(m.y) - y0) / (y1 - y0)) * (frame.bottom - frame.top)];
  const points = chart.series.filter((s) => s.style === "points" || s.style === "points-line").flatMap((s) => s.marks.map((mark) => ({ mark, first: s.labels ?? "right" })));
  const boxes = new Map(points.map(({ mark }): [Mark, Box] => {
    const [x, y] = at(mark);
    return [mark, { left: x - pointSize / 2, top: y - pointSize / 2, right: x + pointSize / 2, bottom: y + pointSize / 2 }];
  }));
  const taken: Box[] = [];
  const out = new Map<Mark, Place>();
  for (const { mark, first } of points) {
    if (!mark.label) continue;
    const [x, y] = at(mark);
    const own = boxes.get(mark) as Box;
    // Points that lie on its own can't be kept clear of its label on every side.
    const others = [...boxes.values()].filter((b) => !touches(b, own));
    const free = [first, "right", "left", "top", "bottom"].find((place) => {
      const box = boxAt(x, y, place as Place, mark.label as string);
      return within(box, frame) && ![...taken, ...others].some((b) => touches(b, box));
    });
    if (free === undefined) continue;
    taken.push(boxAt(x, y, free as Place, mark.label));
    out.set(mark, free as Place);
  }
  return out;
}
