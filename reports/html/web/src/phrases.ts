// Reasons and notes in the reader's language.
import { sentences, words } from "./phrase_list";
import { say, T, type Lang } from "./text";

function translated(text: string): string {
  const launch = /^launch (\d+)(?: of (\d+))?: (.+)$/s.exec(text);
  if (launch) return `${launch[2] === undefined ? "" : `共 ${launch[2]} 次，`}第 ${launch[1]} 次启动：${translated(launch[3])}`;
  const status = /^(failed|unsupported|interrupted): (.+)$/s.exec(text);
  if (status) return `${translated(status[1])}：${translated(status[2])}`;
  for (const [pattern, zh] of sentences) {
    const found = pattern.exec(text);
    if (found) return zh.replace(/\$(\d)/g, (_, i) => translated(found[Number(i)] ?? "")).trim();
  }
  return text.includes("; ") ? text.split("; ").map(translated).join("；") : text;
}

/** A text of our own code in Chinese; of several joined by "; " each. */
export function reasonText(text: string, lang: Lang): string {
  return lang === "zh" ? words.reduce((out, [pattern, zh]) => out.replace(pattern, zh), translated(text)) : text;
}

/** At most `most` reasons in words, and how many there are beyond. */
export function someReasons(reasons: string[], most: number, lang: Lang, words = reasonText): string {
  const all = [...new Set(reasons)];
  const more = all.length > most ? [say(T.more, lang, { count: all.length - most })] : [];
  return [...all.slice(0, most).map((r) => words(r, lang)), ...more].join(lang === "zh" ? "；" : "; ") || "–";
}
