#!/usr/bin/env bash
# Installs what is missing of the packages Assay needs, by the system's package manager.
#
#   harness/dependencies.sh run     what the command and its adapters need to build and run
#   harness/dependencies.sh report  that, and what `assay report` needs for pages, PDF and plots
#   harness/dependencies.sh test    all that, and what the tests need
#
# Debian 12. Does nothing where nothing is missing.
set -euo pipefail

run_packages=(
  g++ cmake ninja-build pkg-config
  libboost-program-options-dev # command line
  libboost-dev                 # Boost.Math headers: exact binomial and beta
  nlohmann-json3-dev           # every JSON file
  libdnnl-dev                  # oneDNN: matrix products of the CPU adapter
  libpapi-dev                  # hardware and software counters
  libsqlite3-dev               # the store
  libzstd-dev libxxhash-dev    # samples and ids in records
  libxlsxwriter-dev            # reports as workbooks
)
report_packages=(
  nodejs npm             # bundling the page of the report
  chromium fonts-noto-cjk # reports as PDF, plots as PNG
)
test_packages=(
  libgtest-dev libgmock-dev
  libbenchmark-dev       # micro-benchmarks
  libvalijson-dev        # records and suites against their published schemas
  clang-14 libclang-rt-14-dev # fuzzing of the JSON entry points
  clang-format-14 clang-tidy-14
)

wanted=${1:-run}
case "$wanted" in
  run) packages=("${run_packages[@]}") ;;
  report) packages=("${run_packages[@]}" "${report_packages[@]}") ;;
  test) packages=("${run_packages[@]}" "${report_packages[@]}" "${test_packages[@]}") ;;
  *) echo "dependencies.sh: expected 'run', 'report' or 'test', found '$wanted'" >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null; then
  echo "dependencies.sh: no apt-get on this system; install by hand what matches: ${packages[*]}" >&2
  exit 2
fi

missing=()
for package in "${packages[@]}"; do
  # Node.js of another source brings its own npm, which Debian's package would fight.
  case "$package" in
    nodejs) command -v node >/dev/null && continue ;;
    npm) command -v npm >/dev/null && continue ;;
  esac
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "dependencies.sh: not root and no sudo; as root, run: apt-get install ${missing[*]}" >&2
    exit 2
  fi
  as_root=(sudo)
fi

echo "Installing ${#missing[@]} packages: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >"$log" 2>&1
}
# A fresh machine has no package lists and an old one stale ones: update, then try.
"${as_root[@]}" apt-get update -q >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
install || { cat "$log" >&2; exit 1; }
