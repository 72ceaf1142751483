// The report's model as the page embeds it; written by reports/html/report_json.cpp.
import type { CostAnswer } from "./cost_answer";
import type { Curve } from "./curve";
import type { Trend } from "./trend";

export type Basis = "measured" | "reported" | "projected" | "simulated";

export interface Chip {
  product: string;
  /** whether its source says no product; set by nameUnnamed */
  unnamed?: boolean;
  adapter: string;
  /** by which adapter, or that it was imported; set by nameUnnamed */
  served?: string;
  arch: string;
  vendor: string;
  driver: string;
  support: string;
  memory_bytes: number;
  records: number;
}

export interface Case {
  id: string;
  hash: string;
  suite: string;
  kind: string;
  model: string;
  dtype: string;
  /** What of the case's name follows its shape: "p16 cold". */
  variant: string;
  /** What its step is a piece of that was measured apart: "chunk of 512 tokens of a prompt, behind 4096"; "" where it is a whole prompt or token. */
  piece: string;
  batch: number;
  tokens: number;
  context: number;
  token_class: string;
  tokens_per_step: number;
  flops: number;
  weight_bytes: number;
  kv_bytes: number;
  parameters: number; // of the model; 0: not known
}

type Maybe = number | null;

/** Times in ns, rates in `unit`, energy in J. `index` is the row's place in the model. */
export interface Row {
  index: number;
  chip: number;
  case: number;
  id: string;
  created: string;
  tier: string;
  basis: Basis;
  status: string;
  reason: string;
  form: string;
  /** of the model that ran, "2/24 layers"; "" where it was the whole: the rate is the part's */
  part: string;
  accelerators: Maybe; // of a reported row: of how many its source's figures are; the rate is of one
  stop: string;
  numerics: string;
  commit: string;
  executed: string;
  disturbed: boolean;
  causes: string[];
  warnings: string[];
  threads: number;
  /** what its user set of the adapter, and of a CPU the threads where runs of it differ in them: "products=own threads=2" */
  options: string;
  steps: number;
  timed_s: number;
  prepare_s: number;
  load_s: number;
  unit: string;
  rate: Maybe;
  rate_low: Maybe;
  rate_high: Maybe;
  /** whether the rate's interval knows nothing of what launches differ by; null where that isn't known */
  one_launch: boolean | null;
  projected_rate: Maybe;
  median_ns: Maybe;
  mean_ns: Maybe;
  p50_ns: Maybe;
  p50_low_ns: Maybe;
  p50_high_ns: Maybe;
  p90_ns: Maybe;
  p90_low_ns: Maybe;
  p90_high_ns: Maybe;
  p99_ns: Maybe;
  p99_low_ns: Maybe;
  p99_high_ns: Maybe;
  p99_9_ns: Maybe;
  p99_9_low_ns: Maybe;
  p99_9_high_ns: Maybe;
  max_ns: Maybe;
  jitter_ns: Maybe;
  tail_ratio: Maybe;
  cov: Maybe;
  qcd: Maybe;
  stall_rate: Maybe;
  stalls: Maybe;
  stalls_host: Maybe;
  drift_per_s: Maybe;
  drift_low_per_s: Maybe;
  drift_high_per_s: Maybe;
  period_steps: Maybe;
  independent_steps: Maybe;
  bimodal: boolean | null;
  flops_per_s: Maybe;
  bytes_per_s: Maybe;
  mfu: Maybe;
  mbu: Maybe;
  ceiling_flops: Maybe;
  ceiling_bytes: Maybe;
  ceiling_note: string;
  ceiling_gemm: string;
  ceiling_read: string;
  ceiling_measured: string;
  ceiling_shared: boolean;
  joules_per_token: Maybe;
  watts: Maybe;
  energy_source: string;
  energy_note: string;
}

export interface Group {
  chip: number;
  case: number;
  row: number;
  records: number;
  ok: number;
  rate_min: Maybe;
  rate_max: Maybe;
}

export interface EnvironmentLine {
  name: string;
  /** of each chip */
  values: string[][];
  /** beside each value, the newest record that states it */
  records: string[][];
}

export interface Incomparable {
  kind: string;
  chip: number | null;
  case: number | null;
  count: number;
  detail: string;
}

export interface Answer {
  kind: "fastest" | "undecided" | "one-chip" | "none";
  case: number | null;
  basis: Basis;
  groups: number[];
}

export interface Amount {
  value: Maybe;
  low: Maybe;
  high: Maybe;
  reason: string;
}

export interface CostInput {
  name: string;
  unit: string;
  /** null where it is confidential */
  value: Maybe;
  low: Maybe;
  high: Maybe;
  basis: string;
  source: string;
  date: string;
  grade: string;
  note: string;
  confidential: boolean;
}

export interface Verdict {
  target: number;
  reached: "reached" | "not reached" | "can't tell";
  gap: Maybe;
  gap_low: Maybe;
  gap_high: Maybe;
  /** basis: "" where it is the cost's */
  waterfall: { name: string; factor: Maybe; meaning: string; basis: Basis | "" }[];
  levers: { input: string; now: Maybe; needed: Maybe; possible: boolean; limit: string }[];
  impossible_by_electricity: boolean;
  reason: string;
}

/** Money in CNY; per_token and electricity_per_token by class, in the order of `classes`. */
export interface Cost {
  chip: number;
  model: string;
  dtype: string;
  basis: Basis;
  variant: string;
  input_case: string;
  output_case: string;
  input_cases: number;
  output_cases: number;
  rows: number[];
  missing: string;
  notes: string[];
  rented: boolean;
  inputs: CostInput[];
  /** rented instead of owned, or owned instead of rented, where the prices allow it */
  other_way: Pick<Cost, "rented" | "inputs" | "price_currency" | "price_fx"> | null;
  mix: { cached: number; input: number; output: number; source: string };
  price_currency: string;
  price_fx: number;
  price_basis: string;
  per_hour: Amount;
  classes: string[];
  headline: number;
  per_token: Amount[];
  electricity_per_token: Amount[];
  tornado: { input: string; at_low: Maybe; at_high: Maybe }[];
  seed: number;
  draws: number;
  verdicts: Verdict[];
}

export interface SkewCurve {
  chip: number;
  model: string;
  dtype: string;
  kind: string;
  unit: string;
  batch: number;
  tokens: number;
  experts: number;
  top_k: number;
  ranks: number;
  basis: string;
  form: string;
  /** of the adapter, "attention=own" */
  options: string;
  points: { case: string; record: string; routing: string; seed: Maybe; per_s: number; low: Maybe; high: Maybe; active: number; expected: Maybe; expert_bytes: number; gamma: number; gamma_p95: number }[];
  rated_per_s: number;
  rated_routing: string;
  rated_one_rank_per_s: number;
  rated_one_rank_routing: string;
}

interface ContextMark {
  context: Maybe;
  note: string;
}

export interface ContextCurve {
  chip: number;
  model: string;
  dtype: string;
  kind: string;
  batch: number;
  tokens: number;
  basis: string;
  form: string;
  /** of the adapter, "attention=own" */
  options: string;
  points: { case: string; record: string; context: number; step_ns: number; low: Maybe; high: Maybe }[];
  slope_ns_per_token: Maybe;
  slope_low: Maybe;
  slope_high: Maybe;
  kv_bytes_per_token: number;
  /** Of the layers that see no more than a window; 0: none. Behind it only the others' caches grow. */
  window: number;
  kv_bytes_behind_window: number;
  knee_flops: ContextMark;
  knee_bytes: ContextMark;
  knee_time: ContextMark;
  largest: ContextMark;
}

/** Equal ops of a case: FLOPs and bytes are of one of them. */
export interface Op {
  name: string;
  layer: string;
  kind: string;
  count: number;
  flops: number;
  bytes: number;
}

export interface Clip {
  chip: number;
  model: string;
  dtype: string;
  assumption: boolean;
  frames: number;
  height: number;
  width: number;
  steps: number;
  passes: number;
  basis: Basis;
  parts: { name: string; count: number; seconds_each: number; basis: Basis; record: string; note: string }[];
  missing: string[];
  seconds: number;
  seconds_low: Maybe;
  seconds_high: Maybe;
  /** of one clip on one accelerator; null where there is no price */
  cny: Maybe;
  cny_low: Maybe;
  cny_high: Maybe;
  price_basis: string;
  unpriced: string;
}

export interface Model {
  report_version: number;
  metrics_version: number;
  title: string;
  created: string;
  tool_version: string;
  tool_commit: string;
  records: number;
  aggregated: boolean;
  answer: Answer;
  incomparable: Incomparable[];
  chips: Chip[];
  cases: Case[];
  rows: Row[];
  groups: Group[];
  curves: Curve[];
  environment: EnvironmentLine[];
  targets: { text: string; cny_per_token: number }[];
  costs: Cost[];
  /** what has no cost at all, and why */
  cost_left_out: string[];
  skew: SkewCurve[];
  context: ContextCurve[];
  ops: { case: number; layers: number; ops: Op[] }[];
  clips: Clip[];
  /** what changed most first */
  trends: Trend[];
  /** aggregated: groups of several records whose course was not read */
  trends_unread: number;
  cost_answer: CostAnswer;
}

/** Turns the embedded text into the model: rows come as arrays in the order of row_fields. */
export function parseModel(text: string): Model {
  const raw = JSON.parse(text);
  const fields: string[] = raw.row_fields;
  raw.rows = raw.rows.map((values: unknown[], index: number) => {
    const row: Record<string, unknown> = { index };
    fields.forEach((field, i) => (row[field] = values[i]));
    return row;
  });
  delete raw.row_fields;
  for (const of of raw.ops) {
    of.ops = of.ops.map(([name, layer, kind, count, flops, bytes]: [string, string, string, number, number, number]): Op => ({ name, layer, kind, count, flops, bytes }));
  }
  return raw as Model;
}

/** Names in the reader's words a chip that an imported result's source leaves out, and what no adapter ran on. */
export function nameUnnamed(model: Model, name: string, imported: string): void {
  for (const chip of model.chips) {
    chip.unnamed ??= chip.product === "";
    if (chip.unnamed) chip.product = name;
    chip.served = chip.adapter || imported;
  }
}

/** Chips of one product differ in the adapter: as in the report's other forms (chip_name in report_text.cpp). */
export function chipName(model: Model, chip: number): string {
  const c = model.chips[chip];
  const twins = model.chips.filter((other) => other.product === c.product);
  return twins.length === 1 ? c.product : `${c.product} (${c.served})`;
}

export const usable = (row: Row): boolean =>
  row.rate !== null && row.status !== "failed" && row.status !== "unsupported";

/** Whether the case's KV cache lies in pages ("…/c4096/p16"): no curve mixes layouts. */
export const pagedCache = (model: Model, row: Row): boolean => /\/p\d+(-seed\d+)?(\/|$)/.test(model.cases[row.case].id);

/** Whether the caches were flushed before each step: no curve mixes such steps with warm ones. */
export const coldCache = (model: Model, row: Row): boolean => model.cases[row.case].id.endsWith("/cold");

/** The rows that stand for their group. */
export const shownRows = (model: Model): Row[] => model.groups.map((g) => model.rows[g.row]);

export const headlineCost = (cost: Cost): Amount => cost.per_token[cost.headline];
/** "qwen2.5-0.5b bf16 p16" */
export const workOf = (cost: Cost): string => [cost.model, cost.dtype, cost.variant].filter(Boolean).join(" ");
export const priced = (cost: Cost): boolean => cost.missing === "" && headlineCost(cost).value !== null;
