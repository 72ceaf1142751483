#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: the targets' cases measured with PyTorch right behind each, the numbers of every op and
# dtype checked, steps profiled, then the five suites as far as the time goes. One call stays under 9 minutes, says what it
# left out and ends with a table of targets and suites, which also stands in summary.json.
#
#   tests/gpu.sh [--build DIR] [--device cuda:0] [--out DIR] [--seconds N] [--model NAME] [--full] [--publish NAME]
#                [--adapter-option KEY=VALUE]...
#   tests/gpu.sh --continue DIR [--build DIR] [--seconds N] [--publish NAME]
#   tests/gpu.sh --rehearse [--full] [--build DIR] [--out DIR] [--seconds N]
#   tests/gpu.sh --pack DIR --build DIR
#
# The machine needs the GPU's driver and a C library as new as the build's; no compiler, no network, no root. Without
# --build, build/release is configured and built here. --pack, on the machine that builds, makes DIR: a build with the
# shared libraries that it needs, the small ones of CUDA among them, to be taken along and given to --build. cuBLASLt and
# cuDNN are half a gigabyte each and stay out: they are looked for in CUDA's folders and where $PYTHON (python3) finds its
# packages; without them own kernels run, which is said. The card's settings (clocks, power limit, MIG) are left as they
# are. --full measures full cases of the five suites, the most telling first. --continue goes on where the call with that
# --out stopped, with its arguments, and so call by call through all of them. --publish copies whole, measured records to
# results/published/NAME. --rehearse runs all of it on the stand-in of CUDA's libraries in BUILD/standin, on shrunk models,
# suites and a stand-in of PyTorch: nothing of that is a measurement, and nothing of it can be published.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bad() { echo "gpu.sh: $*" >&2; exit 2; }
build="" device=cuda:0 out="" seconds=510 form=--quick model=llama-3.1-8b pack="" publish="" rehearse="" settings=() given=() continued=""
while [ $# -gt 0 ]; do
  case "$1" in
    --build | --out | --seconds | --publish | --pack | --continue) [ -n "${2:-}" ] || bad "$1: expected a value" ;;
    --device | --model | --adapter-option) [ -n "${2:-}" ] || bad "$1: expected a value"; given+=("$1" "$2") ;;
    --full | --rehearse) given+=("$1") ;;
  esac
  case "$1" in
    --build) build=$2; shift 2 ;;
    --device) device=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --continue) out=$2 continued=1; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --model) model=$2; shift 2 ;;
    --pack) pack=$2; shift 2 ;;
    --publish) publish=$2; shift 2 ;;
    --adapter-option) settings+=(--adapter-option "$2"); shift 2 ;;
    --full) form=--full; shift ;;
    --rehearse) rehearse=1; shift ;;
    *) bad "unknown argument '$1'" ;;
  esac
done
if ! [[ $seconds =~ ^[0-9]{2,3}$ ]] || [ "$seconds" -lt 20 ] || [ "$seconds" -gt 525 ]; then
  bad "--seconds: expected 20 to 525, found '$seconds'"
fi
[ -z "$publish" ] || [[ $publish =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || bad "--publish: expected a folder's name, found '$publish'"
[ -z "$pack" ] || [ -n "$build" ] || bad "--pack: expected --build and the build that is to be packed"
out=${out:-assay-out/gpu}
arguments=$out/arguments.txt
if [ -n "$continued" ]; then
  [ -e "$arguments" ] || bad "--continue: expected the --out folder of an earlier call, found no $arguments"
  [ ${#given[@]} -eq 0 ] || bad "--continue: ${given[0]} is as in the earlier call"
fi
if [ -z "$pack" ] && [ -e "$arguments" ]; then # one line each: device, model, form, rehearse, settings
  mapfile -t before <"$arguments"
  if [ -n "$continued" ]; then
    device=${before[0]} model=${before[1]} form=${before[2]} rehearse=${before[3]} settings=("${before[@]:4}")
  elif [ "$(printf '%s\n' "$device" "$model" "$form" "$rehearse" "${settings[@]}")" != "$(printf '%s\n' "${before[@]}")" ]; then
    bad "--out: $out is of a call with other arguments; name another folder"
  fi
fi
python=${PYTHON:-python3}
export PYTHONDONTWRITEBYTECODE=1
begin=$(date +%s)
left() { echo $((begin + seconds - $(date +%s))); }

if [ -z "$build" ]; then
  build=build/release
  command -v cmake >/dev/null || bad "no cmake here: give --build a folder that 'tests/gpu.sh --pack DIR --build BUILD' made on another machine"
  [ -f "$build/build.ninja" ] || cmake --preset release -DASSAY_BUILD_TESTS=OFF >/dev/null
  echo "== build"
  if ! timeout --kill-after=10 "$(left)" cmake --build "$build" --target assay_runtime >/dev/null; then
    echo "gpu.sh: the build failed or did not end in $seconds s; make one elsewhere: tests/gpu.sh --pack DIR --build BUILD" >&2
    exit 1
  fi
fi
[ -x "$build/bin/assay" ] || bad "--build: no program $build/bin/assay"
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

compiled() { grep -q '"kernels":"nvcc"' "$1"; } # adapter: whether kernels were compiled into it

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
  compiled "$pack/lib/assay/adapters/libassay_$adapter.so" ||
    echo "gpu.sh: no kernels in it, as there was no nvcc for the build: they would be compiled there, for minutes" >&2
  compgen -G "$pack/lib/needed/libcudart*" >/dev/null || echo "left out: libcudart, not found here; the target must have it"
  exit 0
fi

mkdir -p "$out/log"
printf '%s\n' "$device" "$model" "$form" "$rehearse" "${settings[@]}" >"$arguments"
out=$(realpath "$out")
tokens=8192 context=4096 clip=81f720x1280 block=results/published/2026-11-26-h200/one-block.suite.json
gemm=m8192n8192k8192 copy=3221225472 numerics_model=qwen2.5-0.5b data="" slower=1
limit=4.5 # seconds of a target's case, its launches together: each has a cold and a settled half
if [ -n "$rehearse" ]; then
  standin=$build/standin/${device%:*} data=$out/data/suites
  [ -e "$standin/libstandin_${device%:*}.so" ] || bad "--rehearse: no stand-in in $standin (target standin_${device%:*})"
  "$python" tests/gpu_rehearsal/shrink.py "$build/share/assay/suites" "$data" "$block"
  tokens=256 context=128 clip=5f32x64 block=$data/one-block.suite.json gemm=m256n256k256 copy=3145728 limit=0.3 slower=4
  settings+=(--adapter-option "libraries=$standin" --adapter-option search=1)
  export PYTHONPATH=$PWD/tests/gpu_rehearsal/standin
fi
# The program alone sees the packed libraries: Python's own programs have others of the same names. What it caches
# (algorithms of products that were found by timing) is kept in the folder, for calls on another machine.
folders=$(cuda_folders | paste -sd:)
assay=$out/assay
printf '#!/bin/sh\nexport XDG_CACHE_HOME=%q LD_LIBRARY_PATH=%q%s\nexec %q "$@"\n' "$out/cache" \
  "$build/lib/needed${folders:+:$folders}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "${data:+ ASSAY_DATA_DIR=$(printf %q "$data")}" \
  "$build/bin/assay" >"$assay"
chmod +x "$assay"
if ! said=$("$assay" --version 2>&1); then
  echo "gpu.sh: $build/bin/assay does not run here: $said" >&2
  exit 1
fi

echo "== device"
if command -v nvidia-smi >/dev/null; then
  timeout 30 nvidia-smi --query-gpu=name,driver_version,pstate,power.limit,ecc.mode.current,mig.mode.current --format=csv,noheader || true
fi
timeout 60 "$assay" devices "${settings[@]}" || true
timeout 60 "$assay" devices --json "${settings[@]}" >"$out/devices.json.new" || true
if ! grep -q "\"$device\"" "$out/devices.json.new"; then
  echo "gpu.sh: $device can't be used here; the reason stands above" >&2
  exit 1
fi
product() { grep -B8 -A8 "\"name\": \"$device\"" "$1" | sed -n 's/.*"product": "\(.*\)".*/\1/p' | head -n 1; }
if [ -e "$out/devices.json" ] && [ "$(product "$out/devices.json")" != "$(product "$out/devices.json.new")" ]; then
  bad "--out: $out is of '$(product "$out/devices.json")', this is '$(product "$out/devices.json.new")'"
fi
mv "$out/devices.json.new" "$out/devices.json"
if [ -z "$rehearse" ] && ! compiled "$build/lib/assay/adapters/libassay_${device%:*}.so"; then
  nvcc=$(command -v nvcc || compgen -G '/usr/local/cuda*/bin/nvcc' | head -n 1 || true)
  echo "== kernels by ${nvcc:-the run-time compiler}: there are none in the build"
  if [ -n "$nvcc" ] && { [ -s "$out/kernels.cubin" ] || timeout 150 "$nvcc" -std=c++17 -O3 -I. -arch=native -cubin -o "$out/kernels.cubin" \
    adapters/gpu/kernels/kernels.cu; }; then
    settings+=(--adapter-option "kernels=$out/kernels.cubin")
  else # the first process that needs them compiles them, and keeps them in the folder
    timeout 200 "$assay" conformance --device "$device" --quick "${settings[@]}" --only abi.struct_size --hang-timeout 190 || true
  fi
fi

omitted=() failures=()
stopped=""
trap 'stopped=1' INT TERM
# A part has what is left of the time, at most `most` seconds; one that does not fit or fails is named at the end, and the rest goes on.
# True: it ran to its end.
part() { # name most command...
  local name=$1 most=$(($2 * slower)) time code=0 log from
  shift 2
  time=$(($(left) - 15))
  if [ "$time" -lt 10 ] || [ -n "$stopped" ]; then
    omitted+=("$name")
    return 1
  fi
  [ "$time" -lt "$most" ] || time=$most
  log=$out/log/$(tr -c 'A-Za-z0-9.\n' - <<<"$name").txt from=$(date +%s)
  echo "== $name ($((from - begin)) s)"
  timeout --signal=INT --kill-after=10 "$time" "$@" >"$log" 2>&1 || code=$?
  cat "$log"
  printf '%s\t%s\t%s\n' "$name" "$code" $(($(date +%s) - from)) >>"$out/log/parts.tsv"
  case "$code" in
    0) ;;
    124 | 130 | 137) omitted+=("the rest of: $name (its time was over)"); return 1 ;;
    *) failures+=("$name: exit code $code: $(grep . "$log" | tail -n 1 | cut -c1-200)"); return 1 ;;
  esac
}

# Cases that the device can't run are no failure of the script; a failed one, or one without a record, is.
measure() { # folder most arguments of assay run
  local name=$1 most=$2 folder=$out/$1 resume=() fails=${#failures[@]}
  shift 2
  [ ! -e "$folder/done" ] || return 0
  [ ! -e "$folder/campaign.json" ] || resume=(--resume)
  part "$name" "$most" "$assay" run "$@" --device "$device" --out "$folder" "${settings[@]}" "${resume[@]}" && touch "$folder/done"
  if [ "${#failures[@]}" -gt "$fails" ] && [ -e "$folder/campaign.json" ]; then
    if grep -rlq '"status":"failed"' "$folder" --include='*.record.json'; then
      touch "$folder/done" # it would fail again
    elif grep -rlq '"status":"unsupported"' "$folder" --include='*.record.json'; then
      unset "failures[$fails]"
      touch "$folder/done"
    fi
  fi
}
torch="" # none, or a reason why not
timeout 90 "$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null || torch="no torch with CUDA in $python"
beside() { # folder of records, variant, most
  local most=$(($(left) - 17)) mark
  [ "$most" -lt "$3" ] || most=$3
  mark=log/torch-$2-$(basename "$1").done
  # It ends by itself a little earlier, and says of what.
  [ -n "$torch" ] || once "$mark" "PyTorch $2: $1" "$most" "$python" tests/gpu_torch.py --assay "$assay" --records "$out/$1" \
    --variant "$2" --out "$out/torch.json" --seconds $((most > 12 ? most - 10 : 2))
}
once() { # file name most command...: what leaves a file when it has been done
  local file=$out/$1
  shift
  [ -s "$file" ] || { part "$@" && { [ -s "$file" ] || echo whole >"$file"; }; } || true
}
exact() { echo "${1%?}[${1: -1}]"; } # a pattern that only this id matches: /c4096 also begins /c4096/p16

# What the reference chip is judged by, PyTorch right behind it, then the rates that it is held against. Every case checks
# its ops at its shape against the double-precision reference before it is timed.
decode_id=decode/$model/bf16/b1/c$context
target() { # name most arguments of assay run
  [ -e "$out/targets/$1/done" ] || rm -f "$out/log/torch-eager-$1.done" "$out/log/torch-compiled-targets.done" # of another record
  measure "targets/$1" "$2" "${@:3}" --full --time-limit "$limit"
  beside "targets/$1" eager 40
}
measure ceilings/gemm 25 ceilings --full --case "$(exact "ceilings/gemm/bf16/$gemm")" --time-limit 3 --launches 1
measure ceilings/copy 25 ceilings --full --case "$(exact "ceilings/copy/f32/$copy")" --time-limit 1 --launches 1
target prefill 60 prefill --model "$model" --dtype bf16 --batch 1 --tokens "$tokens"
for batch in 1 64; do
  target "decode-b$batch" 60 decode --model "$model" --dtype bf16 --batch "$batch" --context "$context" \
    --case "$(exact "decode/$model/bf16/b$batch/c$context")"
done
target block 70 "$block"

# Numbers: ops at every dtype and odd shapes, then whole models at every dtype. Meanwhile torch.compile compiles a layer of
# each target's case; so these records' times, which nobody asks for, are disturbed and not published.
kit() { once "conformance-$1.json" "numerics and contract: $1" 60 "$assay" conformance --device "$device" --quick "${settings[@]}" \
  --adapter "$build/lib/assay/adapters/${device%:*}.adapter.json" --only "$1" --json "$out/conformance-$1.json"; }
ahead=()
if [ -z "$torch" ] && [ "$(left)" -gt 150 ]; then
  for folder in "$out"/targets/*/; do
    [ -e "$out/log/compiled-$(basename "$folder")" ] || {
      timeout --kill-after=5 85 "$python" tests/gpu_torch.py --ahead --records "$folder" --variant compiled --out "$out/torch.json" \
        >"$out/log/compile-$(basename "$folder").txt" 2>&1 && touch "$out/log/compiled-$(basename "$folder")" &
      ahead+=($!)
    }
  done
fi
tuned() { find "$1" -name '*_products.tsv' 2>/dev/null || true; } # which algorithms were the fastest
mkdir -p "$out/tuned"
tuned "$out/cache" | while read -r file; do cp "$file" "$out/tuned/"; done
kit ops
for dtype in f16 int8 int8_w8a8 fp8 fp8_w8a8 int4 fp4 tf32 f32; do
  measure "dtypes/$dtype" 20 prefill decode --quick --model "$numerics_model" --dtype "$dtype" --time-limit 0.2 --launches 1
done
for process in "${ahead[@]}"; do wait "$process" || true; done # each ends with its own time; the next call goes on from its cache
tuned "$out/cache" | while read -r file; do # what was found beside compilers is found again
  if [ -e "$out/tuned/${file##*/}" ]; then cp "$out/tuned/${file##*/}" "$file"; else rm "$file"; fi
done
for check in abi refusals truth life threads wait trace; do kit "$check"; done
if [ -n "$rehearse" ]; then
  omitted+=("conformance of times and of sensors: the stand-in has neither caches to flush nor a power that follows the load")
else
  for check in timing telemetry; do kit "$check"; done
fi
beside targets compiled 80

once prefill.trace.json "profile: prefill" 30 "$assay" profile prefill "prefill/$model/bf16/b1/t$tokens" --device "$device" \
  "${settings[@]}" --trace "$out/prefill.trace.json"
once decode.trace.json "profile: decode" 30 "$assay" profile decode "$decode_id" --device "$device" "${settings[@]}" \
  --trace "$out/decode.trace.json"
once block.trace.json "profile: block" 40 "$assay" profile "$block" "one-block/dit/wan2.1-14b/bf16/b1/$clip" --device "$device" \
  "${settings[@]}" --trace "$out/block.trace.json"
once counters.done "profile: hardware counters of decode" 40 "$assay" profile decode "$decode_id" --counters all --device "$device" "${settings[@]}"
once fit.done "largest context" 25 "$assay" fit decode "$decode_id" --device "$device" "${settings[@]}"

# The five suites, a part at a time: cases of one kind, model and dtype. The most telling parts come first, then one of each
# suite in turn. One launch a case, so that more cases fit. A part has a quarter of what is left, or what its slowest case
# is known to need: one that was cut off before its first new record gets twice the time in the next call.
suites=(prefill decode long-context moe-routing video-diffusion)
told() { { grep -rlE '"status":"(ok|failed|unsupported)"' "$1" --include='*.record.json' 2>/dev/null || true; } | wc -l; }
group() { # suite/[kind/]model/dtype
  local folder=$out/suites/$1 most=$((($(left) - 15) / 4)) before
  [ "$most" -ge 60 ] || most=60
  if [ -e "$folder/slow" ]; then
    most=$((2 * $(cat "$folder/slow")))
    [ "$(left)" -gt $((most + 15)) ] || { omitted+=("suites/$1: a case needs more than $((most / 2)) s"); return 0; }
  fi
  before=$(told "$folder")
  measure "suites/$1" "$most" "${1%%/*}" --full --case "$1/*" --time-limit 0.5 --launches 1 --hang-timeout 45
  rm -f "$folder/slow"
  if [ ! -e "$folder/done" ] && [ "$(left)" -gt 15 ] && [ "$(told "$folder")" -eq "$before" ]; then
    echo "$most" >"$folder/slow"
  fi
}
if [ "$form" = --quick ]; then
  for suite in "${suites[@]}"; do measure "suites/$suite" 60 "$suite" --quick --time-limit 1; done
else
  first=("prefill/$model/bf16" "decode/$model/bf16" video-diffusion/text-encoder/wan2.1-14b/bf16 video-diffusion/vae-tile/wan2.1-14b/bf16
    long-context/decode/qwen2.5-0.5b/bf16 moe-routing/decode/qwen3-30b-a3b/bf16 "decode/$model/int8" "prefill/$model/int8_w8a8"
    "long-context/decode/$model/bf16" moe-routing/prefill/qwen3-30b-a3b/bf16 video-diffusion/dit/wan2.1-1.3b/bf16
    "long-context/prefill/$model/bf16" long-context/decode/deepseek-v2-lite/bf16 video-diffusion/dit/wan2.1-14b/bf16)
  for suite in "${suites[@]}"; do
    "$assay" list cases --suite "$suite" --full --names >"$out/$suite.cases"
    # The part of each case, numbered within its suite.
    sed -E 's#^((prefill|decode)/[^/]*/[^/]*|[^/]*/[^/]*/[^/]*/[^/]*)/.*#\1#' "$out/$suite.cases" | awk '!seen[$0]++ {print ++n, $0}'
  done | sort -sn | cut -d' ' -f2 >"$out/parts.txt"
  mapfile -t groups < <(printf '%s\n' "${first[@]}" | grep -xFf "$out/parts.txt" || true
    grep -vxFf <(printf '%s\n' "${first[@]}") "$out/parts.txt" || true)
  for at in "${!groups[@]}"; do
    [ "$(left)" -ge 25 ] || { omitted+=("$((${#groups[@]} - at)) of ${#groups[@]} parts of the suites, from ${groups[at]} on"); break; }
    group "${groups[at]}"
  done
fi

[ -z "$torch" ] || omitted+=("PyTorch on the same shapes: $torch")
[ -z "$publish" ] || [ -z "$rehearse" ] || { echo "gpu.sh: --publish: a rehearsal measures nothing" >&2; publish=""; }
printf '%s\n' "${omitted[@]}" >"$out/omitted.txt"
printf '%s\n' "${failures[@]}" >"$out/failures.txt"
echo "== results ($(($(date +%s) - begin)) s)"
"$python" tests/gpu_summary.py "$out" --assay "$assay" ${publish:+--publish "results/published/$publish"} || failures+=("the summary")
echo "A further call goes on: tests/gpu.sh --continue $out"
[ ${#failures[@]} -eq 0 ]
