// The arithmetic of cost, as results/metrics/cost.cpp has it (metrics.md, Money): the what-if panel's only formulas.
import type { Cost } from "./model";

/** Values of the inputs by name; an absent one is undefined. */
export type Point = Record<string, number | undefined>;

const hoursPerYear = 8760;
const need = (v: number | undefined): number => v ?? NaN;

export const capitalRecovery = (rate: number, years: number): number =>
  rate === 0 ? 1 / years : rate / -Math.expm1(-years * Math.log1p(rate));

export function owningPerHour(p: Point): number {
  const [rate, years] = [need(p.discount_rate), need(p.life)];
  const salvage = need(p.salvage_share) * (1 + rate) ** -years;
  const share = need(p.server_factor) * (capitalRecovery(rate, years) * (1 - salvage) + need(p.opex_share));
  return (need(p.chip_price) * share) / (hoursPerYear * need(p.utilisation));
}

export function electricityPerHour(p: Point): number {
  const u = need(p.utilisation);
  const idle = p.idle_power_share === undefined ? 0 : (p.idle_power_share * (1 - u)) / u;
  return need(p.wall_power) * need(p.pue) * need(p.tariff) * (1 + idle);
}

export const costPerHour = (p: Point, rented: boolean): number =>
  rented ? need(p.rent) / need(p.utilisation) : owningPerHour(p) + electricityPerHour(p);

/** Seconds of one accelerator per token: 0 cached input, 1 input, 2 output, 3 blended. */
export function secondsPerToken(p: Point, mix: Cost["mix"], tokenClass: number): number {
  const miss = 1 / need(p.input_rate);
  const out = 1 / need(p.output_rate);
  const hit = p.cached_cost_share === undefined ? miss : p.cached_cost_share * miss;
  if (tokenClass < 3) return [hit, miss, out][tokenClass];
  if (p.blended_rate !== undefined) return 1 / p.blended_rate;
  const part = (share: number, seconds: number): number => (share === 0 ? 0 : share * seconds);
  return part(mix.cached, hit) + part(mix.input, miss) + part(mix.output, out);
}

export const costPerToken = (p: Point, cost: Cost, tokenClass = cost.headline): number =>
  (costPerHour(p, cost.rented) / 3600) * secondsPerToken(p, cost.mix, tokenClass);

/** The change that says how cost `index` is paid for: 1 rented, 0 owned. */
export const wayKey = (index: number): string => `rented.${index}`;

/** The cost as the reader pays for it: its own way, or the other one with the inputs of that. */
export function paid(cost: Cost, index: number, changes: Record<string, number>): Cost {
  const wanted = changes[wayKey(index)];
  const other = cost.other_way;
  return other && wanted !== undefined && (wanted === 1) === other.rented ? { ...cost, ...other } : cost;
}

const powerInputs = ["wall_power", "idle_power_share", "pue", "tariff"];

/** Whether the provider pays for it out of the rent, so that it moves nothing. */
export const inRent = (cost: Cost, input: string): boolean => cost.rented && powerInputs.includes(input);

/** The inputs' typical values with the reader's changes; `fx` scales what is priced in another currency. */
export function pointOf(cost: Cost, index: number, changes: Record<string, number>): Point {
  const point: Point = {};
  for (const input of cost.inputs) point[input.name] = input.value ?? undefined;
  const fx = changes.fx;
  const money = cost.rented ? "rent" : "chip_price";
  if (fx !== undefined && cost.price_currency !== "CNY" && point[money] !== undefined) {
    point[money] = (point[money] as number) * (fx / cost.price_fx);
  }
  for (const [name, value] of Object.entries(changes)) {
    const [input, at] = name.split(".");
    if (at === String(index) && !inRent(cost, input)) point[input] = value;
  }
  return point;
}
