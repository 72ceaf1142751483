#!/usr/bin/env bash
# The rooms depend one way only (architecture): suites -> adapters/abi; adapters -> abi, sdk; results -> suites;
# harness -> suites, results, abi; reports -> results (and suites/base); only harness/cli sees reports.
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

failed=0
# room, extended regex of the project's own folders it may include
check() {
  local files=$1 allowed=$2
  while IFS=: read -r file line text; do
    local header=${text#*\"}
    header=${header%%\"*}
    case "$header" in
      adapters/* | harness/* | reports/* | results/* | suites/* | tests/*)
        if ! [[ $header =~ ^($allowed) ]]; then
          echo "$file:$line: includes \"$header\"; allowed here: $allowed"
          failed=1
        fi ;;
    esac
  done < <(find $files -name '*.h' -o -name '*.cpp' | xargs -r grep -nE '^#include "' /dev/null)
}

check suites 'suites/|adapters/abi/'
for adapter in adapters/*/; do
  name=$(basename "$adapter")
  case "$name" in
    abi) check "$adapter" 'adapters/abi/' ;;
    sdk) check "$adapter" 'adapters/abi/|adapters/sdk/' ;;
    *) check "$adapter" "adapters/abi/|adapters/sdk/|adapters/$name/" ;;
  esac
done
check results 'results/|suites/|adapters/abi/'
check reports 'reports/|results/|suites/base/'
shopt -s nullglob
top=(harness/*.h harness/*.cpp) # the protocol that both sides of a worker speak
[ ${#top[@]} -eq 0 ] || check "${top[*]}" 'harness/|suites/|results/|adapters/abi/'
for part in harness/*/; do
  case "$part" in
    harness/cli/) check "$part" 'harness/|suites/|results/|reports/|adapters/abi/' ;;
    *) check "$part" 'harness/|suites/|results/|adapters/abi/' ;;
  esac
done
# Boost.Program_options is the command line's alone.
if grep -rln 'boost/program_options' adapters harness suites results reports --include='*.h' --include='*.cpp' | grep -v '^harness/cli/'; then
  echo "boost/program_options is included outside harness/cli"
  failed=1
fi
[ $failed -eq 0 ] && echo "include direction: kept"
exit $failed
