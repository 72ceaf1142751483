#!/usr/bin/env bash
# Every case of every suite's quick form on an OpenCL CPU driver: numbers checked, steps timed by the device, the same
# records as of any other device.
#   opencl_suites.sh ASSAY [all]     all: every case at the suite's own depth
set -euo pipefail
export ASSAY=$1
all=${2:-}
OUT=$(mktemp -d)
export OUT
trap 'rm -rf "$OUT"' EXIT
export POCL_CACHE_DIR=${POCL_CACHE_DIR:-$OUT/pocl}
mkdir -p "$POCL_CACHE_DIR"
suites='prefill decode long-context moe-routing video-diffusion'

# Longest first. A worker serves the cases of a line one after another. A third word: layers at most, where a step takes
# seconds. The numbers are checked over the layers of every kind all the same.
run='video-diffusion text-encoder/* 1
video-diffusion dit/* 1
moe-routing prefill/* 1
moe-routing decode/*/uniform 1
moe-routing decode/*/zipf-1.2 1
long-context prefill/* 1
prefill qwen2.5-0.5b/* 1
moe-routing decode/*/k-hot
long-context decode/*
video-diffusion vae-tile/*
decode *
prefill smollm2-*'
[ "$all" != all ] || run=$(printf '%s *\n' $suites)

measure() { # suite filter [layers]
  local out suite=$1
  out=$OUT/$1-$(tr -c 'a-z0-9\n' - <<<"$2")
  if [ -n "$3" ]; then
    suite=$out.suite.json
    echo "{\"name\": \"$1\", \"extends\": \"$1\", \"quick\": {\"policy\": {\"max_layers\": $3}}}" >"$suite"
  fi
  "$ASSAY" run "$suite" --quick --case "$1/$2" --device opencl:0 --time-limit 0.1 --launches 1 --out "$out" --format csv >"$out.log" 2>&1 || {
    cat "$out.log"
    exit 255 # xargs ends
  }
}
export -f measure
xargs -P "$(nproc)" -L 1 bash -c 'measure "$1" "$2" "${3:-}"' measure <<<"$run"

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

# A flush leaves the caches cold: the kit holds it against a sweep of its own. Noise may hide what one does, it makes up
# nothing: one pass is proof.
for try in 1 2 3 4 5; do
  "$ASSAY" conformance --quick --only timing.flush --device opencl:0 >"$OUT/flush.log" 2>&1 || true
  if grep -qE '^timing.flush +pass ' "$OUT/flush.log"; then break; fi
  if [ "$try" = 5 ]; then
    cat "$OUT/flush.log"
    exit 1
  fi
done

# Every planned case was measured.
missing=0
for suite in $suites; do
  for case in $("$ASSAY" list cases --suite "$suite" --names); do
    if grep -qF "\"case_id\":\"$case\"" $records; then continue; fi
    echo "not measured: $case"
    missing=1
  done
done
echo "measured: $(wc -w <<<"$records") cases"
exit $missing
