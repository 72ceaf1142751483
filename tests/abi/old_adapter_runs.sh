#!/usr/bin/env bash
# An adapter of an older minor through the whole engine: its numbers are checked, its steps timed, its ABI in the record.
#   old_adapter_runs.sh ASSAY MANIFEST SUITE
set -euo pipefail
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$1" run "$3" --adapter "$2" --device old --time-limit 0.3 --out "$out/run"
record=$(ls "$out"/run/*.record.json)
for found in '"status":"ok"' '"verdict":"pass"' '"adapter_abi":"1.0"' '"basis":"simulated"'; do
  if ! grep -qF "$found" "$record"; then
    echo "the record lacks $found:"
    cat "$record"
    exit 1
  fi
done
