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
# shared libraries that it needs, the small ones of CUDA among them, to be taken along and given to --build. cuBLASLt is
# half a gigabyte and stays out: it is looked for in CUDA's folders and in Python's packages, and without it products run
# in own kernels, which is said. The card's settings (clocks, power limit, MIG) are left as they are. Another call with
# the same --out goes on where this one stopped. --publish copies whole, measured records to results/published/NAME.
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
  for folder in /usr/local/cuda*/lib64 /usr/local/cuda*/targets/*/lib /opt/cuda/lib64 \
    /usr/lib/python3*/*-packages/nvidia/*/lib /usr/local/lib/python3*/*-packages/nvidia/*/lib \
    /opt/*/lib/python3*/site-packages/nvidia/*/lib "${VIRTUAL_ENV:-/nowhere}"/lib/python3*/site-packages/nvidia/*/lib \
    "${CONDA_PREFIX:-/nowhere}"/lib/python3*/site-packages/nvidia/*/lib "$HOME"/.local/lib/python3*/site-packages/nvidia/*/lib; do
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

folders=$(cuda_folders | paste -sd:)
export LD_LIBRARY_PATH="$build/lib/needed${folders:+:$folders}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
assay=$build/bin/assay
if ! said=$("$assay" --version 2>&1); then
  echo "gpu.sh: $assay does not run here: $said" >&2
  exit 1
fi
mkdir -p "$out"

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
  local name=$1 most=$2 resume=()
  shift 2
  [ -e "$out/$name/campaign.json" ] && resume=(--resume)
  part "$name" "$most" "$assay" run "$@" --device "$device" --out "$out/$name" --time-limit 3 "${settings[@]}" "${resume[@]}"
}

# What the reference chip is judged by comes first. Each case checks every op at its shape against the double-precision
# reference before it is timed. Targets: prefill at least 0.80 of the GEMM rate, decode at least 0.88 of the copy, the
# DiT step at least 0.70 of the GEMM rate, ahead of PyTorch.
measure prefill-8k 60 prefill --full --model "$model" --dtype bf16 --batch 1 --tokens 8192
for batch in 1 64; do measure "decode-b$batch" 40 decode --full --model "$model" --dtype bf16 --batch "$batch" --context 4096; done
measure dit 60 video-diffusion --full --case dit/wan2.1-14b/bf16
measure ceilings 30 ceilings "$form"
if command -v python3 >/dev/null && python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  part "PyTorch on the same shapes" 90 python3 tests/gpu_torch.py --assay "$assay" --records "$out" --out "$out/torch.json"
else
  omitted+=("PyTorch on the same shapes: no torch with CUDA here")
fi
part "profile of decode" 30 "$assay" profile decode "$model/bf16/b1/c4096" --device "$device" "${settings[@]}" \
  --trace "$out/decode.trace.json"
part "largest context" 30 "$assay" fit decode "$model/bf16/b1/c4096" --device "$device" "${settings[@]}"
# Every op at every dtype and odd shapes; then every dtype through the suites.
part "conformance" 90 "$assay" conformance --adapter "$build/lib/assay/adapters/${device%:*}.adapter.json" --device "$device" \
  --quick "${settings[@]}" --json "$out/conformance.json"
for dtype in f32 f16 int8 int8_w8a8 fp8 int4 fp4; do
  measure "numerics-$dtype" 40 prefill decode --quick --model qwen2.5-0.5b --dtype "$dtype"
done
for suite in prefill decode long-context moe-routing video-diffusion; do measure "$suite" 60 "$suite" "$form"; done

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
