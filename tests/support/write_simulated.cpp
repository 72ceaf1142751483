// write_simulated FOLDER [KEY=VALUE]: records of the stand-in chips, for tests that read files; with an option of their
// adapter, which makes each step 0.5 ms longer.
#include <algorithm>
#include <cstdio>

#include "tests/support/simulated_records.h"

int main(int argc, char** argv) {
  using namespace assay;
  const std::string option = argc == 3 ? argv[2] : "=";
  const size_t equals = option.find('=');
  if (argc < 2 || argc > 3 || equals == std::string::npos) {
    std::fputs("write_simulated: expected a folder and at most one KEY=VALUE\n", stderr);
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
  for (simulated::Chip chip : simulated::chips()) {
    if (argc == 3) chip.overhead_s += 0.5e-3;
    std::vector<Case> cases = simulated::cases(*model);
    if (video != videos.end() && seed == 1) {
      for (Case& c : simulated::video_cases(*video)) cases.push_back(std::move(c));
    }
    for (const Case& c : cases) {
      Record r = simulated::record(chip, c, c.batch == 16 ? 5000 : 600, seed++);
      if (argc == 3) r.adapter_options.emplace()[option.substr(0, equals)] = option.substr(equals + 1);
      const auto written = write_record(r, argv[1]);
      if (written.ok()) continue;
      std::fprintf(stderr, "%s\n", written.error().message.c_str());
      return 1;
    }
  }
  return 0;
}
