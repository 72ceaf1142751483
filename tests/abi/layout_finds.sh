#!/usr/bin/env bash
# The layout test must fail, and say where, on a header in which a field was moved, retyped, or went.
#   layout_finds.sh SOURCE CC
set -euo pipefail
source=$1
cc=$2
here=$source/tests/abi
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/adapters/abi"
header=$tree/adapters/abi/assay_adapter.h

# edit of the header (sed), what the test must say
must_find() {
  sed "$1" "$source/adapters/abi/assay_adapter.h" >"$header"
  if cmp -s "$header" "$source/adapters/abi/assay_adapter.h"; then
    echo "the edit '$1' changes nothing"
    exit 1
  fi
  awk -f "$here/layout.awk" "$header" >"$tree/layout.c"
  "$cc" -std=c11 -I"$tree" "$tree/layout.c" -o "$tree/layout"
  local out
  if out=$(bash "$here/layout.sh" "$tree/layout" "$source"); then
    echo "not found: $1"
    exit 1
  fi
  if ! grep -qF -- "$2" <<<"$out"; then
    printf "'%s' gave, without '%s':\n%s\n" "$1" "$2" "$out"
    exit 1
  fi
}
must_find 's/uint32_t basis, support;/uint32_t support, basis;/' '+assay_device_info.support 88 4 uint32_t'
must_find 's/double board_power_limit_w;/uint64_t board_power_limit_w;/' '-assay_device_info.board_power_limit_w 80 8 double'
must_find '/uint64_t cache_bytes; /d' 'changed or gone since layout-1.0.golden'
must_find 's/ASSAY_TIMEOUT = 5/ASSAY_TIMEOUT = 8/' '-ASSAY_TIMEOUT 5'
must_find 's/#define ASSAY_ABI_MINOR .*/#define ASSAY_ABI_MINOR 99u/' "expected its first entry to be '## 1.99"

# What the ABI's rules forbid never gets as far as a layout.
for field in 'int plain;' 'uint32_t bit : 1;' 'enum kind which;' 'bool flag;'; do
  sed "s/uint64_t cache_bytes; /$field/" "$source/adapters/abi/assay_adapter.h" >"$header"
  if awk -f "$here/layout.awk" "$header" >/dev/null 2>"$tree/error"; then
    echo "the field '$field' was let through"
    exit 1
  fi
  grep -qF 'does not allow' "$tree/error"
done
