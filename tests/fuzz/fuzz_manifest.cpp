// An adapter's manifest, as the file that it is.
#include <sys/mman.h>
#include <unistd.h>

#include "harness/loader/manifest.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  static const int kFile = memfd_create("manifest", MFD_CLOEXEC);
  fuzz::must(kFile >= 0 && ftruncate(kFile, 0) == 0, "a memory file");
  fuzz::must(pwrite(kFile, data, size, 0) == static_cast<ssize_t>(size), "its content");
  const Result<Manifest> manifest = read_manifest("/proc/self/fd/" + std::to_string(kFile));
  if (!manifest.ok()) {
    fuzz::must_explain(manifest.error());
    return 0;
  }
  fuzz::must(!manifest->name.empty() && manifest->name.find('/') == std::string::npos, "a name is a name");
  fuzz::must(manifest->library.parent_path() == manifest->file.parent_path(), "a library lies beside its manifest");
  return 0;
}
