// What the reader chose, kept in the URL's fragment so that a link shows the same view.
import type { Lang } from "./text";
import type { Case, Model } from "./model";

export interface State {
  lang: Lang;
  theme: "light" | "dark";
  /** index of the case compared */
  case: number | null;
  /** "model · dtype" of the curves */
  scope: string;
  /** what-if inputs that were changed: name -> value */
  changes: Record<string, number>;
}

export const scopeOf = (model: Model, c: number): string => `${model.cases[c].model} · ${model.cases[c].dtype}`;

export function initialState(model: Model, fragment: string, preferred: Lang, dark: boolean): State {
  const state: State = {
    lang: preferred,
    theme: dark ? "dark" : "light",
    case: model.answer.case,
    scope: model.answer.case === null ? "" : scopeOf(model, model.answer.case),
    changes: {},
  };
  for (const [name, value] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    if (name === "lang" && (value === "zh" || value === "en")) state.lang = value;
    if (name === "theme" && (value === "light" || value === "dark")) state.theme = value;
    if (name === "case") pickCase(model, state, model.cases.findIndex((c) => c.id === value));
    if (name === "scope" && model.cases.some((_, i) => scopeOf(model, i) === value)) state.scope = value;
    const number = Number(value);
    if (name.startsWith("w.") && value !== "" && Number.isFinite(number)) state.changes[name.slice(2)] = number;
  }
  return state;
}

export function pickCase(model: Model, state: State, c: number): void {
  if (c < 0 || c >= model.cases.length) return;
  state.case = c;
  state.scope = scopeOf(model, c);
}

export function fragmentOf(model: Model, state: State): string {
  const out = new URLSearchParams({ lang: state.lang, theme: state.theme });
  if (state.case !== null && state.case !== model.answer.case) out.set("case", model.cases[state.case].id);
  if (state.case !== null && state.scope !== scopeOf(model, state.case)) out.set("scope", state.scope);
  for (const name of Object.keys(state.changes).sort()) out.set(`w.${name}`, String(state.changes[name]));
  return `#${out.toString()}`;
}

/** The case compared, whose context and batch the curves share: one line a chip. */
export const reference = (model: Model, state: State): Case | null => (state.case === null ? null : model.cases[state.case]);

/** `wanted` where a row has it, else the value that most rows have. */
export function commonValue<T>(rows: T[], value: (row: T) => number, wanted: number | undefined): number {
  const counts = new Map<number, number>();
  for (const row of rows) counts.set(value(row), (counts.get(value(row)) ?? 0) + 1);
  if (wanted !== undefined && counts.has(wanted)) return wanted;
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0] ?? 0;
}
