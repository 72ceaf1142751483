#!/usr/bin/env bash
# Prepares the packages in WORK and runs the browser tests there. WEB is where the page was bundled.
#
#   tests/browser/run.sh WORK ASSAY WRITE_SIMULATED WEB
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mkdir -p "${1:?expected a working folder}" && cd "$1" && pwd)
assay=${2:?expected the command}
write_simulated=${3:?expected the writer of simulated records}
web=${4:?expected the folder in which the page was bundled}
source=$(cd "$here/../.." && pwd)

for name in chromium chromium-browser google-chrome google-chrome-stable; do
  chromium=$(command -v "$name") && break
done
[ -n "${chromium:-}" ] || { echo "run.sh: no Chromium; harness/dependencies.sh test installs it" >&2; exit 1; }

cp "$here"/{package.json,package-lock.json,.npmrc,page.mjs,notes.mjs,notes.test.mjs,report.test.mjs,answers.test.mjs,imported.test.mjs,trends.test.mjs,whatif.test.mjs} "$here/../bench/page_open.mjs" "$work/"
cd "$work"
if ! cmp -s package-lock.json installed.lock; then
  npm ci --no-progress --loglevel=error
  cp package-lock.json installed.lock
fi
rm -rf records tuned out
"$write_simulated" records
"$write_simulated" tuned products=own
"$web/node_modules/.bin/esbuild" "$source/reports/html/web/src/phrases.ts" --bundle --format=esm --log-level=warning --outfile="$work/phrases.mjs"
ASSAY=$assay RECORDS=$work/records TUNED=$work/tuned PUBLISHED=$source/results/published SOURCE=$source PHRASES=$work/phrases.mjs PLOTS=$(dirname "$assay")/../share/assay/web/plots.mjs \
  WORK=$work/out CHROMIUM=$chromium node --test notes.test.mjs report.test.mjs answers.test.mjs imported.test.mjs trends.test.mjs whatif.test.mjs
