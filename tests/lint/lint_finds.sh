#!/usr/bin/env bash
# The checks of the tree must fail on one with planted faults, and name each.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{suites,adapters/{cpu,abi},results,reports,harness/{run,cli},tests}

fails_with() { # script, words
  local out
  if out=$(bash "$here/$1" "$tree"); then
    echo "$1: a planted fault was not found"
    exit 1
  fi
  grep -qF "$2" <<<"$out" || { echo "$1: expected '$2', found: $out"; exit 1; }
}

echo '#include "suites/suite.h"' >"$tree/adapters/cpu/wrong.cpp"
fails_with include_direction.sh 'adapters/cpu/wrong.cpp:1: includes "suites/suite.h"'
rm "$tree/adapters/cpu/wrong.cpp"
echo '#include "reports/tables.h"' >"$tree/harness/wrong_protocol.h"
fails_with include_direction.sh 'harness/wrong_protocol.h:1: includes "reports/tables.h"'
rm "$tree/harness/wrong_protocol.h"
bash "$here/include_direction.sh" "$tree" >/dev/null

seq -f '// %g' 400 >"$tree/suites/long.cpp"
seq -f '// %g' 500 >"$tree/adapters/abi/assay_adapter.h"
bash "$here/size.sh" "$tree" >/dev/null
echo '// one too many' >>"$tree/suites/long.cpp"
fails_with size.sh 'suites/long.cpp: 401 lines'

echo 'std::snprintf(text, 5, "a"); put_text("b");' >"$tree/harness/cli/terminal.cpp"
echo 'put_text("b");' >"$tree/harness/cli/right.cpp"
bash "$here/output.sh" "$tree" >/dev/null
echo 'std::fprintf(stderr, "%s", reason);' >"$tree/harness/cli/wrong.cpp"
fails_with output.sh 'harness/cli/wrong.cpp:1:std::fprintf'
