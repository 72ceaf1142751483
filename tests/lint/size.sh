#!/usr/bin/env bash
# No source file of ours is longer than 400 lines: a longer one holds more than one thing. Argument: the tree.
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"
limit=400
# The ABI is one header by design: a vendor copies one file. JSON is data and not looked at.
exceptions=' adapters/abi/assay_adapter.h '

failed=0
while read -r lines file; do
  [[ $exceptions == *" $file "* ]] && continue
  echo "$file: $lines lines; at most $limit"
  failed=1
done < <(find adapters harness suites results reports tests -name node_modules -prune -o -type f \
  \( -name '*.h' -o -name '*.c' -o -name '*.cpp' -o -name '*.sh' -o -name '*.cmake' -o -name 'CMakeLists.txt' -o \
  -name '*.ts' -o -name '*.mjs' -o -name '*.css' -o -name '*.py' -o -name '*.awk' \) -exec wc -l {} \; |
  awk -v limit=$limit '$1 > limit')
[ $failed -eq 0 ] && echo "size: kept"
exit $failed
