// A vendor's library that does something as soon as it is loaded: it makes the file that ASSAY_TEST_ALARM names.
#include <cstdio>
#include <cstdlib>

namespace {

__attribute__((constructor)) void loaded() {
  if (const char* name = std::getenv("ASSAY_TEST_ALARM")) {
    if (FILE* file = std::fopen(name, "w")) std::fclose(file);
  }
}

}  // namespace
