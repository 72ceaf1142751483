#!/usr/bin/env bash
# Suites in their quick form on an OpenCL CPU driver: numbers checked, steps timed by the device, the same records as of
# any other device. By default the cases that fit into a minute on 2 cores; the rest is named with the reason.
#   opencl_suites.sh ASSAY [all]
set -euo pipefail
export ASSAY=$1
all=${2:-}
OUT=$(mktemp -d)
export OUT
trap 'rm -rf "$OUT"' EXIT
export POCL_CACHE_DIR=${POCL_CACHE_DIR:-$OUT/pocl}
mkdir -p "$POCL_CACHE_DIR"
suites='prefill decode long-context moe-routing video-diffusion'

# Longest first. A worker serves the cases of a line one after another.
run='moe-routing decode/*/k-hot
long-context decode/*
video-diffusion vae-tile/*
decode *
long-context prefill/*/t512
moe-routing prefill/*/uniform
prefill smollm2-*'
# Why a case waits for "all".
left_out() { # case
  case "$1" in
    prefill/qwen2.5-0.5b/*) echo "seconds a step; the tests of single ops have both dtypes" ;;
    moe-routing/*) echo "the same step under another routing" ;;
    long-context/*) echo "the same step, longer" ;;
    video-diffusion/*) echo "seconds a step; the tests of single ops have their ops" ;;
    *) return 1 ;;
  esac
}
[ "$all" != all ] || run=$(printf '%s *\n' $suites)

measure() { # suite filter
  local out
  out=$OUT/$1-$(tr -c 'a-z0-9\n' - <<<"$2")
  "$ASSAY" run "$1" --quick --case "$1/$2" --device opencl:0 --time-limit 0.1 --launches 1 --out "$out" --format csv >"$out.log" 2>&1 || {
    cat "$out.log"
    exit 255 # xargs ends
  }
}
export -f measure
xargs -P "$(nproc)" -L 1 bash -c 'measure "$1" "$2"' measure <<<"$run"

records=$(ls "$OUT"/*/*.record.json)
"$ASSAY" validate $records >/dev/null
for record in $records; do
  for found in '"status":"ok"' '"verdict":"pass"' '"basis":"measured"' '"support":"verified on a CPU"' '"device_clock":"event"'; do
    if ! grep -qF "$found" "$record"; then
      echo "$(basename "$record") lacks $found:"
      cut -c1-4000 "$record"
      exit 1
    fi
  done
done

# Every planned case was measured, or is left out for a reason.
missing=0
for suite in $suites; do
  for case in $("$ASSAY" list cases --suite "$suite" --names); do
    if grep -qF "\"case_id\":\"$case\"" $records; then continue; fi
    if why=$(left_out "$case"); then
      echo "left out: $case: $why"
    else
      echo "not measured: $case"
      missing=1
    fi
  done
done
echo "measured: $(wc -w <<<"$records") cases"
exit $missing
