#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: the numbers of every op are checked, the suites measured, steps profiled, and the same
# shapes run in PyTorch where it is installed. One call stays under 9 minutes and says what it left out.
#
#   tests/gpu.sh [--build DIR] [--device cuda:0] [--out DIR] [--minutes N] [--model NAME] [--full] [--publish NAME]
#                [--adapter-option KEY=VALUE]...
#   tests/gpu.sh --pack DIR --build DIR
#
# The machine needs the GPU's driver and a C library as new as the build's; no compiler, no network, no root. Without
# --build, build/release is configured and built here. --pack, on the machine that builds, makes DIR: a build with the
# shared libraries that it needs, the small ones of CUDA among them, to be taken along and given to --build. cuBLASLt and
# cuDNN are half a gigabyte each and stay out: they are looked for in CUDA's folders and where $PYTHON (python3) finds its
# packages; without them own kernels run, which is said. The card's settings (clocks, power limit, MIG) are left as they
# are. Another call with the same --out goes on where this one stopped. --full measures full cases of the five suites, the
# most telling first, as many as fit. --publish copies whole, measured records to results/published/NAME.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build="" device=cuda:0 out=assay-out/gpu minutes=8 form=--quick model=llama-3.1-8b pack="" publish="" settings=()
while [ $# -gt 0 ]; do
  case "$1" in
    --build) build=${2:?--build DIR}; shift 2 ;;
    --device) device=${2:?--device NAME}; shift 2 ;;
    --out) out=${2:?--out DIR}; shift 2 ;;
    --minutes) minutes=${2:?--minutes N}; shift 2 ;;
    --model) model=${2:?--model NAME}; shift 2 ;;
    --pack) pack=${2:?--pack DIR}; shift 2 ;;
    --publish) publish=${2:?--publish NAME}; shift 2 ;;
    --adapter-option) settings+=(--adapter-option "${2:?--adapter-option KEY=VALUE}"); shift 2 ;;
    --full) form=--full; shift ;;
    *) echo "gpu.sh: unknown argument '$1'" >&2; exit 2 ;;
  esac
done
if [ -n "$pack" ] && [ -z "$build" ]; then
  echo "gpu.sh: --pack: expected --build and the build that is to be packed" >&2
  exit 2
fi
case "$minutes" in
  [1-8]) ;;
  *) echo "gpu.sh: --minutes: expected 1 to 8, found '$minutes'" >&2; exit 2 ;;
esac
python=${PYTHON:-python3}
deadline=$(($(date +%s) + minutes * 60))
left() { echo $((deadline - $(date +%s))); }
omitted=()

if [ -z "$build" ]; then
  build=build/release
  if ! command -v cmake >/dev/null; then
    echo "gpu.sh: no cmake here: give --build a folder that 'tests/gpu.sh --pack DIR --build BUILD' made on another machine" >&2
    exit 2
  fi
  [ -f "$build/build.ninja" ] || cmake --preset release -DASSAY_BUILD_TESTS=OFF >/dev/null
  echo "== build"
  if ! timeout --kill-after=10 "$(left)" cmake --build "$build" --target assay_runtime >/dev/null; then
    echo "gpu.sh: the build failed or did not end in $minutes minutes; make one elsewhere: tests/gpu.sh --pack DIR --build BUILD" >&2
    exit 1
  fi
fi
if ! [ -x "$build/bin/assay" ]; then
  echo "gpu.sh: --build: no program $build/bin/assay" >&2
  exit 2
fi
build=$(realpath "$build")

cuda_folders() { # where CUDA's libraries may lie besides the loader's own places
  local folder
  {
    printf '%s\n' /usr/local/cuda*/lib64 /usr/local/cuda*/targets/*/lib /usr/local/cuda*/extras/CUPTI/lib64 /opt/cuda/lib64
    "$python" -c 'import glob, sys; print(*(f for p in sys.path if p for f in glob.glob(p + "/nvidia/*/lib")), sep="\n")' \
      2>/dev/null || true
  } | while read -r folder; do
    if compgen -G "$folder/lib*.so*" >/dev/null; then echo "$folder"; fi
  done
}

if [ -n "$pack" ]; then
  mkdir -p "$pack/bin" "$pack/lib/assay/adapters" "$pack/lib/needed"
  cp "$build/bin/assay" "$pack/bin/"
  cp -rL "$build/share" "$pack/"
  adapter=${device%:*}
  cp "$build/lib/assay/adapters/libassay_$adapter.so" "$build/lib/assay/adapters/$adapter.adapter.json" "$pack/lib/assay/adapters/"
  # All but what belongs to the C library, which must be the target's own.
  ldd "$pack/bin/assay" "$pack"/lib/assay/adapters/*.so | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u |
    grep -vE '/(libc|libm|libdl|libpthread|librt|libresolv|ld-linux[^/]*)\.so' | xargs -I{} cp -L {} "$pack/lib/needed/"
  for library in libcudart.so.13 libcudart.so.12; do
    while read -r folder; do
      [ ! -e "$folder/$library" ] || { cp -L "$folder/$library" "$pack/lib/needed/" && break 2; }
    done < <(cuda_folders)
  done
  echo "packed: $(du -sh "$pack" | cut -f1) in $pack; needs $(ldd --version | head -n 1 | grep -oE '[0-9]+\.[0-9]+$') of the C library"
  compgen -G "$pack/lib/needed/libcudart*" >/dev/null || echo "left out: libcudart, not found here; the target must have it"
  exit 0
fi

mkdir -p "$out"
# The program alone sees the packed libraries: Python's own programs have others of the same names.
folders=$(cuda_folders | paste -sd:)
assay=$(realpath "$out")/assay
printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' \
  "$build/lib/needed${folders:+:$folders}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$build/bin/assay" >"$assay"
chmod +x "$assay"
if ! said=$("$assay" --version 2>&1); then
  echo "gpu.sh: $build/bin/assay does not run here: $said" >&2
  exit 1
fi

echo "== device"
if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=name,driver_version,pstate,power.limit,ecc.mode.current,mig.mode.current --format=csv,noheader || true
fi
"$assay" devices "${settings[@]}"
"$assay" devices --json "${settings[@]}" >"$out/devices.json"
if ! grep -q "\"$device\"" "$out/devices.json"; then
  echo "gpu.sh: $device can't be used here; the reason stands above" >&2
  exit 1
fi

failed=0
# What is left of the time, at most `seconds`; a part that does not fit is named at the end.
part() { # name seconds command...
  local name=$1 most=$2 time
  shift 2
  time=$(($(left) - 10))
  if [ "$time" -lt 15 ]; then
    omitted+=("$name")
    return
  fi
  [ "$time" -lt "$most" ] || time=$most
  echo "== $name"
  local code=0
  timeout --signal=INT --kill-after=20 "$time" "$@" || code=$?
  case "$code" in
    0) ;;
    124 | 130 | 137) omitted+=("the rest of: $name") ;;
    *) echo "gpu.sh: $name: exit code $code" >&2; failed=1 ;;
  esac
}

measure() { # name seconds arguments of assay run
  local name=$1 most=$2 resume=() before=${#omitted[@]} all kept
  shift 2
  [ -e "$out/$name/campaign.json" ] && resume=(--resume)
  part "$name" "$most" "$assay" run "$@" --device "$device" --out "$out/$name" "${settings[@]}" "${resume[@]}"
  if [ "${#omitted[@]}" -gt "$before" ] && [ -e "$out/$name/campaign.json" ]; then # how far it came
    all=$(grep -c '"suite_hash"' "$out/$name/campaign.json" || true)
    kept=$(find "$out/$name" -name '*.record.json' | wc -l)
    omitted[before]+=" ($kept of $all cases have a record)"
  fi
}

profile() { # name seconds suite case
  [ -s "$out/$1.trace.json" ] || part "profile of $1" "$2" "$assay" profile "$3" "$4" --device "$device" "${settings[@]}" \
    --trace "$out/$1.trace.json"
}

# What the reference chip is judged by comes first. Each case checks every op at its shape against the double-precision
# reference before it is timed. Targets: prefill at least 0.80 of the GEMM rate, decode at least 0.88 of the copy, the
# DiT step at least 0.70 of the GEMM rate, ahead of PyTorch.
dit=dit/wan2.1-14b/bf16/b1/81f720x1280
measure prefill-8k 40 prefill --full --model "$model" --dtype bf16 --batch 1 --tokens 8192 --time-limit 3
for batch in 1 64; do
  measure "decode-b$batch" 40 decode --full --model "$model" --dtype bf16 --batch "$batch" --context 4096 --time-limit 3
done
measure dit 70 video-diffusion --full --case "$dit" --time-limit 3
measure ceilings-gemm 30 ceilings --full --case 'ceilings/gemm/*/m8192*' --time-limit 2
measure ceilings-copy 20 ceilings --full --case 'ceilings/copy/*' --time-limit 2
if "$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  most=150
  [ "$(left)" -gt $((most + 20)) ] || most=$(($(left) - 20))
  part "PyTorch on the same shapes" $((most + 10)) "$python" tests/gpu_torch.py --assay "$assay" --records "$out" \
    --out "$out/torch.json" --seconds "$most"
  # What ran there without an end: torch.compile above all, which has a time limit of its own.
  while read -r what; do omitted+=("PyTorch: $what"); done < <("$python" -c \
    'import json, sys; print(*json.load(open(sys.argv[1]))["left_out"], sep="\n")' "$out/torch.json" 2>/dev/null | grep . || true)
else
  omitted+=("PyTorch on the same shapes: no torch with CUDA in $python")
fi
profile prefill 25 prefill "$model/bf16/b1/t8192"
profile decode 25 decode "$model/bf16/b1/c4096"
profile dit 40 video-diffusion "$dit"
# shellcheck disable=SC2016 # for that shell to expand
[ -s "$out/counters.json" ] || part "hardware counters of a decoding step" 40 sh -c '"$@" >"$0.part" && mv "$0.part" "$0"' \
  "$out/counters.json" "$assay" profile decode "$model/bf16/b1/c4096" --counters all --format json --device "$device" "${settings[@]}"
# Every op at every dtype and odd shapes; then every dtype through the suites.
[ -s "$out/conformance.json" ] || part "conformance" 60 "$assay" conformance --device "$device" --quick "${settings[@]}" \
  --adapter "$build/lib/assay/adapters/${device%:*}.adapter.json" --json "$out/conformance.json"
for dtype in f32 tf32 f16 int8 int8_w8a8 fp8 fp8_w8a8 int4 fp4; do
  measure "numerics-$dtype" 30 prefill decode --quick --model qwen2.5-0.5b --dtype "$dtype" --time-limit 1
done
suites=(prefill decode long-context moe-routing video-diffusion)
if [ "$form" = --quick ]; then
  for suite in "${suites[@]}"; do measure "$suite" 60 "$suite" --quick --time-limit 1; done
else
  # A full suite has hundreds of cases, each 5 to 40 s with its checks. Each line gets an equal share of what is left.
  telling=(
    "prefill prefill/$model/bf16/*" "decode decode/$model/bf16/*" "long-context long-context/decode/$model/bf16/b1/*"
    "moe-routing moe-routing/decode/qwen3-30b-a3b/bf16/b64/*" "video-diffusion video-diffusion/*/wan2.1-14b/bf16/*"
    "prefill prefill/$model/int8_w8a8/*" "decode decode/$model/int8/*" "long-context long-context/decode/deepseek-v2-lite/bf16/*"
    "moe-routing moe-routing/prefill/qwen3-30b-a3b/bf16/*" "video-diffusion video-diffusion/dit/*/bf16/b1/*"
    "prefill *" "decode *" "long-context *" "moe-routing *" "video-diffusion *")
  for i in "${!telling[@]}"; do
    read -r suite pattern <<<"${telling[i]}"
    name=full-$((i + 1))-$suite
    measure "$name" $((($(left) - 20) / (${#telling[@]} - i) + 15)) "$suite" --full --case "$pattern" --time-limit 1
  done
fi
part "largest context" 30 "$assay" fit decode "$model/bf16/b1/c4096" --device "$device" "${settings[@]}"

echo "== results"
for folder in "$out"/*/; do
  if [ -e "$folder/campaign.json" ]; then "$assay" show "$folder" --format md || true; fi
done
if [ -n "$publish" ]; then
  mkdir -p "results/published/$publish"
  # No such record is no failure of this script: it says 0.
  { find "$out" -name '*.record.json' -exec grep -lZ '"basis":"measured"' {} + || true; } |
    { xargs -0r grep -lZ '"status":"ok"' || true; } | xargs -0r cp -t "results/published/$publish"
  echo "published: $(find "results/published/$publish" -name '*.record.json' | wc -l) records in results/published/$publish"
fi
if [ ${#omitted[@]} -gt 0 ]; then
  echo "Left out (the same command with --out $out goes on):"
  printf '  - %s\n' "${omitted[@]}"
fi
exit $failed
