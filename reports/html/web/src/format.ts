// Numbers as a reader wants them: as many digits as the interval supports (as reports/format.cpp does).

const clamp = (v: number, low: number, high: number): number => Math.min(high, Math.max(low, v));

/** Decimals that show two digits of the uncertainty, at most four after the point. */
export function decimalsFor(uncertainty: number, value: number): number {
  const size = uncertainty > 0 ? uncertainty : Math.abs(value) / 1000;
  return size > 0 ? clamp(1 - Math.floor(Math.log10(size)), 0, 4) : 0;
}

export function timeText(ns: number): string {
  const scales: [number, string][] = [
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "µs"],
    [1, "ns"],
  ];
  const [factor, unit] = scales.find(([f]) => ns / f >= 1) ?? scales[3];
  const value = ns / factor;
  return `${value.toFixed(value >= 99.95 ? 1 : value >= 9.995 ? 2 : 3)} ${unit}`;
}

export function rateScale(perS: number, unit: string): [number, string] {
  if (unit === "tokens/s") return [1, "tokens/s"];
  if (unit === "passes/s") return [1, unit];
  if (unit === "pixels/s") return [1e6, "Mpixel/s"];
  const name = unit === "FLOP/s" ? "FLOP/s" : "B/s";
  if (perS >= 1e12) return [1e12, `T${name}`];
  if (perS >= 1e9) return [1e9, `G${name}`];
  return [1e6, `M${name}`];
}

/** Four significant digits: more claim what nothing bounds. */
function fourDigits(value: number): string {
  const place = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value))) - 3;
  return place > 0 ? String(Math.round(value / 10 ** place) * 10 ** place) : value.toFixed(Math.min(-place, 6));
}

export function rateText(perS: number, low: number | null, high: number | null, unit: string, withUnit = true): string {
  const [factor, name] = rateScale(perS, unit);
  const half = low !== null && high !== null ? (high - low) / 2 / factor : 0;
  const text = grouped(half > 0 ? (perS / factor).toFixed(decimalsFor(half, perS / factor)) : fourDigits(perS / factor));
  return withUnit || factor !== 1 ? `${text} ${name}` : text;
}

export function intervalText(perS: number, low: number, high: number, unit: string): string {
  const [factor] = rateScale(perS, unit);
  const decimals = decimalsFor((high - low) / 2 / factor, perS / factor);
  return `${grouped((low / factor).toFixed(decimals))}–${grouped((high / factor).toFixed(decimals))}`;
}

/** Thousands apart by commas, as both languages write them. */
export function grouped(text: string): string {
  const [whole, rest] = text.split(".");
  const out = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return rest === undefined ? out : `${out}.${rest}`;
}

/** A range where it is known within the step of a confidential figure alone. */
export function probabilityText(p: { low: number; high: number } | null): string {
  if (p === null) return "–";
  const [low, high] = [percentText(p.low), percentText(p.high)];
  return low === high ? low : `${low.slice(0, -2)}–${high}`;
}

export const percentText = (share: number): string => `${(share * 100).toFixed(1)} %`;

/** Significant digits without an exponent where it can be avoided. */
export function numberText(value: number, digits = 3): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-5) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return `${mantissa}×10${superscript(Number(exponent))}`;
  }
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return grouped(value.toFixed(decimals));
}

function superscript(n: number): string {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  return (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map((d) => digits[Number(d)]).join("");
}

/** A short number for an axis: 1.5k, 20M. */
export function axisNumber(value: number): string {
  const size = Math.abs(value);
  const steps: [number, string][] = [
    [1e15, "P"],
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ];
  for (const [factor, letter] of steps) if (size >= factor) return `${trim(value / factor)}${letter}`;
  return trim(value);
}

const trim = (v: number): string => (v === 0 ? "0" : Number(v.toPrecision(3)).toString());

/** Ticks of an axis that does not begin at 0: as many digits as tell neighbours apart. */
export function fineTick(low: number, high: number): (value: number) => string {
  const step = Math.abs(high - low) / 10;
  const decimals = step > 0 ? clamp(Math.ceil(-Math.log10(step)), 0, 9) : 3;
  return (value) => Number(value.toFixed(decimals)).toString();
}

/** A short time for an axis: "20 ms". */
export function axisTime(ns: number): string {
  if (ns === 0) return "0";
  if (ns >= 1e9) return `${trim(ns / 1e9)} s`;
  if (ns >= 1e6) return `${trim(ns / 1e6)} ms`;
  if (ns >= 1e3) return `${trim(ns / 1e3)} µs`;
  return `${trim(ns)} ns`;
}

export function bytesText(bytes: number): string {
  if (bytes >= 1024 ** 3) return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** The nearest 1, 2 or 5 times a power of ten below or above: ends of a logarithmic axis. */
export const roundDown = (v: number): number => Math.max(...[1, 2, 5].map((s) => s * 10 ** Math.floor(Math.log10(v))).filter((s) => s <= v));
export const roundUp = (v: number): number => Math.min(...[1, 2, 5, 10].map((s) => s * 10 ** Math.floor(Math.log10(v))).filter((s) => s >= v));
