// Bundles the page into one template, report.html, and the charts for plots into plots.mjs.
//   node build.mjs OUT_DIR
import { build } from "esbuild";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

const out = process.argv[2];
if (!out) {
  console.error("build.mjs: expected the folder to write to");
  process.exit(2);
}
const common = { bundle: true, minify: true, write: false, legalComments: "none", logLevel: "warning" };
const [script, style, plots, html] = await Promise.all([
  build({ ...common, entryPoints: ["src/main.ts"], format: "iife", target: ["chrome90", "firefox98", "safari15"], charset: "utf8" }),
  build({ ...common, entryPoints: ["src/style.css"], target: ["chrome90", "firefox98", "safari15"] }),
  build({ ...common, entryPoints: ["src/plots.ts"], format: "esm", platform: "node", target: "node18" }),
  readFile("src/page.html", "utf8"),
]);
// A bundle must not end the element that holds it.
const inline = (result) => result.outputFiles[0].text.replaceAll("</script", "<\\/script").trim();
const page = html.replace("{{style}}", () => inline(style)).replace("{{script}}", () => inline(script));
await mkdir(out, { recursive: true });
for (const [name, text] of [["plots.mjs", plots.outputFiles[0].text], ["report.html", page]]) {
  await writeFile(join(out, `${name}.part`), text);
  await rename(join(out, `${name}.part`), join(out, name));
}
