#!/usr/bin/env bash
# No command prints past harness/cli/terminal.h, where text of others is made visible. Argument: the tree.
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"
if grep -nE '\b(printf|fprintf|fputs|puts|putchar|fwrite|perror)\(|std::(cout|cerr|clog)\b' harness/cli/*.cpp |
  grep -v '^harness/cli/terminal\.cpp:'; then
  echo "output: expected put_text, put_table, put_note or put_progress"
  exit 1
fi
echo "output: kept"
