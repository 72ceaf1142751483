// The roofline of a profile: each op where it was measured, under the attainable peaks and the datasheet's.
import type { Chart, Mark, Series } from "./chart_def";
import { axisNumber, numberText, rateText } from "./format";
import { basisText, say, T, type Lang } from "./text";

/** What `assay profile --json` writes, as far as it is drawn. */
export interface Profile {
  case: string;
  device: string;
  basis: string;
  attainable_flops_per_s: number | null;
  attainable_bytes_per_s: number | null;
  datasheet_flops_per_s: number | null;
  datasheet_bytes_per_s: number | null;
  ops: { op: string; count: number; seconds: number; share: number; flops_each: number; bytes_each: number }[];
}

export const isProfile = (value: unknown): value is Profile =>
  typeof value === "object" && value !== null && "attainable_flops_per_s" in value && "ops" in value;

type Op = Profile["ops"][number];

/** In decades of the axes: where labels would lie on one another. */
const labelWide = 0.6;
const labelHigh = 0.18;

const flopsPerS = (op: Op): number => (op.count * op.flops_each) / op.seconds;

/** One label where several points stand close together: the first op's name, how many more, and their share together. */
function labels(ops: Op[]): string[] {
  const places: Op[][] = [];
  const near = (a: Op, b: Op): boolean =>
    Math.abs(Math.log10((a.flops_each / a.bytes_each) * (b.bytes_each / b.flops_each))) < labelWide && Math.abs(Math.log10(flopsPerS(a) / flopsPerS(b))) < labelHigh;
  for (const op of ops) {
    const place = places.find(([first]) => near(first, op));
    if (place) place.push(op);
    else places.push([op]);
  }
  return ops.map((op) => {
    const place = places.find(([first]) => first === op);
    if (!place) return "";
    const share = place.reduce((sum, each) => sum + each.share, 0);
    return `${op.op}${place.length > 1 ? ` +${place.length - 1}` : ""}, ${numberText(share * 100)} %`;
  });
}

export function profileRoofline(profile: Profile, lang: Lang): Chart {
  const drawn = profile.ops.filter((op) => op.flops_each > 0 && op.bytes_each > 0 && op.seconds > 0);
  const named = labels(drawn);
  const intensities = drawn.map((op) => op.flops_each / op.bytes_each);
  const roof = (name: string, tone: Series["tone"], peak: number | null, bandwidth: number | null): Series[] => {
    if (peak === null || bandwidth === null) return [];
    const ridge = peak / bandwidth;
    const ends = [Math.min(...intensities, ridge) / 2, ridge, Math.max(...intensities, ridge) * 2];
    return [{ name, tone, style: "rule", marks: ends.map((x): Mark => ({ x, y: Math.min(x * bandwidth, peak) })) }];
  };
  return {
    id: "profile-roofline",
    title: T.profile_title,
    note: T.profile_note,
    noteArgs: {
      case: profile.case,
      device: profile.device,
      basis: say(basisText(profile.basis), lang),
      rest: profile.ops.length - drawn.length,
      share: numberText(profile.ops.filter((op) => !drawn.includes(op)).reduce((sum, op) => sum + op.share, 0) * 100),
    },
    x: { name: T.axis_intensity, scale: "log", tick: axisNumber, value: (v) => `${numberText(v)} FLOP/B` },
    y: { name: T.axis_flops, scale: "log", tick: axisNumber, value: (v) => rateText(v, null, null, "FLOP/s") },
    height: 420,
    series: [
      ...roof(say(T.profile_attainable, lang), 0, profile.attainable_flops_per_s, profile.attainable_bytes_per_s),
      ...roof(say(T.profile_datasheet, lang), 1, profile.datasheet_flops_per_s, profile.datasheet_bytes_per_s),
      {
        name: say(T.profile_ops, lang),
        tone: 2,
        style: "points",
        labels: "right",
        marks: drawn.map((op, i): Mark => ({ x: intensities[i], y: flopsPerS(op), label: named[i] })),
      },
    ],
  };
}
