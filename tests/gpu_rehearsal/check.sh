#!/usr/bin/env bash
# The script for a machine with a GPU, without one. Arguments: a build, and `whole` to rehearse all of it on the stand-in
# from a packed build (minutes). Otherwise what takes a second: refused arguments, the pack, that the cases it names are in
# the shipped suites, its shrunk suites, and PyTorch's side on a stand-in of PyTorch.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "check.sh: $*" >&2; exit 1; }
holds() { # file python expression of the JSON there, `j`
  python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$1" "$2" ||
    fail "$1: does not hold: $2"
}

refused() { # text arguments
  local text=$1 code=0
  shift
  tests/gpu.sh --build "$build" --out "$work/refused" "$@" >"$work/said" 2>&1 || code=$?
  if [ "$code" -ne 2 ] || ! grep -qF -- "$text" "$work/said"; then fail "gpu.sh $*: exit code $code, said: $(cat "$work/said")"; fi
  [ ! -e "$work/refused" ] || fail "gpu.sh $*: refused, but wrote $work/refused"
}
refused "unknown argument '--fast'" --fast
refused "--seconds: expected 20 to 525, found '600'" --seconds 600
refused "--continue: expected the --out folder of an earlier call" --continue "$work/nothing"
refused "--publish: expected a folder's name" --publish ../here
refused "no program /nowhere/bin/assay" --build /nowhere

tests/gpu.sh --pack "$work/pack" --build "$build" >"$work/said"
LD_LIBRARY_PATH=$work/pack/lib/needed "$work/pack/bin/assay" --version >/dev/null || fail "the packed program does not run"
assay=$build/bin/assay block=results/published/2026-11-26-h200/one-block.suite.json
# What the script measures and profiles by name.
"$assay" explain prefill prefill/llama-3.1-8b/bf16/b1/t8192 >/dev/null
for batch in 1 64; do "$assay" explain decode "decode/llama-3.1-8b/bf16/b$batch/c4096" >/dev/null; done
"$assay" explain "$block" one-block/dit/wan2.1-14b/bf16/b1/81f720x1280 >/dev/null
"$assay" list cases --suite ceilings --full --names >"$work/said"
for id in gemm/bf16/m8192n8192k8192 copy/f32/3221225472; do grep -qx "ceilings/$id" "$work/said" || fail "no case ceilings/$id"; done

if ! command -v python3 >/dev/null; then
  echo "check.sh: left out, because there is no python3: shrunk suites, PyTorch's side"
  exit 0
fi
python3 tests/gpu_rehearsal/shrink.py "$build/share/assay/suites" "$work/data" "$block"
for suite in "$work"/data/defs/*.json; do ASSAY_DATA_DIR=$work/data "$assay" validate "$suite" >/dev/null; done
# Real shapes: the published records, as if simulated.
mkdir "$work/records"
for file in results/published/2026-11-26-h200/{prefill_llama,decode_llama,one-block}*.record.json; do
  sed 's/"basis":"measured"/"basis":"simulated"/' "$file" >"$work/records/$(basename "$file")"
done
# The program would not show them, as their hashes no longer hold: it shows those that they were.
# shellcheck disable=SC2016 # for that shell to expand
printf '#!/bin/sh\nexec %q show results/published/2026-11-26-h200/"${2##*/}" --samples\n' "$assay" >"$work/assay"
chmod +x "$work/assay"
torch() { PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/gpu_rehearsal/standin python3 tests/gpu_torch.py --assay "$work/assay" \
  --records "$work/records" --out "$work/torch.json" "$@" >"$work/said" 2>&1 || fail "gpu_torch.py $*: $(cat "$work/said")"; }
torch --ahead --variant compiled
torch --variant eager
torch --variant compiled
holds "$work/torch.json" 'j["basis"] == "simulated" and len(j["rows"]) == 8 and j["left_out"] == {}'
holds "$work/torch.json" 'all(r["ours"]["steps"] > 5 and r["ours_device"] for r in j["rows"] if "torch" in r)'
holds "$work/torch.json" 'sorted(r["layers"] for r in j["rows"]) == [1, 1, 32, 32, 32, 32, 32, 32]'
# The table of the published records has the figures that were published of them (README, "On an NVIDIA H200"), by a
# stand-in of PyTorch no verdict.
for of in prefill=prefill_llama block=one-block decode-b1=decode_llama-3.1-8b_bf16_b1_ decode-b64=decode_llama-3.1-8b_bf16_b64_; do
  mkdir -p "$work/table/targets/${of%=*}"
  cp results/published/2026-11-26-h200/"${of#*=}"*.record.json "$work/table/targets/${of%=*}/"
done
echo '[]' >"$work/table/devices.json"
cp "$work/torch.json" "$work/table/"
python3 tests/gpu_summary.py "$work/table" --assay "$assay" >"$work/said"
holds "$work/table/summary.json" '[round(t["value"], 3) for t in j["targets"] if "GEMM" in t["target"]] == [0.815, 0.695]'
holds "$work/table/summary.json" '[t["verdict"] for t in j["targets"] if "GEMM" in t["target"]] == ["pass", "miss"]'
holds "$work/table/summary.json" '["66.5%" in j["targets"][1]["note"], "77.9%" in j["targets"][2]["note"]] == [True, True]'
holds "$work/table/summary.json" 'not any(t["verdict"] in ("pass", "miss") for t in j["targets"][4:])'
[ "${2:-}" = whole ] || exit 0

# As on a machine without a compiler: the packed build in a folder of its own, a bare environment.
mkdir -p "$work/pack/standin"
cp -r "$build/standin/cuda" "$work/pack/standin/"
gpu() { env -i PATH=/usr/bin:/bin HOME="$work" PYTHON="${FAILING:-$(command -v python3)}" tests/gpu.sh "$@"; }
rehearsed() { # seconds, exit code expected, arguments
  local seconds=$1 expected=$2 code=0
  shift 2
  gpu --build "$work/pack" --seconds "$seconds" "$@" >"$work/said" 2>&1 || code=$?
  cat "$work/said"
  [ "$code" -eq "$expected" ] || fail "exit code $code"
}
# A part whose time is over is told, and a later call goes on.
rehearsed 40 0 --rehearse --full --out "$work/out"
grep -q "^Left out" "$work/said" || fail "a short call names nothing that it left out"
grep -q "^  - profile: decode" "$work/said" || fail "the profile did not fit and is not named"
for _ in 1 2 3; do # on a busy machine one is not enough
  rehearsed 525 0 --continue "$work/out"
  [ ! -e "$work/out/counters.done" ] || break
done
holds "$work/out/summary.json" 'len(j["targets"]) == 12 and all(t["verdict"] in ("simulated", "not measured") for t in j["targets"])'
holds "$work/out/summary.json" 'sum(t["value"] is not None for t in j["targets"]) >= 8 and not j["failures"]'
holds "$work/out/summary.json" 'j["conformance"]["passed"] >= 34 and not j["conformance"]["failed"] and len(j["dtypes"]["ok"]) >= 16'
holds "$work/out/decode.trace.json" 'len(j["traceEvents"]) > 10'
# What fails is told, the rest goes on, and the exit code says so. It can't be published.
cat >"$work/python" <<'END'
#!/bin/sh
case "$*" in *gpu_torch.py*) echo "planted fault" >&2; exit 3 ;; esac
exec python3 "$@"
END
chmod +x "$work/python"
FAILING=$work/python rehearsed 60 1 --rehearse --full --out "$work/fails" --publish never
grep -q "exit code 3: planted fault" "$work/said" || fail "the planted fault is not told"
grep -q "^== targets/decode-b1" "$work/said" || fail "the rest did not go on"
[ ! -e results/published/never ] || fail "a rehearsal was published"
echo "check.sh: rehearsed"
