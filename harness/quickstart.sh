#!/usr/bin/env bash
# From a fresh clone to a first result for this machine: installs what is missing, builds, finds the
# devices, measures the quick form of prefill and decode on the CPU, prints the table.
#
#   harness/quickstart.sh           do what is missing; keep what was measured before
#   harness/quickstart.sh --again   measure again
#
# Under 10 minutes on 2 cores from nothing, under 2 minutes of it measuring.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

again=
case "${1:-}" in
  "") ;;
  --again) again=1 ;;
  *) echo "quickstart.sh: expected no argument or --again, found '$1'" >&2; exit 2 ;;
esac

started=$SECONDS
step() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - started)); }

step "1/4 Packages"
bash harness/dependencies.sh run
echo "All there."

step "2/4 Build"
log=build/release/quickstart.log
mkdir -p build/release
if [ ! -f build/release/build.ninja ]; then
  cmake --preset release -DASSAY_BUILD_TESTS=OFF >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
cmake --build build/release --target assay_runtime >"$log" 2>&1 || { tail -n 60 "$log" >&2; exit 1; }
echo "build/release/bin/assay is up to date."

step "3/4 Devices"
assay=build/release/bin/assay
"$assay" devices

step "4/4 Measure"
out=assay-out/quickstart
before=$out-$(date -u +%Y%m%dT%H%M%SZ)
aside() { mv -T "$out" "$before"; }
measure() { "$assay" run prefill decode --quick --device cpu:0 --out "$out" "$@"; }
if [ -n "$again" ] && [ -e "$out" ]; then
  aside
fi
code=0
if [ -e "$out/campaign.json" ]; then
  measure --resume || code=$?
  if [ $code -eq 2 ]; then
    echo "What was measured before is another run, as said above: it is put aside, and all is measured again."
    aside
    code=0
    measure || code=$?
    if [ $code -eq 2 ] && [ ! -e "$out" ]; then mv -T "$before" "$out"; fi # not another run, but a wrong command
  fi
else
  measure || code=$?
fi
[ $code -eq 0 ] || exit $code

cat <<TEXT

Look closer:
  $assay show $out                 the table again (--format md, csv, json)
  $assay doctor                    what on this machine spoils a measurement, and how to mend it
  $assay run --help                other suites, models, dtypes, the full form
TEXT
