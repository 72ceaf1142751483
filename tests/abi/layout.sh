#!/usr/bin/env bash
# The ABI's layout: equal to layout.golden; nothing of an older minor changed or gone; the minor described in the changelog.
#   layout.sh PROGRAM SOURCE    PROGRAM prints the layout of the header as this compiler sees it
set -euo pipefail
program=$1
source=$2
here=$source/tests/abi
now=$(mktemp)
trap 'rm -f "$now"' EXIT
"$program" >"$now"

failed=0
if ! diff -u --label layout.golden --label "as compiled" "$here/layout.golden" "$now"; then
  cat <<TEXT

The layout of adapters/abi/assay_adapter.h is not the one of tests/abi/layout.golden. Adapters that are out there break
on any line that changed or went. If lines were only appended: raise ASSAY_ABI_MINOR, keep the former golden file as
layout-MAJOR.MINOR.golden, describe the minor in adapters/abi/CHANGELOG.md, and write the new one:
  $program >$here/layout.golden
TEXT
  failed=1
fi

# A struct may grow and the minor rise; every other line of an older minor stands as it was.
for old in "$here"/layout-*.golden; do
  gone=$(grep -vE '^(sizeof |ASSAY_ABI_MINOR )' "$old" | grep -vxFf "$now" || true)
  if [ -n "$gone" ]; then
    printf 'changed or gone since %s:\n%s\n' "$(basename "$old")" "$gone"
    failed=1
  fi
done

value() { sed -n "s/^$1 //p" "$now"; }
minor=$(value ASSAY_ABI_MAJOR).$(value ASSAY_ABI_MINOR)
latest=$(sed -n 's/^## \([0-9.]*\) .*/\1/p' "$source/adapters/abi/CHANGELOG.md" | head -n 1)
if [ "$latest" != "$minor" ]; then
  echo "adapters/abi/CHANGELOG.md: expected its first entry to be '## $minor (date)', found '$latest'"
  failed=1
fi
exit $failed
