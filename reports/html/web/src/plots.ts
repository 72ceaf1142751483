// Every plot of a report, or that of a profile or a trend, as an SVG file:  node plots.mjs MODEL.json|PROFILE.json|TREND.json OUT_DIR zh|en
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMissing, type Chart } from "./chart_def";
import { chartOption } from "./chart_option";
import { chartDefs } from "./charts";
import { setPlatformAPI } from "echarts/core";
import { echarts } from "./echarts_setup";
import { inks } from "./palette";
import { nameUnnamed, parseModel } from "./model";
import { isProfile, profileRoofline } from "./profile_chart";
import { initialState } from "./state";
import { say, T, type Lang } from "./text";
import { isTrend } from "./trend";
import { trendChart } from "./trend_chart";

const width = 900;
const lineHeight = 16;
const titleSize = 16;
const titleLine = 20;

/** Nothing measures text where there is no screen: widths, in em, are those of a wide font, so that nothing overlaps. */
function charWidth(c: string): number {
  if (c.charCodeAt(0) > 0x2e80) return 1;
  if ("ijl.,:;|'!·".includes(c)) return 0.32;
  if (" ftr()[]-/".includes(c)) return 0.4;
  if ("mwMW%@—".includes(c)) return 0.95;
  return c >= "A" && c <= "Z" ? 0.7 : 0.62;
}

const textWidth = (text: string, size: number): number => [...text].reduce((sum, c) => sum + charWidth(c) * size, 0);

setPlatformAPI({ measureText: (text, font) => ({ width: textWidth(text, Number(/([\d.]+)px/.exec(font ?? "")?.[1] ?? 12)) }) });

function wrapped(text: string, pixels: number, size = 12): string[] {
  const lines = [""];
  let used = 0;
  for (const word of text.match(/[\u2e80-\uffef]|[^\s\u200b\u2e80-\uffef]+[\s\u200b]*|[\s\u200b]+/g) ?? []) {
    const wide = textWidth(word, size);
    if (used + wide > pixels && used > 0) {
      lines.push("");
      used = 0;
    }
    lines[lines.length - 1] += word;
    used += wide;
  }
  return lines;
}

function drawing(chart: Chart, lang: Lang): string {
  const note = say(chart.note, lang, chart.noteArgs)
    .split("\n")
    .flatMap((line) => wrapped(line, width - 24));
  // A case's name may be long; it breaks at its parts, too.
  const title = wrapped(say(chart.title, lang, chart.noteArgs).replace(/\//g, "/\u200b"), width - 24, titleSize * 1.1).map((line) => line.replace(/\u200b/g, ""));
  const titleHeight = 42 + titleLine * (title.length - 1) + lineHeight * note.length;
  const height = chart.height + titleHeight;
  const instance = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  const option = chartOption(chart, { lang, theme: "light", width, static: true }) as Record<string, { top?: number } | undefined>;
  const ink = inks.light;
  option.grid = { ...option.grid, top: (option.grid?.top ?? 0) + titleHeight };
  option.legend = { ...option.legend, top: titleHeight };
  instance.setOption({
    ...option,
    title: {
      text: title.join("\n"),
      subtext: note.join("\n"),
      left: 8,
      top: 6,
      textStyle: { color: ink.text, fontSize: titleSize, lineHeight: titleLine },
      subtextStyle: { color: ink.muted, fontSize: 12, lineHeight },
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
const text = readFileSync(source, "utf8");
const write = (chart: Chart): void => writeFileSync(join(folder, `${chart.id}.svg`), drawing(chart, language));
const profile: unknown = JSON.parse(text);
if (isProfile(profile)) {
  write(profileRoofline(profile, language));
} else if (isTrend(profile)) {
  write(trendChart(profile, language));
} else {
  const model = parseModel(text);
  nameUnnamed(model, say(T.unnamed_chip, language), say(T.imported, language));
  const state = initialState(model, "", language, false);
  for (const def of chartDefs) {
    for (const result of def.build(model, state, language)) {
      if (!isMissing(result)) write(result);
    }
  }
}
