#!/usr/bin/env bash
# Installs what is missing, builds, runs every test.
#
#   tests/run.sh                     what CI runs: release, sanitizers, fuzzing, format and static checks
#   tests/run.sh release|sanitize|lint   one part
#   tests/run.sh threads             what runs threads, under the thread sanitizer: a part of its own, as it takes minutes
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(release sanitize lint)
for part in "${parts[@]}"; do
  case "$part" in
    release | sanitize | lint | threads) ;;
    *) echo "run.sh: expected release, sanitize, lint or threads, found '$part'" >&2; exit 2 ;;
  esac
done

bash harness/dependencies.sh test

build_and_test() { # preset
  echo "== $1: build"
  cmake --preset "$1" -DASSAY_BUILD_TESTS=ON >/dev/null
  cmake --build --preset "$1"
  echo "== $1: test"
  # Those that measure time say so and run alone.
  ctest --preset "$1" --parallel "$(nproc)"
}

# Later systems offer later versions only, which write and find other things.
left_out=()
has() { command -v "$1" >/dev/null || { left_out+=("$1"); return 1; }; }

for part in "${parts[@]}"; do
  case "$part" in
    release) build_and_test release ;;
    sanitize) build_and_test asan-ubsan ;;
    threads) build_and_test tsan ;;
    lint)
      cmake --preset release -DASSAY_BUILD_TESTS=ON >/dev/null
      if has clang-format-14; then bash tests/lint/format.sh; fi
      cmake --build --preset release --target lint_headers
      if has clang-tidy-14; then
        cmake --preset tidy >/dev/null
        cmake --build build/tidy --target assay_commit # a header that is written, not kept
        bash tests/lint/tidy.sh build/tidy
      fi
      ;;
  esac
done
echo "== all parts passed: ${parts[*]}"
[ ${#left_out[@]} -eq 0 ] || echo "== left out, because this system has none: ${left_out[*]}"
