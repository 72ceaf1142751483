// write_simulated FOLDER: records of the stand-in chips, for tests that read files.
#include <algorithm>
#include <cstdio>

#include "tests/support/simulated_records.h"

int main(int argc, char** argv) {
  using namespace assay;
  if (argc != 2) {
    std::fputs("write_simulated: expected a folder\n", stderr);
    return 2;
  }
  const Result<Catalogue> catalogue = Catalogue::load(ASSAY_SOURCE_DIR "/suites");
  const Result<ModelShape> model = catalogue.ok() ? catalogue->model("llama-3.1-8b") : catalogue.error();
  if (!model.ok()) {
    std::fprintf(stderr, "%s\n", model.error().message.c_str());
    return 1;
  }
  const auto& videos = catalogue->videos();
  const auto video = std::find_if(videos.begin(), videos.end(), [](const auto& v) { return v.name == "wan2.1-1.3b"; });
  uint64_t seed = 1;
  for (const simulated::Chip& chip : simulated::chips()) {
    std::vector<Case> cases = simulated::cases(*model);
    if (video != videos.end() && seed == 1) {
      for (Case& c : simulated::video_cases(*video)) cases.push_back(std::move(c));
    }
    for (const Case& c : cases) {
      Record r = simulated::record(chip, c, c.batch == 16 ? 5000 : 600, seed++);
      const auto written = write_record(r, argv[1]);
      if (written.ok()) continue;
      std::fprintf(stderr, "%s\n", written.error().message.c_str());
      return 1;
    }
  }
  return 0;
}
