// The what-if panel: change an input, read the cost. Its state stands in the URL.
import { numberButton, type Page } from "./context";
import { nameOf } from "./cost_charts";
import { h, select } from "./dom";
import { numberText } from "./format";
import { headlineCost, priced, workOf, type Cost } from "./model";
import { costPerHour, costPerToken, electricityPerHour, inRent, paid, pointOf, secondsPerToken, wayKey } from "./money";
import { reasonText } from "./phrases";
import { fragmentOf } from "./state";
import { T, type Text } from "./text";

interface Knob {
  name: string;
  label: Text;
  min: number;
  max: number;
}

const knobs: Knob[] = [
  { name: "chip_price", label: T.k_chip_price, min: 0, max: 1e9 },
  { name: "server_factor", label: T.k_server_factor, min: 1, max: 20 },
  { name: "rent", label: T.k_rent, min: 0, max: 1e6 },
  { name: "utilisation", label: T.k_utilisation, min: 0.001, max: 1 },
  { name: "life", label: T.k_life, min: 0.25, max: 30 },
  { name: "discount_rate", label: T.k_discount_rate, min: 0, max: 1 },
  { name: "salvage_share", label: T.k_salvage_share, min: 0, max: 1 },
  { name: "opex_share", label: T.k_opex_share, min: 0, max: 2 },
  { name: "wall_power", label: T.k_wall_power, min: 0, max: 1000 },
  { name: "idle_power_share", label: T.k_idle_power_share, min: 0, max: 1 },
  { name: "pue", label: T.k_pue, min: 1, max: 5 },
  { name: "tariff", label: T.k_tariff, min: 0, max: 1000 },
  { name: "input_rate", label: T.k_input_rate, min: 1e-6, max: 1e12 },
  { name: "output_rate", label: T.k_output_rate, min: 1e-6, max: 1e12 },
  { name: "blended_rate", label: T.k_blended_rate, min: 1e-6, max: 1e12 },
  { name: "cached_cost_share", label: T.k_cached_cost_share, min: 0, max: 1 },
];

/** Costs that the panel shows: those that are compared, else every priced one. */
export function shownCosts(page: Page): number[] {
  const { model } = page;
  if (model.cost_answer.costs.length > 0) return [...model.cost_answer.costs, ...model.cost_answer.compared];
  return model.costs.flatMap((c, i) => (priced(c) ? [i] : []));
}

/** With its work where costs of several stand beside one another. */
export function costName(page: Page, cost: Cost): string {
  const works = new Set(shownCosts(page).map((i) => workOf(page.model.costs[i])));
  return `${nameOf(page.model, cost, page.state.lang)}${works.size > 1 ? ` · ${workOf(cost)}` : ""}`;
}

export function whatIfPanel(page: Page): HTMLElement | null {
  const { model, state, say } = page;
  const shown = shownCosts(page);
  if (shown.length === 0) return null;
  const results = h("tbody", { id: "what-if-results", "aria-live": "polite" });
  const boxes: HTMLInputElement[] = [];
  const compute = (): void => {
    results.replaceChildren(...resultRows(page, shown));
    history.replaceState(null, "", fragmentOf(model, state));
  };
  const box = (key: string, value: number | null | undefined, knob: Knob, label: string): HTMLElement => {
    // What is shown must be what counts as unchanged.
    const base = value == null ? null : Number(value.toPrecision(6));
    const input = h("input", { type: "number", step: "any", min: knob.min, max: knob.max, "aria-label": label, "data-knob": key, value: state.changes[key] ?? base ?? "" });
    const changed = (): void => {
      const number = Number(input.value);
      const good = input.value !== "" && Number.isFinite(number) && number >= knob.min && number <= knob.max;
      input.setAttribute("aria-invalid", String(!good && input.value !== ""));
      if (good && number !== base) state.changes[key] = number;
      else delete state.changes[key];
      input.classList.toggle("changed", key in state.changes);
      compute();
    };
    input.addEventListener("input", changed);
    input.classList.toggle("changed", key in state.changes);
    boxes.push(input);
    return input;
  };
  const asPaid = (i: number): Cost => paid(model.costs[i], i, state.changes);
  const inputOf = (i: number, name: string) => asPaid(i).inputs.find((x) => x.name === name);
  const rows = knobs
    .filter((k) => shown.some((i) => inputOf(i, k.name) && !inRent(asPaid(i), k.name)))
    .map((k) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, say(k.label)),
        shown.map((i) => {
          const input = inputOf(i, k.name);
          const shownAs = inRent(asPaid(i), k.name) ? say(T.in_rent) : input ? box(`${k.name}.${i}`, input.value, k, `${say(k.label)}: ${costName(page, asPaid(i))}`) : "–";
          return h("td", { "data-label": costName(page, asPaid(i)) }, shownAs);
        }),
      ),
    );
  if (shown.some((i) => model.costs[i].other_way)) rows.unshift(h("tr", {}, h("th", { scope: "row" }, say(T.k_way)), shown.map((i) => h("td", { "data-label": costName(page, asPaid(i)) }, wayPicker(page, i)))));
  const foreign = shown.map((i) => asPaid(i)).find((c) => c.price_currency !== "CNY");
  if (foreign) {
    const label = say(T.k_fx, { currency: foreign.price_currency });
    rows.push(h("tr", {}, h("th", { scope: "row" }, label), h("td", { colspan: shown.length }, box("fx", foreign.price_fx, { name: "fx", label: T.k_fx, min: 0.01, max: 1000 }, label))));
  }
  const reset = (): void => {
    for (const key of Object.keys(state.changes)) delete state.changes[key];
    page.update();
  };
  compute();
  return h(
    "div",
    { class: "what-if no-print" },
    h("h3", {}, say(T.what_if)),
    h("p", { class: "note" }, say(T.what_if_note)),
    h(
      "div",
      { class: "scroll", tabindex: 0 },
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, say(T.item)), shown.map((i) => h("th", { scope: "col" }, costName(page, asPaid(i)))))),
        h("tbody", {}, rows),
        results,
      ),
    ),
    h("div", { class: "controls" }, h("button", { type: "button", class: "plain", id: "what-if-reset", click: reset }, say(T.reset)), h("span", { class: "note" }, say(T.share_note))),
  );
}

/** Rented or owned; what was changed of the one says nothing of the other. */
function wayPicker(page: Page, i: number): HTMLElement {
  const { model, state, say } = page;
  const cost = model.costs[i];
  const rented = paid(cost, i, state.changes).rented;
  const ways = (cost.other_way ? [true, false] : [cost.rented]).map((way): [string, string] => [String(Number(way)), say(way ? T.rented : T.owned)]);
  const picker = select("", ways, String(Number(rented)), (value) => {
    for (const key of Object.keys(state.changes)) if (key.endsWith(`.${i}`)) delete state.changes[key];
    if ((value === "1") !== cost.rented) state.changes[wayKey(i)] = Number(value);
    page.update();
  });
  const box = picker.querySelector("select")!;
  box.id = `way-${i}`;
  box.setAttribute("aria-label", `${say(T.k_way)}: ${costName(page, cost)}`);
  return picker;
}

function resultRows(page: Page, shown: number[]): HTMLElement[] {
  const { model, state, say } = page;
  const costs = shown.map((i) => paid(model.costs[i], i, state.changes));
  const points = shown.map((i, k) => pointOf(costs[k], i, state.changes));
  const perToken = costs.map((cost, k) => costPerToken(points[k], cost));
  const row = (id: string, label: string, value: (k: number) => string): HTMLElement =>
    h("tr", { class: "result" }, h("th", { scope: "row" }, label), shown.map((i, k) => h("td", { id: `${id}-${i}`, "data-label": costName(page, costs[k]) }, numberButton(value(k), () => page.openWhatIf(i, id), { "data-what-if": `${id}.${i}` }))));
  const money = (v: number): string => (Number.isFinite(v) ? numberText(v, 4) : say(T.not_computable));
  const change = (k: number): string => {
    const before = headlineCost(costs[k]).value;
    if (before === null || !Number.isFinite(perToken[k])) return "–";
    const share = perToken[k] / before - 1;
    return Math.abs(share) < 5e-6 ? "0 %" : `${share > 0 ? "+" : "−"}${(Math.abs(share) * 100).toFixed(1)} %`;
  };
  return [
    row("per-100k", say(T.per_100k), (k) => money(perToken[k] * 1e5)),
    row("per-1m", say(T.per_1m), (k) => money(perToken[k] * 1e6)),
    row("change", say(T.change), change),
    row("per-hour", say(T.per_hour), (k) => money(costPerHour(points[k], costs[k].rented))),
    row("electricity", say(T.electricity_100k), (k) => costs[k].rented ? say(T.in_rent) : money((electricityPerHour(points[k]) / 3600) * secondsPerToken(points[k], costs[k].mix, costs[k].headline) * 1e5)),
    ...model.targets.map((t, n) => row(`target-${n}`, reasonText(t.text, state.lang), (k) => targetText(page, perToken[k], t.cny_per_token))),
  ];
}

function targetText(page: Page, perToken: number, target: number): string {
  if (!Number.isFinite(perToken)) return "–";
  return perToken <= target ? page.say(T.within_target) : page.say(T.over_target, { gap: numberText(perToken / target) });
}
