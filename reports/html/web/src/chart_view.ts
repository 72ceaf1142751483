// Charts on the page: drawn when they come into view, redrawn for the printer, with their numbers as a table beside.
import type { EChartsType } from "echarts/core";
import { isMissing, type Axis, type Chart, type ChartDef, type CostPart, type Mark } from "./chart_def";
import { chartOption } from "./chart_option";
import { chipLabel, numberButton, type Page } from "./context";
import { h } from "./dom";
import { echarts } from "./echarts_setup";
import { T } from "./text";

const printWidth = 680;
const printHeight = 0.78; // of its height on a screen
const maxTableMarks = 300;
const maxSources = 6; // records named beside a note

interface Mounted {
  chart: Chart;
  box: HTMLElement;
  instance: EChartsType | null;
}

export class ChartView {
  private mounted: Mounted[] = [];
  private seen = new IntersectionObserver((entries) => entries.forEach((e) => e.isIntersecting && this.draw(e.target)), { rootMargin: "300px" });
  private resized = new ResizeObserver((entries) => entries.forEach((e) => this.resize(e.target)));
  private printing = false;

  constructor(private page: Page) {
    window.addEventListener("beforeprint", () => this.forPrinter(true));
    window.addEventListener("afterprint", () => this.forPrinter(false));
  }

  clear(): void {
    for (const m of this.mounted) m.instance?.dispose();
    this.seen.disconnect();
    this.resized.disconnect();
    this.mounted = [];
  }

  /** The charts of a definition as figures; what has no data says so in a line. */
  figures(def: ChartDef): HTMLElement[] {
    const { model, state, say } = this.page;
    return def.build(model, state, state.lang).map((result) => {
      if (isMissing(result)) return h("p", { class: "missing" }, h("b", {}, say(result.title, result.args)), " ", say(result.missing, result.args));
      const box = h("div", { class: "chart", id: `chart-${result.id}`, style: `height:${result.height}px`, role: "img", "aria-label": say(result.title, result.noteArgs) });
      const note = say(result.note, result.noteArgs);
      this.mounted.push({ chart: result, box, instance: null });
      this.seen.observe(box);
      this.resized.observe(box);
      return h(
        "figure",
        {},
        h("figcaption", {}, h("h3", {}, say(result.title, result.noteArgs)), h("p", { class: "note" }, note, note.includes("\n") ? "\n" : " ", this.sources(result))),
        box,
        this.numbers(result),
      );
    });
  }

  /** What the numbers of the note are from: the records and costs of the marks. */
  private sources(chart: Chart): HTMLElement | null {
    const marks = chart.series.flatMap((s) => s.marks);
    const rows = [...new Set(marks.flatMap((m) => (m.row === undefined ? [] : [m.row])))];
    const costs = [...new Set(marks.flatMap((m) => (m.part ? [m.part.cost] : [])))];
    if (rows.length + costs.length === 0) return null;
    const all = rows.slice(0, maxSources).map((r) => this.recordButton(r));
    const more = rows.length > maxSources ? [numberButton(this.page.say(T.more, { count: rows.length - maxSources }), () => this.page.openRows(rows.map((r) => this.page.model.rows[r])))] : [];
    const parts = costs.map((c) => numberButton(`${this.page.say(T.m_cost)}${this.page.state.lang === "zh" ? "：" : ": "}${chipLabel(this.page, this.page.model.costs[c].chip)}`, () => this.page.openCost(c)));
    return h("span", { class: "sources-of no-print" }, `${this.page.say(T.d_from)} `, [...all, ...more, ...parts].flatMap((b, i) => (i === 0 ? [b] : [" ", b])));
  }

  private numbers(chart: Chart): HTMLElement {
    const { say } = this.page;
    const value = (axis: Axis, v: number): string => (axis.scale === "category" ? (axis.categories?.[v] ?? "") : axis.value(v));
    const range = (axis: Axis, low?: number | null, high?: number | null): string => (low == null || high == null ? "" : ` (${value(axis, low)} – ${value(axis, high)})`);
    const marks = chart.series.filter((s) => s.style !== "band" && s.style !== "ticks").flatMap((s) => s.marks.map((m) => ({ name: s.name, m, of: s })));
    // A label beside a bar says no more than the bar.
    const listed = marks.filter(({ m, of }) => of.style !== "interval" || m.xLow !== m.xHigh);
    const line = (name: string, m: Mark): HTMLElement =>
      h(
        "tr",
        {},
        h("td", {}, m.row === undefined ? name : `${name} · ${this.page.model.cases[this.page.model.rows[m.row].case].id}`),
        h("td", { class: "number" }, value(chart.x, m.x) + range(chart.x, m.xLow, m.xHigh)),
        h("td", { class: "number" }, value(chart.y, m.y) + range(chart.y, m.yLow, m.yHigh)),
        h("td", {}, m.part ? this.partButton(m.part) : m.row === undefined ? "" : this.recordButton(m.row)),
      );
    const table = h("div", { class: "scroll", tabindex: 0 });
    const fill = (): void => {
      if (table.childElementCount > 0) return;
      const heads = [say(T.series), say(chart.x.name), say(chart.y.name), say(T.c_record)];
      table.append(
        h("table", { class: "records" }, h("thead", {}, h("tr", {}, heads.map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, listed.slice(0, maxTableMarks).map(({ name, m }) => line(name, m)))),
      );
      if (listed.length > maxTableMarks) table.append(h("p", { class: "note" }, say(T.more, { count: listed.length - maxTableMarks })));
    };
    return h("details", { class: "no-print", toggle: fill }, h("summary", {}, say(T.as_table)), table);
  }

  private partButton(part: CostPart): HTMLElement {
    return h("button", { type: "button", class: "figure", "data-part": part.name ?? part.kind, click: () => this.page.openPart(part) }, this.page.say(T.d_origin));
  }

  private recordButton(row: number): HTMLElement {
    const record = this.page.model.rows[row];
    return h("button", { type: "button", class: "figure", click: () => this.page.openRecord(record) }, h("code", {}, record.id.slice(0, 8)));
  }

  private draw(box: Element): void {
    const m = this.mounted.find((x) => x.box === box);
    if (!m || m.instance) return;
    m.instance = echarts.init(m.box, null, { renderer: "svg" });
    m.instance.on("click", (event) => {
      const { row, part } = (event.data ?? {}) as Pick<Mark, "row" | "part">;
      if (part) this.page.openPart(part);
      else if (row !== undefined) this.page.openRecord(this.page.model.rows[row]);
    });
    this.paint(m);
  }

  private paint(m: Mounted): void {
    const { lang, theme } = this.page.state;
    const width = this.printing ? printWidth : m.box.clientWidth;
    m.instance?.setOption(chartOption(m.chart, { lang, theme: this.printing ? "light" : theme, width, caseOf: (row) => this.page.model.cases[this.page.model.rows[row].case].id }), true);
  }

  private resize(box: Element): void {
    const m = this.mounted.find((x) => x.box === box);
    if (!m?.instance || this.printing) return;
    m.instance.resize();
    this.paint(m);
  }

  /** A printer has its own width and no dark paper; what was never in view must be there too. */
  private forPrinter(on: boolean): void {
    this.printing = on;
    document.querySelectorAll<HTMLDetailsElement>("details.sources, details.on-paper").forEach((d) => (d.open = on));
    for (const m of this.mounted) {
      this.draw(m.box);
      const height = Math.round(m.chart.height * (on ? printHeight : 1));
      m.box.style.height = `${height}px`;
      m.instance?.resize(on ? { width: printWidth, height } : { width: "auto", height });
      this.paint(m);
      m.instance?.getZr().flush();
    }
  }
}
