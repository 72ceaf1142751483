// Where the row of a record and the group of a row are found.
import type { Group, Model, Row } from "./model";

/** The row of a record by its id; undefined where another of its group stands for it. */
export const rowOfRecord = (model: Model, record: string): Row | undefined => model.rows.find((r) => r.id === record);

/** The group that a row is of: its chip, case, basis, tier, part of the model and options of the adapter. */
export const groupOf = (model: Model, row: Row): Group | undefined =>
  model.groups.find((g) => {
    const of = model.rows[g.row];
    return of.chip === row.chip && of.case === row.case && of.basis === row.basis && of.tier === row.tier && of.part === row.part && of.options === row.options;
  });
