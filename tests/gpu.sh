#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: the numbers of every op are checked, the suites measured, steps profiled, and the same
# shapes run in PyTorch where it is installed. One call stays under 9 minutes and says what it left out.
#
#   tests/gpu.sh [--build DIR] [--device cuda:0] [--out DIR] [--minutes N] [--full]
#
# --build takes a build made elsewhere; without it build/release is configured and built. The card's settings (clocks,
# power limit, MIG) are left as they are. Another call with the same --out goes on where this one stopped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build="" device=cuda:0 out=assay-out/gpu minutes=8 form=--quick
while [ $# -gt 0 ]; do
  case "$1" in
    --build) build=${2:?--build DIR}; shift 2 ;;
    --device) device=${2:?--device NAME}; shift 2 ;;
    --out) out=${2:?--out DIR}; shift 2 ;;
    --minutes) minutes=${2:?--minutes N}; shift 2 ;;
    --full) form=--full; shift ;;
    *) echo "gpu.sh: unknown argument '$1'" >&2; exit 2 ;;
  esac
done
case "$minutes" in
  [1-8]) ;;
  *) echo "gpu.sh: --minutes: expected 1 to 8, found '$minutes'" >&2; exit 2 ;;
esac
deadline=$(($(date +%s) + minutes * 60))
left() { echo $((deadline - $(date +%s))); }
omitted=()

if [ -z "$build" ]; then
  build=build/release
  [ -f "$build/build.ninja" ] || cmake --preset release -DASSAY_BUILD_TESTS=OFF >/dev/null
  timeout "$(left)" cmake --build "$build" --target assay_runtime >/dev/null
fi
assay=$build/bin/assay
mkdir -p "$out"

echo "== device"
"$assay" devices
"$assay" devices --json >"$out/devices.json"
if ! grep -q "\"$device\"" "$out/devices.json"; then
  echo "gpu.sh: $device can't be used here; the reason stands above" >&2
  exit 1
fi

failed=0
# What is left of the time, at most `seconds`; a part that does not fit is named at the end.
part() { # name seconds command...
  local name=$1 most=$2 time
  shift 2
  time=$(left)
  if [ "$time" -lt 20 ]; then
    omitted+=("$name")
    return
  fi
  [ "$time" -lt "$most" ] || time=$most
  echo "== $name"
  local code=0
  timeout --signal=INT "$time" "$@" || code=$?
  case "$code" in
    0) ;;
    124 | 130) omitted+=("the rest of: $name") ;;
    *) echo "gpu.sh: $name: exit code $code" >&2; failed=1 ;;
  esac
}

measure() { # name seconds arguments of assay run
  local name=$1 most=$2 resume=()
  shift 2
  [ -e "$out/$name/campaign.json" ] && resume=(--resume)
  part "$name" "$most" "$assay" run "$@" --device "$device" --out "$out/$name" --time-limit 3 "${resume[@]}"
}

# Each case checks every op at its shape against the double-precision reference before it is timed.
for dtype in f32 bf16 f16 int8 int8_w8a8 fp8 int4 fp4; do
  measure "numerics-$dtype" 40 prefill decode --quick --model qwen2.5-0.5b --dtype "$dtype"
done
# The shapes that the targets are stated for.
measure prefill-8k 60 prefill --full --model llama-3.1-8b --dtype bf16 --batch 1 --tokens 8192
measure decode 60 decode --full --model llama-3.1-8b --dtype bf16
measure ceilings 30 ceilings "$form"
for suite in long-context moe-routing video-diffusion; do measure "$suite" 60 "$suite" "$form"; done

part "profile of decode" 30 "$assay" profile decode llama-3.1-8b/bf16/b1/c4096 --device "$device" \
  --trace "$out/decode.trace.json"
if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  part "PyTorch on the same shapes" 90 python3 tests/gpu_torch.py --assay "$assay" --records "$out" --out "$out/torch.json"
else
  omitted+=("PyTorch on the same shapes: no torch with CUDA here")
fi

echo "== results"
for folder in "$out"/*/; do
  [ -e "$folder/campaign.json" ] && "$assay" show "$folder" --format md || true
done
if [ ${#omitted[@]} -gt 0 ]; then
  echo "Left out (the same command with --out $out goes on):"
  printf '  - %s\n' "${omitted[@]}"
fi
exit $failed
