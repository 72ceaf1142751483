// What every part of the page works with.
import type { CostPart } from "./chart_def";
import { chipName, type Model, type Row } from "./model";
import type { State } from "./state";
import { reasonText } from "./phrases";
import { basisText, say, sayParts, T, type Text } from "./text";
import { figureOf } from "./definitions";
import { h } from "./dom";
import { rateText } from "./format";

export interface Page {
  model: Model;
  state: State;
  say: (text: Text, args?: Record<string, string | number>) => string;
  /** the same with elements among the arguments */
  parts: (text: Text, args?: Record<string, string | number | Node>) => (string | Node)[];
  /** draws the page again after a change of the state */
  update: () => void;
  openFigure: (id: string, row: Row) => void;
  openRecord: (row: Row) => void;
  openCost: (cost: number) => void;
  openPart: (part: CostPart) => void;
  openFact: (fact: number, chip: number) => void;
  openVerdict: (cost: number, verdict: number) => void;
  openRatio: (row: Row, other: Row) => void;
  /** how likely the cheapest is cheaper than the one at this place of the answer's costs */
  openProbability: (at: number) => void;
  openWhatIf: (cost: number, result: string) => void;
  openRows: (rows: Row[]) => void;
  openMade: () => void;
}

/** A number that opens to what it is made of. */
export const numberButton = (text: string, open: () => void, attributes: Record<string, string | number> = {}): HTMLElement =>
  h("button", { type: "button", class: "figure", ...attributes, click: open }, text);

export const makeSay = (state: State) => (text: Text, args: Record<string, string | number> = {}): string => say(text, state.lang, args);

export const makeParts = (state: State) => (text: Text, args: Record<string, string | number | Node> = {}): (string | Node)[] => sayParts(text, state.lang, args);

/** How a number came to be, as a mark with a shape of its own. */
export function basisMark(page: Page, basis: string): HTMLElement {
  const shapes: Record<string, string> = { measured: "■", reported: "◆", projected: "▲", simulated: "○" };
  return h("span", { class: `basis basis-${basis}` }, h("span", { "aria-hidden": "true" }, shapes[basis] ?? "?"), ` ${page.say(basisText(basis))}`);
}

/** Beside a figure of which only a part of the model ran; null where it was the whole. */
export const partMark = (page: Page, row: Row): HTMLElement | null =>
  row.part === "" ? null : h("span", { class: "part", title: page.say(T.part_note) }, ` ${reasonText(row.part, page.state.lang)}`);

/** Beside a figure of a run with options of the adapter; null where it had none. */
export const optionsMark = (page: Page, row: Row): HTMLElement | null => (row.options === "" ? null : h("span", { class: "options", title: page.say(T.options_note) }, ` ${row.options}`));

/** Beside a case whose step is a piece that was measured apart; null where it is a whole prompt or token. */
export function pieceMark(page: Page, row: Row): HTMLElement | null {
  const { piece } = page.model.cases[row.case];
  return piece === "" ? null : h("span", { class: "piece", title: page.say(T.piece_note) }, ` ${reasonText(piece, page.state.lang)}`);
}

/** The whole model's rate, projected from the part that ran; null where that isn't known. */
export const wholeRate = (page: Page, row: Row): HTMLElement | null =>
  row.part === "" || row.projected_rate === null ? null : h("div", { class: "interval whole" }, `${page.say(T.d_projected)} ${rateText(row.projected_rate, null, null, row.unit)}`);

/** How much of the model ran, in brackets; "" where that stands in the record only. */
export function partDetail(page: Page, part: string): string {
  if (part === "a part of the model") return "";
  const text = reasonText(part, page.state.lang);
  return page.state.lang === "zh" ? `（${text}）` : ` (${text})`;
}

/** Beside an interval that rests on one launch only; null where it contains what launches differ by. */
export const launchMark = (page: Page, rows: Row[]): HTMLElement | null =>
  rows.some((r) => r.one_launch) ? h("span", { class: "one-launch", title: page.say(T.one_launch_note) }, page.say(T.one_launch)) : null;

/** A figure that opens to its formula, inputs and record. */
export function figureButton(page: Page, id: string, row: Row, text?: string): HTMLElement {
  const figure = figureOf(id);
  const shown = text ?? figure.text(row);
  if (shown === null) return h("span", { class: "absent" }, "–");
  return h(
    "button",
    {
      type: "button",
      class: "figure",
      "data-figure": id,
      "data-row": row.index,
      title: page.say(figure.name),
      click: () => page.openFigure(id, row),
    },
    shown,
  );
}

export const chipLabel = (page: Page, chip: number): string => chipName(page.model, chip);
