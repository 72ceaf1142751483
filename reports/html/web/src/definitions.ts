// What each figure of a row means: its formula and the inputs that it was computed from. One definition each.
import { bytesText, intervalText, numberText, percentText, rateText, timeText } from "./format";
import type { Case, Row } from "./model";
import type { Text } from "./text";

export interface Figure {
  id: string;
  name: Text;
  formula: string;
  meaning: Text;
  text: (row: Row) => string | null;
  interval?: (row: Row) => string | null;
  /** value as the model holds it */
  raw: (row: Row) => number | null;
  inputs: (row: Row, c: Case) => [Text, string][];
}

const steps = (r: Row): [Text, string] => [["计时步数 n", "timed steps n"], String(r.steps)];
const total = (r: Row): [Text, string] => [["总时间", "total time"], r.mean_ns === null ? "–" : timeText(r.mean_ns * r.steps)];
const show = (value: number | null, text: (v: number) => string): string => (value === null ? "–" : text(value));

/** What a ceiling was measured with and when first; of several launches it is their mean by time, or one stands for all. */
function ceilingFacts(r: Row, how: string): [Text, string][] {
  const out: [Text, string][] = [];
  if (how !== "") out.push([["上限的测法", "measured with"], how]);
  if (r.ceiling_measured !== "") out.push([["首次测量时间", "first measured at"], r.ceiling_measured]);
  if (r.ceiling_shared) out.push([["并非每次启动都测得 GEMM 与读取；缺者以首次启动前测得的为准，之后速度若变，比值可超过 100 %", "GEMM or read not measured beside each launch; of what one lacks, the rate before the first launch counts for all: where the pace changed since, the ratio may pass 100 %"], "!"]);
  return out;
}

function quantile(id: "p50" | "p90" | "p99" | "p99_9", share: string): Figure {
  const [value, low, high] = [`${id}_ns`, `${id}_low_ns`, `${id}_high_ns`] as (keyof Row)[];
  const at = (r: Row, key: keyof Row): number | null => r[key] as number | null;
  return {
    id,
    name: [`${share} 单步时延`, `${share} of step times`],
    formula: `x₍⌈n·p⌉₎,  p = ${share.slice(1)} %`,
    meaning: [
      "按时间排序后的第 ⌈n·p⌉ 步；上下界为次序统计量，各以 99 % 置信成立，不假设分布。独立步数不足时（p99 需 459，p99.9 需 4,603）不给上界，也不外推。",
      "The ⌈n·p⌉-th of the sorted steps; the bounds are order statistics that hold at 99 % each for any distribution. Where independent steps are too few (p99 needs 459, p99.9 4,603) there is no upper bound, and nothing is extrapolated.",
    ],
    raw: (r) => at(r, value),
    text: (r) => (at(r, value) === null ? null : timeText(at(r, value) as number)),
    interval: (r) => {
      const [l, u] = [at(r, low), at(r, high)];
      if (u === null) return l === null ? null : `≥ ${timeText(l)}`;
      return l === null ? `≤ ${timeText(u)}` : `${timeText(l)} – ${timeText(u)}`;
    },
    inputs: (r) => [steps(r), ...(r.independent_steps === null ? [] : [[["相当于独立步数", "worth independent steps"], String(r.independent_steps)] as [Text, string]])],
  };
}

export const figures: Figure[] = [
  {
    id: "rate",
    name: ["吞吐量", "Throughput"],
    formula: "Σ tokens / Σ t",
    meaning: [
      "总 token 数除以总时间（调和平均，不是速率的平均）。95 % 区间包含各次启动之间的差异：同一批测试中各用例合并的方差分析，加上每次启动内各步的误差，按 Student t 计；只启动一次的记录则由分块自助法得出，不含启动间的差异。",
      "All tokens over all time (harmonic, never the mean of rates). The 95 % interval contains what launches differ by (analysis of variance pooled over the cases of a campaign, and each launch's own steps, by Student's t); of a record of one launch it is a bootstrap of blocks, which knows nothing between launches.",
    ],
    raw: (r) => r.rate,
    text: (r) => (r.rate === null ? null : rateText(r.rate, r.rate_low, r.rate_high, r.unit)),
    interval: (r) => (r.rate === null || r.rate_low === null || r.rate_high === null ? null : intervalText(r.rate, r.rate_low, r.rate_high, r.unit)),
    inputs: (r, c) => [[["每步 tokens", "tokens per step"], String(c.tokens_per_step)], steps(r), total(r)],
  },
  quantile("p50", "p50"),
  quantile("p90", "p90"),
  quantile("p99", "p99"),
  quantile("p99_9", "p99.9"),
  {
    id: "determinism",
    name: ["时延确定性", "Determinism"],
    formula: "p99 / p50",
    meaning: ["p99 与 p50 之比：1 表示每步一样快。界由两者的次序统计量界得出。", "p99 over p50: 1 says that all steps take the same time. Bounds from the order-statistic bounds of both."],
    raw: (r) => (r.p99_ns === null || r.p50_ns === null ? null : r.p99_ns / r.p50_ns),
    text: (r) => (r.p99_ns === null || r.p50_ns === null ? null : `${numberText(r.p99_ns / r.p50_ns)} ×`),
    interval: (r) =>
      r.p99_low_ns === null || r.p99_high_ns === null || r.p50_low_ns === null || r.p50_high_ns === null
        ? null
        : `${numberText(r.p99_low_ns / r.p50_high_ns)}–${numberText(r.p99_high_ns / r.p50_low_ns)}`,
    inputs: (r) => [[["p99", "p99"], show(r.p99_ns, timeText)], [["p50", "p50"], show(r.p50_ns, timeText)], steps(r)],
  },
  {
    id: "jitter",
    name: ["抖动", "Jitter"],
    formula: "p99 |xᵢ − xᵢ₋₁|",
    meaning: ["相邻两步时延之差绝对值的 p99。", "p99 of the change from one step to the next."],
    raw: (r) => r.jitter_ns,
    text: (r) => (r.jitter_ns === null ? null : timeText(r.jitter_ns)),
    inputs: (r) => [steps(r)],
  },
  {
    id: "stalls",
    name: ["卡顿率", "Stall rate"],
    formula: "#{x > 2·median} / n",
    meaning: ["超过中位数两倍的步所占比例；与主机停顿重合者归因于主机。", "Share of steps over twice the median; one that falls on a gap of the host is the host’s."],
    raw: (r) => r.stall_rate,
    text: (r) => (r.stall_rate === null ? null : percentText(r.stall_rate)),
    inputs: (r) => [[["卡顿次数", "stalls"], show(r.stalls, String)], [["其中主机引起", "of these, the host’s"], show(r.stalls_host, String)], steps(r)],
  },
  {
    id: "drift",
    name: ["漂移", "Drift"],
    formula: "d x / d t / median",
    meaning: ["步时延随时间的斜率（最小二乘），每秒相对中位数的变化；95 % 区间计入自相关。", "Slope of step time over time (least squares), a second, relative to the median; 95 % interval widened by autocorrelation."],
    raw: (r) => r.drift_per_s,
    text: (r) => (r.drift_per_s === null ? null : `${(r.drift_per_s * 100).toFixed(3)} %/s`),
    interval: (r) => (r.drift_low_per_s === null || r.drift_high_per_s === null ? null : `${(r.drift_low_per_s * 100).toFixed(3)}–${(r.drift_high_per_s * 100).toFixed(3)}`),
    inputs: (r) => [steps(r)],
  },
  {
    id: "mfu",
    name: ["算力利用率 MFU", "MFU"],
    formula: "FLOP / (t · FLOP/s_attainable)",
    meaning: ["模型 FLOP 数除以时间与实测上限（同设备大矩阵乘）之积；超过 100 % 说明测上限时机器较慢。", "Model FLOPs over time × the attainable peak (a large GEMM on the same device); over 100 % says that the machine was slower during its ceiling."],
    raw: (r) => r.mfu,
    text: (r) => (r.mfu === null ? null : percentText(r.mfu)),
    inputs: (r, c) => [[["每步 FLOP", "FLOP per step"], numberText(c.flops)], [["实测上限", "attainable"], show(r.ceiling_flops, (v) => rateText(v, null, null, "FLOP/s"))], ...ceilingFacts(r, r.ceiling_gemm)],
  },
  {
    id: "mbu",
    name: ["带宽利用率 MBU", "MBU"],
    formula: "(weights + KV) / (t · B/s_attainable)",
    meaning: ["每步必须搬运的字节（权重 + KV）除以时间与实测读带宽之积；超过 100 % 说明测上限时内存较慢，或数据部分留在缓存中。", "Bytes that a step must move (weights and KV cache) over time × the read bandwidth measured on the same device; over 100 % says that memory was slower during its ceiling, or that caches held a part."],
    raw: (r) => r.mbu,
    text: (r) => (r.mbu === null ? null : percentText(r.mbu)),
    inputs: (r, c) => [[["权重", "weights"], bytesText(c.weight_bytes)], [["KV 缓存", "KV cache"], bytesText(c.kv_bytes)], [["实测上限", "attainable"], show(r.ceiling_bytes, (v) => rateText(v, null, null, "bytes/s"))], ...ceilingFacts(r, r.ceiling_read)],
  },
  {
    id: "energy",
    name: ["每 token 能耗", "Energy per token"],
    formula: "E / Σ tokens",
    meaning: ["计时窗口内的能量除以 token 数；来源写明，无读数即无数值。", "Energy inside the timed window over its tokens; the source is named, and without a reading there is no value."],
    raw: (r) => r.joules_per_token,
    text: (r) => (r.joules_per_token === null ? null : `${numberText(r.joules_per_token)} J`),
    inputs: (r) => [[["来源", "source"], r.energy_source || "–"], [["平均功率", "mean power"], show(r.watts, (v) => `${numberText(v)} W`)], ...(r.energy_note ? [[["说明", "note"], r.energy_note] as [Text, string]] : [])],
  },
];

export const figureOf = (id: string): Figure => figures.find((f) => f.id === id) as Figure;
