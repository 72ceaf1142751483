// What the report answers on cost, as the model has it (cost_json.cpp).
export interface CostAnswer {
  kind: "cheapest" | "undecided" | "rounding" | "one-chip" | "none"; // rounding: of a confidential price
  costs: number[];
  works: number;
  /** where `costs` is of one chip: those of the work that the most chips were priced on, cheapest first */
  compared: number[];
  /** that the first is cheaper than each of the others, in their order; null where a spread is unknown */
  probabilities: ({ low: number; high: number } | null)[];
  /** in `costs`: the one that the first is least surely cheaper than */
  rival: number;
  decided_from: number;
  mixed_ways: boolean; // some are rented, others owned
  alike_by: string; // the option that prices all in one way; "" where there is none
}
