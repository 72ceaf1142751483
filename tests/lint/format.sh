#!/usr/bin/env bash
# Every source file is as clang-format 14 writes it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
git_files() { git ls-files "$@" 2>/dev/null || find adapters harness suites results reports tests -name '*.h' -o -name '*.cpp'; }
git_files '*.h' '*.cpp' | xargs clang-format-14 --dry-run --Werror
echo "format: clean"
