#!/usr/bin/env bash
# Builds the page of the report into OUT_DIR, in a folder of its own: nothing is written beside the sources.
#
#   reports/html/web/build.sh WORK_DIR OUT_DIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=${1:?expected a working folder}
out=${2:?expected the folder for report.html}

for program in node npm; do
  if ! command -v "$program" >/dev/null; then
    echo "build.sh: no $program; the page of the report needs Node.js 18 or later with npm:" >&2
    echo "  harness/dependencies.sh report" >&2
    exit 1
  fi
done
mkdir -p "$work" "$out"
work=$(cd "$work" && pwd)
out=$(cd "$out" && pwd)
cp "$here"/{package.json,package-lock.json,.npmrc,tsconfig.json,build.mjs} "$work/"
rm -rf "$work/src"
cp -r "$here/src" "$work/src"
cd "$work"
# Packages come by the lock file, and only where it changed.
if ! cmp -s package-lock.json installed.lock; then
  npm ci --no-progress --loglevel=error
  cp package-lock.json installed.lock
fi
npx --no-install tsc --noEmit
node build.mjs "$out"
