// Colours that stay apart for the common forms of colour blindness (after Okabe and Ito), with a shape and a dash each,
// so that nothing is told by colour alone.

export interface Tone {
  color: string;
  symbol: string;
  dash: number[] | "solid";
}

const light = ["#0072B2", "#D55E00", "#00795A", "#A8538F", "#8A6A00", "#2B8FC4", "#4B4B4B", "#7A3E9D"];
const dark = ["#56B4E9", "#F28E4B", "#2FC59B", "#E39CC6", "#E3B93C", "#8AD0F5", "#BDBDBD", "#BC93DB"];
const star = "path://M0,-10L2.4,-3.2L9.5,-3.1L3.9,1.2L5.9,8.1L0,4L-5.9,8.1L-3.9,1.2L-9.5,-3.1L-2.4,-3.2Z";
const plus = "path://M-3,-10H3V-3H10V3H3V10H-3V3H-10V-3H-3Z";
const symbols = ["circle", "rect", "triangle", "diamond", star, plus, "pin", "roundRect"];
const dashes: Tone["dash"][] = ["solid", [7, 4], [2, 3], [9, 3, 2, 3], [12, 4], [4, 2], [1, 2], [6, 2, 2, 2]];

export function toneOf(index: number, theme: "light" | "dark"): Tone {
  const at = index % light.length;
  return { color: (theme === "dark" ? dark : light)[at], symbol: symbols[at], dash: dashes[at] };
}

export interface Ink {
  text: string;
  muted: string;
  line: string;
  faint: string;
  surface: string;
  warn: string;
  bad: string;
}

export const inks: Record<"light" | "dark", Ink> = {
  light: { text: "#1c2733", muted: "#5b6672", line: "#c9d0d8", faint: "#e8ecf0", surface: "#ffffff", warn: "#8A6A00", bad: "#B3261E" },
  dark: { text: "#e6ebf0", muted: "#a3aebb", line: "#465260", faint: "#2a333d", surface: "#161d25", warn: "#E3B93C", bad: "#FF8A80" },
};
