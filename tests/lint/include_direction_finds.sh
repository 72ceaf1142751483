#!/usr/bin/env bash
# The include-direction check must fail on a tree with one wrong include, and name it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{suites,adapters/cpu,results,reports,harness/run}
echo '#include "suites/suite.h"' >"$tree/adapters/cpu/wrong.cpp"
if out=$(bash "$here/include_direction.sh" "$tree"); then
  echo "a wrong include was not found"
  exit 1
fi
grep -q 'adapters/cpu/wrong.cpp:1: includes "suites/suite.h"' <<<"$out"
