// What a step is made of, and what a clip is: ops on the roofline and their least times, the parts of a clip.
import { notDrawn, type ChartResult, type Mark, type Series } from "./chart_def";
import { axisNumber, axisTime, numberText, rateText, timeText } from "./format";
import { chipName, shownRows, usable, type Clip, type Model, type Op, type Row } from "./model";
import { rowOfRecord } from "./lookup";
import { seriesName } from "./series";
import type { State } from "./state";
import { basisText, say, T, type Lang, type Text } from "./text";

const maxCharts = 3;
const maxBars = 12;

interface Roof {
  row: Row;
  peak: number;
  bandwidth: number;
}

/** The chosen case on each chip whose ceilings were measured beside it. */
function roofs(model: Model, state: State): Roof[] {
  return shownRows(model)
    .filter((r) => r.case === state.case && usable(r) && r.ceiling_flops !== null && r.ceiling_bytes !== null)
    .map((row) => ({ row, peak: row.ceiling_flops as number, bandwidth: row.ceiling_bytes as number }));
}

const opsOf = (model: Model, state: State): Op[] => model.ops.find((o) => o.case === state.case)?.ops ?? [];

const leastNs = (op: Op, roof: Roof): number => op.count * Math.max(op.flops / roof.peak, op.bytes / roof.bandwidth) * 1e9;

/** One label where several ops stand on one another: the longest and how many more. */
function labels(ops: Op[], roof: Roof): string[] {
  const places = new Map<number, Op[]>();
  for (const op of ops) {
    const place = Math.round(Math.log10(op.flops / op.bytes) * 8);
    places.set(place, [...(places.get(place) ?? []), op]);
  }
  const named = new Map([...places.values()].map((list): [Op, string] => {
    const longest = list.reduce((a, b) => (leastNs(b, roof) > leastNs(a, roof) ? b : a));
    return [longest, list.length > 1 ? `${longest.name} +${list.length - 1}` : longest.name];
  }));
  return ops.map((op) => named.get(op) ?? "");
}

const opName = (op: Op): string => (op.layer ? `${op.name} × ${op.count}` : op.name);

export function opRoofline(model: Model, state: State, lang: Lang): ChartResult[] {
  const head = { id: "op-roofline", title: T.op_title };
  const ops = opsOf(model, state).filter((op) => op.flops > 0 && op.bytes > 0);
  const all = roofs(model, state);
  if (ops.length === 0 || all.length === 0) return [{ ...head, missing: T.op_empty }];
  const intensities = ops.map((op) => op.flops / op.bytes);
  const highest = all.reduce((a, b) => (b.bandwidth > a.bandwidth ? b : a));
  const series: Series[] = all.flatMap((roof): Series[] => {
    const name = seriesName(model, roof.row, lang);
    const ridge = roof.peak / roof.bandwidth;
    const ends = [Math.min(...intensities, ridge) / 2, ridge, Math.max(...intensities, ridge) * 2];
    const at = (x: number): number => Math.min(x * roof.bandwidth, roof.peak);
    const named = labels(ops, roof);
    const c = model.cases[roof.row.case];
    const step = c.flops / (c.weight_bytes + c.kv_bytes || Infinity);
    return [
      { name: `${name} · ${say(T.ceiling, lang)}`, tone: roof.row.chip, style: "rule", quiet: true, marks: ends.map((x) => ({ x, y: at(x) })) },
      {
        name: `${name} · ${say(T.op_projected, lang)}`,
        tone: "muted",
        style: "points",
        quiet: true,
        labels: "top",
        marks: ops.map((_, i): Mark => ({ x: intensities[i], y: at(intensities[i]), row: roof.row.index, label: roof === highest ? named[i] : "" })),
      },
      {
        name: `${name} · ${say(T.op_step, lang)}`,
        tone: roof.row.chip,
        style: "points",
        marks: step > 0 && roof.row.flops_per_s !== null ? [{ x: step, y: roof.row.flops_per_s, row: roof.row.index }] : [],
      },
    ];
  });
  return [
    {
      ...head,
      note: T.op_note,
      noteArgs: { case: model.cases[all[0].row.case].id },
      x: { name: T.axis_intensity, scale: "log", tick: axisNumber, value: (v) => `${numberText(v)} FLOP/B` },
      y: { name: T.axis_flops, scale: "log", tick: axisNumber, value: (v) => rateText(v, null, null, "FLOP/s") },
      height: 380,
      series,
    },
  ];
}

export function opTimes(model: Model, state: State, lang: Lang): ChartResult[] {
  const ops = opsOf(model, state);
  const all = ops.length > 0 ? roofs(model, state) : [];
  const drawn = all
    .slice(0, maxCharts)
    .map((roof, i): ChartResult => {
      const order = [...ops].sort((a, b) => leastNs(b, roof) - leastNs(a, roof));
      const shown = order.slice(0, maxBars);
      const sum = ops.reduce((total, op) => total + leastNs(op, roof), 0);
      const measured = roof.row.mean_ns;
      return {
        id: `op-time-${i}`,
        title: T.optime_title,
        note: T.optime_note,
        noteArgs: {
          case: model.cases[roof.row.case].id,
          chip: seriesName(model, roof.row, lang),
          sum: timeText(sum),
          step: measured === null ? "–" : timeText(measured),
          share: measured === null ? "–" : `${numberText((sum / measured) * 100)} %`,
          rest: order.length - shown.length,
        },
        x: { name: T.axis_least, scale: "linear", tick: axisTime, value: timeText, min: 0 },
        y: { name: T.item, scale: "category", tick: String, value: String, categories: shown.map(opName) },
        height: 90 + 30 * shown.length,
        series: [
          { name: say(T.op_projected, lang), tone: roof.row.chip, style: "bar", stack: "op", marks: shown.map((op, y): Mark => ({ x: leastNs(op, roof), y, row: roof.row.index })) },
          {
            name: say(T.op_share, lang),
            tone: "muted",
            style: "interval",
            quiet: true,
            marks: shown.map((op, y): Mark => ({ x: leastNs(op, roof), y, xLow: leastNs(op, roof), xHigh: leastNs(op, roof), label: `${numberText((leastNs(op, roof) / sum) * 100)} %` })),
          },
        ],
      };
    });
  return [...drawn, ...notDrawn("op-time", T.optime_title, all.length - drawn.length)];
}

const partText = (name: string): Text => T[`part_${name.replace(/ /g, "_")}` as keyof typeof T] ?? [name, name];

const clipLimitS = 30;

const clipSize = (clip: Clip): string => `${clip.frames} × ${clip.height} × ${clip.width}`;

/** With the size where clips of several stand beside one another. */
const clipName = (model: Model, clip: Clip): string => {
  const sizes = new Set(model.clips.map(clipSize));
  return `${chipName(model, clip.chip)}\n${clip.model} ${clip.dtype}\n${clip.steps} × ${clip.passes}${sizes.size > 1 ? `, ${clipSize(clip)}` : ""}`;
};

function clipCost(model: Model, clip: Clip, lang: Lang): string {
  const name = clipName(model, clip).split("\n").join(", ");
  const cost = clip.cny === null ? say(T.no_price, lang) : `¥ ${numberText(clip.cny)}${clip.cny_low === null || clip.cny_high === null ? "" : ` (${numberText(clip.cny_low)} – ${numberText(clip.cny_high)})`}`;
  const missing = clip.missing.length > 0 ? ` ${say(T.clip_missing, lang, { parts: clip.missing.map((part) => say(partText(part), lang)).join(", ") })}` : "";
  const chips = say(T.clip_chips, lang, { n: `${clip.missing.length > 0 && lang === "en" ? "≥ " : ""}${Math.ceil(clip.seconds / clipLimitS)}` });
  return lang === "zh" ? `${name}：${cost}，${chips}${missing}` : `${name}: ${cost}, ${chips}${missing}`;
}

export function clipParts(model: Model, _: State, lang: Lang): ChartResult[] {
  const head = { id: "clip", title: T.clip_title };
  const clips = model.clips;
  if (clips.length === 0) {
    const kinds = new Set(shownRows(model).filter(usable).map((r) => model.cases[r.case].kind));
    const parts = [T.part_text_encoder, T.part_VAE_tiles].filter((_, i) => kinds.has(["text-encoder", "vae-tile"][i]));
    if (parts.length === 0 || kinds.has("dit")) return [{ ...head, missing: T.clip_empty }];
    return [{ ...head, missing: T.clip_no_pass, args: { parts: parts.map((part) => say(part, lang)).join(lang === "zh" ? "、" : ", ") } }];
  }
  const names = [...new Set(clips.flatMap((c) => c.parts.map((p) => p.name)))];
  const parts = names.map((name, tone): Series => ({
    name: say(partText(name), lang),
    tone,
    style: "bar",
    stack: "clip",
    marks: clips.flatMap((c, y) => c.parts.filter((p) => p.name === name).map((p): Mark => ({ x: p.count * p.seconds_each, y, row: rowOfRecord(model, p.record)?.index }))),
  }));
  const totals: Series = {
    name: say(T.clip_total, lang),
    tone: "muted",
    style: "interval",
    quiet: true,
    marks: clips.map((c, y): Mark => ({ x: c.seconds, y, xLow: c.seconds_low, xHigh: c.seconds_high, label: `${c.missing.length > 0 ? "> " : ""}${timeText(c.seconds * 1e9)}` })),
  };
  return [
    {
      ...head,
      note: T.clip_note,
      noteArgs: { size: [...new Set(clips.map(clipSize))].join("; "), costs: clips.map((c) => clipCost(model, c, lang)).map((line) => `\n${line}`).join(""), basis: [...new Set(clips.map((c) => say(basisText(c.basis), lang)))].join(", ") },
      x: { name: T.axis_clip, scale: "linear", tick: (v) => axisTime(v * 1e9), value: (v) => timeText(v * 1e9), min: 0 },
      y: { name: T.item, scale: "category", tick: String, value: String, categories: clips.map((c) => clipName(model, c)) },
      height: 100 + 84 * clips.length,
      series: [...parts, totals],
    },
  ];
}
