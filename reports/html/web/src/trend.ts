// A case over time, as `assay trend --plot` and the report's model hand it over (trend_sheet.cpp).
export interface Trend {
  trend: string;
  device: string;
  basis: string;
  unit: string;
  points: { day: number; rate: number; low: number | null; high: number | null; changed: string[]; disturbed?: boolean; row?: number | null }[];
  changes: { at: number; ratio: number; verdict: string }[];
}

export const isTrend = (value: unknown): value is Trend => typeof value === "object" && value !== null && "trend" in value && "points" in value;
