// Every plot of a report as an SVG file, for mails:  node plots.mjs MODEL.json OUT_DIR zh|en
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMissing, type Chart } from "./chart_def";
import { chartOption } from "./chart_option";
import { chartDefs } from "./charts";
import { echarts } from "./echarts_setup";
import { inks } from "./palette";
import { parseModel } from "./model";
import { initialState } from "./state";
import { say, type Lang } from "./text";

const width = 900;
const titleHeight = 62;

function drawing(chart: Chart, lang: Lang): string {
  const height = chart.height + titleHeight;
  const instance = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  const option = chartOption(chart, { lang, theme: "light", width, static: true }) as Record<string, { top?: number } | undefined>;
  const ink = inks.light;
  option.grid = { ...option.grid, top: (option.grid?.top ?? 0) + titleHeight };
  option.legend = { ...option.legend, top: titleHeight };
  instance.setOption({
    ...option,
    title: {
      text: say(chart.title, lang, chart.noteArgs),
      subtext: say(chart.note, lang, chart.noteArgs),
      left: 8,
      top: 6,
      textStyle: { color: ink.text, fontSize: 16 },
      subtextStyle: { color: ink.muted, fontSize: 12, width: width - 24, overflow: "break" },
    },
  });
  const svg = instance.renderToSVGString();
  instance.dispose();
  return svg;
}

const [source, folder, language] = process.argv.slice(2);
if (!source || !folder || (language !== "zh" && language !== "en")) {
  console.error("plots.mjs: expected MODEL.json OUT_DIR zh|en");
  process.exit(2);
}
const model = parseModel(readFileSync(source, "utf8"));
const state = initialState(model, "", language, false);
for (const def of chartDefs) {
  for (const result of def.build(model, state, language)) {
    if (!isMissing(result)) writeFileSync(join(folder, `${result.id}.svg`), drawing(result, language));
  }
}
