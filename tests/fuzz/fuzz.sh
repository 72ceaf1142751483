#!/usr/bin/env bash
# One fuzz target over copies of its seeds, for a bounded number of runs and seconds; what breaks it is kept and named.
#   fuzz.sh PROGRAM SEED...    folders are taken with all files below them but *.md
set -euo pipefail
program=$1
shift
seconds=${ASSAY_FUZZ_SECONDS:-2}
runs=3000
seed=1
if [ -n "${ASSAY_FUZZ_SECONDS:-}" ]; then # a longer look: new ground each time
  runs=-1
  seed=0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus"
count=0
while IFS= read -r file; do
  cp "$file" "$work/corpus/$((count += 1))"
done < <(find "$@" -type f ! -name '*.md' | sort)
[ $count -gt 0 ] || { echo "no seed below $*"; exit 1; }

# Findings lie beside the program, to be looked at.
if ! "$program" -runs=$runs -max_total_time="$seconds" -seed=$seed -timeout=10 -rss_limit_mb=3000 -malloc_limit_mb=1000 \
  -max_len=65536 -artifact_prefix="$program-" -dict="$(dirname "$0")/json.dict" "$work/corpus" >"$work/log" 2>&1; then
  tail -n 60 "$work/log"
  exit 1
fi
grep -E 'DONE|Done' "$work/log"
