// The report's page: made of the embedded model, drawn again whenever the reader changes the state.
import { answerSection } from "./answer";
import { ChartView } from "./chart_view";
import { chartDefs } from "./charts";
import { makeParts, makeSay, numberButton, type Page } from "./context";
import { costInputsTable, openCost, openFact, openFigure, openPart, openRecord } from "./detail";
import { openMade, openProbability, openRatio, openRows, openVerdict, openWhatIf } from "./detail_sentences";
import { h, select } from "./dom";
import { nameUnnamed, parseModel, type Model } from "./model";
import { fragmentOf, initialState, scopeOf } from "./state";
import { environmentTable, methodsList, recordsTable } from "./tables";
import { T, type Text } from "./text";
import { costName, shownCosts, whatIfPanel } from "./whatif";

const model: Model = parseModel(document.getElementById("assay-model")!.textContent!);
const preferred = document.documentElement.dataset.lang || (navigator.language.startsWith("zh") ? "zh" : "en");
const state = initialState(model, location.hash, preferred === "zh" ? "zh" : "en", matchMedia("(prefers-color-scheme: dark)").matches);

const page: Page = {
  model,
  state,
  say: makeSay(state),
  parts: makeParts(state),
  update: render,
  openFigure: (id, row) => openFigure(page, id, row),
  openRecord: (row) => openRecord(page, row),
  openCost: (cost) => openCost(page, cost),
  openPart: (part) => openPart(page, part),
  openFact: (fact, chip) => openFact(page, fact, chip),
  openVerdict: (cost, verdict) => openVerdict(page, cost, verdict),
  openRatio: (row, other) => openRatio(page, row, other),
  openProbability: (at) => openProbability(page, at),
  openWhatIf: (cost, result) => openWhatIf(page, cost, result),
  openRows: (rows) => openRows(page, rows),
  openMade: () => openMade(page),
};
const charts = new ChartView(page);

const sections: [id: string, title: Text][] = [
  ["cost", T.nav_cost],
  ["pareto", T.nav_pareto],
  ["latency", T.nav_latency],
  ...(model.trends.length + model.trends_unread > 0 ? [["trends", T.nav_trends] as [string, Text]] : []),
  ["energy", T.nav_energy],
  ["roofline", T.nav_roofline],
  ["context", T.nav_context],
  ["video", T.nav_video],
  ["environment", T.nav_environment],
  ["records", T.nav_records],
  ["methods", T.nav_methods],
];

function toolbar(): HTMLElement {
  const button = (id: string, text: Text, press: () => void): HTMLElement => h("button", { type: "button", class: "plain", id, click: press }, page.say(text));
  return h(
    "div",
    { class: "toolbar no-print" },
    button("switch-lang", T.lang_switch, () => {
      state.lang = state.lang === "zh" ? "en" : "zh";
      page.update();
    }),
    button("switch-theme", state.theme === "dark" ? T.theme_light : T.theme_dark, () => {
      state.theme = state.theme === "dark" ? "light" : "dark";
      page.update();
    }),
    button("print", T.print, () => window.print()),
  );
}

function header(): HTMLElement {
  const open = (text: string | number): HTMLElement => numberButton(String(text), page.openMade, { "data-made": text });
  const made = page.parts(T.made, { created: open(model.created.slice(0, 10)), records: open(model.records), chips: open(model.chips.length), version: open(model.tool_version) });
  return h(
    "header",
    {},
    h("div", { class: "masthead" }, h("div", {}, h("h1", {}, model.title || page.say(T.title)), h("p", { class: "note" }, made)), toolbar()),
    h("nav", { class: "no-print", "aria-label": page.say(T.contents) }, [["answer", T.nav_answer] as [string, Text], ...sections].map(([id, title]) => h("a", { href: `#${id}`, click: goTo(id) }, page.say(title)))),
  );
}

// The fragment holds the state, so that a link within the page must not replace it.
const goTo = (id: string) => (event: Event): void => {
  event.preventDefault();
  const target = document.getElementById(id);
  target?.scrollIntoView();
  target?.querySelector<HTMLElement>("h2")?.focus({ preventScroll: true });
};

function scopePicker(): HTMLElement | null {
  const scopes = [...new Set(model.groups.map((g) => scopeOf(model, g.case)))].filter((s) => !s.startsWith(" ")).sort();
  if (scopes.length < 2) return null;
  const pick = select(page.say(T.scope_pick), scopes.map((s) => [s, s]), state.scope, (value) => {
    state.scope = value;
    page.update();
  });
  return h("div", { class: "controls no-print" }, pick);
}

/** Where each amount of the cost is from, one table a chip, also on paper. */
function costSources(): HTMLElement[] {
  return shownCosts(page).map((i) => {
    const cost = model.costs[i];
    return h("details", { class: "sources" }, h("summary", {}, `${page.say(T.cost_inputs)}${state.lang === "zh" ? "：" : ": "}${costName(page, cost)}`), costInputsTable(page, cost));
  });
}

function body(id: string): (HTMLElement | null)[] {
  if (id === "environment") return [environmentTable(page)];
  if (id === "records") return [model.aggregated ? h("p", { class: "note" }, page.say(T.aggregated)) : null, recordsTable(page)];
  if (id === "methods") return [methodsList(page)];
  const figures = chartDefs.filter((d) => d.section === id).flatMap((d) => charts.figures(d));
  if (id === "cost") return [...figures, whatIfPanel(page), ...costSources()];
  return [id === "pareto" ? scopePicker() : null, ...figures];
}

const section = ([id, title]: [string, Text]): HTMLElement =>
  h("section", { id, "aria-labelledby": `${id}-h` }, h("h2", { id: `${id}-h`, tabindex: -1 }, page.say(title)), body(id));

function render(): void {
  const focused = document.activeElement?.id;
  const top = window.scrollY;
  document.documentElement.lang = state.lang === "zh" ? "zh-CN" : "en";
  document.documentElement.dataset.theme = state.theme;
  document.title = model.title || page.say(T.title);
  nameUnnamed(model, page.say(T.unnamed_chip), page.say(T.imported));
  charts.clear();
  const main = h("main", { id: "main", tabindex: -1 }, answerSection(page), sections.map(section));
  document.getElementById("app")!.replaceChildren(h("a", { class: "skip", href: "#main", click: goTo("main") }, page.say(T.skip)), header(), main);
  history.replaceState(null, "", fragmentOf(model, state));
  window.scrollTo(0, top);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

render();
