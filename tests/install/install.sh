#!/usr/bin/env bash
# An installation in an empty prefix is whole: the command finds its data and adapters there, and two projects outside
# this tree build adapters against it (C on the bare ABI, C++ on the SDK) that it then loads and measures.
#   install.sh BUILD SOURCE CMAKE CC CXX
set -euo pipefail
build=$1
here=$2/tests/install
cmake=$3
export CC=$4 CXX=$5
unset ASSAY_ADAPTER_PATH ASSAY_DATA_DIR

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
quiet() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; echo "failed: $*"; exit 1; }; }
must() { # text, in file
  grep -qF -- "$1" "$2" || { echo "expected '$1' in:"; cat "$2"; exit 1; }
}

prefix=$work/prefix
quiet "$cmake" --install "$build" --prefix "$prefix"
assay=$prefix/bin/assay

for consumer in consumer_c consumer_cpp; do
  quiet "$cmake" -G Ninja -S "$here/$consumer" -B "$work/$consumer" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix"
  quiet "$cmake" --build "$work/$consumer"
done
acme=$work/consumer_c
bolt=$work/consumer_cpp/lib/assay/adapters
must '"version": "0.4.2"' "$bolt/bolt.adapter.json"
must '"licence": "Apache-2.0"' "$bolt/bolt.adapter.json"
minor=$(sed -n 's/^#define ASSAY_ABI_MINOR \([0-9]*\)u$/\1/p' "$prefix/include/adapters/abi/assay_adapter.h")
must "\"abi_minor\": $minor" "$bolt/bolt.adapter.json"

# The template as a vendor copies it, and both adapters under the kit: C++ on the SDK, C on the bare ABI.
cp -r "$prefix/share/assay/template" "$work/template"
quiet "$cmake" -G Ninja -S "$work/template" -B "$work/template/build" -DCMAKE_PREFIX_PATH="$prefix"
quiet "$cmake" --build "$work/template/build"
conforms() { # manifest, further options
  "$assay" conformance --quick --adapter "$@" >"$work/kit" || { cat "$work/kit"; exit 1; }
}
conforms "$work/template/build/lib/assay/adapters/template.adapter.json" --only ops
conforms "$acme/acme.adapter.json"

# The installed command alone: its own data and adapters.
"$assay" list suites --names >"$work/suites"
must decode "$work/suites"
"$assay" devices >"$work/alone"
must null:0 "$work/alone"
if grep -qF acme "$work/alone"; then
  echo "acme is listed though nothing names it"
  exit 1
fi

# By file, by search path, and by being put into the installation.
"$assay" devices --adapter "$acme/acme.adapter.json" >"$work/by-file"
must 'Acme Adder' "$work/by-file"
ASSAY_ADAPTER_PATH=$acme:$bolt "$assay" devices >"$work/by-path"
must 'Acme Adder' "$work/by-path"
must 'Bolt One' "$work/by-path"
quiet "$cmake" --install "$work/consumer_cpp" --prefix "$prefix"
"$assay" devices >"$work/installed"
must 'Bolt One' "$work/installed"

# One case each with the numbers checked, and an honest no to the other one's.
measure() { # device, case, expected exit code
  local code=0
  ASSAY_ADAPTER_PATH=$acme "$assay" run "$here/vendor_cases.json" --device "$1" --case "$2" --time-limit 0.3 \
    --out "$work/$1-$2" >"$work/run" 2>&1 || code=$?
  if [ $code -ne "$3" ]; then
    cat "$work/run"
    echo "expected exit code $3, found $code: $1 $2"
    exit 1
  fi
  cp "$work/$1-$2"/*.record.json "$work/record"
}
for pair in 'acme copy' 'bolt read'; do
  read -r device case <<<"$pair"
  measure "$device" "$case" 0
  must '"status":"ok"' "$work/record"
  must '"verdict":"pass"' "$work/record"
  must "\"adapter\":\"$device\"" "$work/record"
done
measure bolt copy 1
must '"status":"unsupported"' "$work/record"
must 'bolt finds the largest and does nothing else' "$work/record"
