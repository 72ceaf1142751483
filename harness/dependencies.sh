#!/usr/bin/env bash
# Installs what is missing of the packages Assay needs, by the system's package manager.
#
#   harness/dependencies.sh run     what the command and its adapters need to build and run
#   harness/dependencies.sh report  that, and what `assay report` needs for pages, PDF and plots
#   harness/dependencies.sh test    all that, and what the tests need
#
# Debian 12 and 13, Ubuntu 24.04. Does nothing where nothing is missing. Of "a,b|c" either a and b or c: what is there,
# else the first that apt offers. What can be done without and is not offered is left out, and what is lost is said.
set -euo pipefail
export LC_ALL=C

run_packages=(
  g++ cmake ninja-build "pkg-config|pkgconf"
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
  nodejs npm # bundling the page of the report
  chromium fonts-noto-cjk # reports as PDF, plots as PNG
)
test_packages=(
  libgtest-dev libgmock-dev
  libbenchmark-dev # micro-benchmarks
  libvalijson-dev  # records and suites against their published schemas
  "clang-14,libclang-rt-14-dev|clang,libclang-rt-dev" # fuzzing of the JSON entry points
  pocl-opencl-icd,ocl-icd-libopencl1,opencl-c-headers # the OpenCL adapter, and a driver that runs it on the CPU
  libze-dev                                           # the Level Zero adapter and its loader
  llvm-spirv-14,spirv-tools                           # kernels as SPIR-V
  hipcc                                               # the GPU adapter's kernels for AMD
  # These versions: others write and find other things. clang-tidy reads an omp.h of its own.
  clang-format-14 clang-tidy-14,libomp-14-dev
)

# What is lost without a package; one that is not named here can't be done without.
lost_without() {
  case "$1" in
    chromium) echo "no PDF, no PNG, no browser tests until a Chromium other than a snap is in the PATH" ;;
    fonts-noto-cjk) echo "Chinese in PDF and PNG needs another font that has it" ;;
    clang-14*) echo "no fuzzing of the JSON entry points" ;;
    pocl-opencl-icd,*) echo "no OpenCL adapter" ;;
    llvm-spirv-14,*) echo "no kernels as SPIR-V, which Level Zero needs" ;;
    libze-dev) echo "no Level Zero adapter" ;;
    hipcc) echo "AMD's kernels are not compiled" ;;
    clang-format-14) echo "no check of the format" ;;
    clang-tidy-14,*) echo "no static checks" ;;
    *) return 1 ;;
  esac
}

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

installed() { # a,b
  local name
  for name in ${1//,/ }; do
    # Node.js and Chromium may come from elsewhere; another Node.js brings its own npm, which the system's would fight.
    case "$name" in
      nodejs) command -v node >/dev/null && continue ;;
      npm) command -v npm >/dev/null && continue ;;
      chromium) command -v google-chrome google-chrome-stable >/dev/null && continue ;;
    esac
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null || true)" = installed ] || return 1
  done
}

# A virtual package, such as Ubuntu's chromium, has no candidate.
offered() { # a,b
  local name
  for name in ${1//,/ }; do
    [[ $(apt-cache policy "$name" 2>/dev/null) =~ Candidate:\ [^\(] ]] || return 1
  done
}

# Prints the first of the alternatives for which the test holds.
first() { # installed|offered "a,b|c"
  local names
  for names in ${2//|/ }; do
    if "$1" "$names"; then
      echo "$names"
      return
    fi
  done
  return 1
}

missing=()
for package in "${packages[@]}"; do
  first installed "$package" >/dev/null || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    names=${missing[*]%%|*}
    echo "dependencies.sh: not root and no sudo; as root, run: apt-get install ${names//,/ }" >&2
    exit 2
  fi
  as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# A fresh machine has no package lists and an old one stale ones: update, then see what there is.
"${as_root[@]}" apt-get update -q >"$log" 2>&1 || { cat "$log" >&2; exit 1; }

install=()
refused=()
for package in "${missing[@]}"; do
  if names=$(first offered "$package"); then
    IFS=, read -r -a chosen <<<"$names"
    install+=("${chosen[@]}")
  elif lost=$(lost_without "$package"); then
    echo "Not offered here: $package ($lost)"
  else
    refused+=("$package")
  fi
done
if [ ${#refused[@]} -gt 0 ]; then
  echo "dependencies.sh: apt offers no ${refused[*]}; on Ubuntu they are in 'universe' (add-apt-repository universe)" >&2
  exit 1
fi
if [ ${#install[@]} -eq 0 ]; then
  exit 0
fi

echo "Installing ${#install[@]} packages: ${install[*]}"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -q --no-install-recommends "${install[@]}" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
