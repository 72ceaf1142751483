#!/usr/bin/env bash
# What dependencies.sh installs and says, by what apt offers. Stand-ins for apt and dpkg, on which nothing is installed,
# offer what each system's published package lists hold.
#
#   tests/install/dependencies.sh SOURCE_FOLDER
set -euo pipefail
source=$(cd "${1:?expected the source folder}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for tool in bash cat env mktemp rm; do ln -s "$(command -v "$tool")" "$work/$tool"; done

stand_in() { printf '#!/usr/bin/env bash\n%s\n' "$2" >"$work/$1" && chmod +x "$work/$1"; }
stand_in id 'echo 0'
stand_in dpkg-query 'exit 1'
stand_in apt-get 'if [ "$1" = install ]; then echo "$@" >>"$work/installed"; fi'
stand_in apt-cache 'case " $offered " in
  *" $2 "*) printf "%s:\n  Installed: (none)\n  Candidate: 1.0-1\n" "$2" ;;
  *) [ "$2" != chromium ] || printf "chromium:\n  Installed: (none)\n  Candidate: (none)\n" ;; # virtual, as on Ubuntu
esac'

run() { # offered wanted: exit code in $code, what is said in $said, what is installed in $installed
  : >"$work/installed"
  code=0
  said=$(PATH=$work work=$work offered=$1 bash "$source/harness/dependencies.sh" "$2" 2>&1) || code=$?
  installed=" $(cat "$work/installed") "
}
fail() { echo "dependencies: $1; exit code $code, installed '$installed', said '$said'" >&2; exit 1; }
installs() { for name in "$@"; do [[ $installed == *" $name "* ]] || fail "expected $name to be installed"; done; }
leaves() { for name in "$@"; do [[ $installed != *" $name "* ]] || fail "expected no $name"; done; }
says() { for text in "$@"; do [[ $said == *"$text"* ]] || fail "expected it to say '$text'"; done; }
exits() { [ "$code" -eq "$1" ] || fail "expected exit code $1"; }

main="g++ cmake pkg-config libboost-program-options-dev libboost-dev libsqlite3-dev libzstd-dev libxxhash-dev fonts-noto-cjk"
universe="ninja-build nlohmann-json3-dev libdnnl-dev libpapi-dev libxlsxwriter-dev nodejs npm
  libgtest-dev libgmock-dev libbenchmark-dev libvalijson-dev"
universe=${universe//$'\n'/ }

# Ubuntu 24.04: LLVM 14 is there, Chromium is a snap behind a virtual package.
run "$main $universe chromium-browser clang clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 libomp-14-dev" test
exits 0
installs libdnnl-dev libxlsxwriter-dev npm fonts-noto-cjk libvalijson-dev clang-14 libclang-rt-14-dev clang-tidy-14 libomp-14-dev
leaves chromium chromium-browser clang
says "chromium (no PDF"

# Debian 13: Chromium is there, LLVM 14 no longer.
run "$main $universe chromium clang libclang-rt-dev" test
exits 0
installs libdnnl-dev chromium clang libclang-rt-dev
leaves clang-14 clang-format-14
says "clang-format-14 (no check of the format)" "clang-tidy-14,libomp-14-dev (no static checks)"

# What can't be done without stops before anything is installed.
run "$main" run
exits 1
leaves g++
says libdnnl-dev universe

echo "dependencies: as expected"
