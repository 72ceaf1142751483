// Names of series.
import { chipName, type Model, type Row } from "./model";
import { reasonText } from "./phrases";
import { basisText, say, type Lang } from "./text";

/** Name of a chip's series with any basis but measured, what part of the model ran and with which options of the adapter: no line goes without its mark. */
export function seriesName(model: Model, row: Row, lang: Lang): string {
  const name = chipName(model, row.chip);
  const marks = [row.basis === "measured" ? "" : say(basisText(row.basis), lang), reasonText(row.part, lang), row.options].filter(Boolean);
  return marks.length === 0 ? name : `${name} [${marks.join(", ")}]`;
}
