// How fast records are compared and stored, each as a figure and as a share of its target.
//
//   bench_records make FOLDER [N]     N record files (100,000) of 100 steps, for the next
//   bench_records store FOLDER        all of them into a new store: target 20 s for 100,000 on 2 cores
//   bench_records compare             two records of 10,000 steps, read from disk, compared, drawn: target 50 ms
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "reports/compare.h"
#include "results/record_id.h"
#include "results/store/store.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kStoreTargetS = 20, kCompareTargetMs = 50;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "bench_records: %s\n", message.c_str());
  std::exit(2);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// A decode of `steps` correlated steps around 10 ms.
Record record(uint64_t seed, size_t steps) {
  Record r;
  r.created = "2026-01-01T00:00:00Z";
  r.basis = "measured";
  r.status = "ok";
  r.suite = "decode";
  r.step_kind = "decode";
  r.token_class = "output";
  r.model = "model-" + std::to_string(seed % 20);
  r.dtype = "bf16";
  r.batch = r.tokens_per_step = 8;
  r.tokens = 1;
  r.context = 512;
  r.case_id = "decode/" + r.model + "/bf16/b8/c512";
  r.case_hash = "case-" + r.model;
  r.case_json = "{\"batch\":8}";
  r.device = "chip:0";
  r.device_product = "Chip " + std::to_string(seed % 5);
  r.seed = seed;
  r.environment = {{"kernel", "Linux 6.1"}, {"os", "Debian"}, {"cpu_model", "CPU"}};
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0, 1);
  double state = 0;
  uint64_t at = 0;
  for (size_t i = 0; i < steps; ++i) {
    state = 0.6 * state + 0.8 * normal(random);
    r.samples.start_ns.push_back(at);
    r.samples.host_ns.push_back(static_cast<uint64_t>(1e7 * (1 + 0.02 * state)));
    at += r.samples.host_ns.back();
  }
  return r;
}

// Without the sync of write_record(): what is timed is reading.
void make(const fs::path& folder, uint64_t n) {
  for (uint64_t i = 0; i < n; ++i) {
    Record r = record(i, 100);
    r.id = record_id(record_to_json(r));
    const fs::path place = folder / std::to_string(i / 1000);
    if (i % 1000 == 0) fs::create_directories(place);
    std::ofstream(place / (std::to_string(i) + ".record.json")) << record_to_json(r) << "\n";
  }
  std::printf("%llu records in %s\n", static_cast<unsigned long long>(n), folder.c_str());
}

void store(const fs::path& folder) {
  const fs::path file = folder / "bench.sqlite";
  fs::remove(file);
  const auto begin = std::chrono::steady_clock::now();
  Result<Store> made = Store::create_or_open(file);
  if (!made.ok()) fail(made.error().message);
  const Result<AddReport> added = made->add({folder});
  if (!added.ok()) fail(added.error().message);
  const double seconds = seconds_since(begin), per_100k = seconds * 1e5 / static_cast<double>(added->added);
  std::printf("%llu records into the store: %.2f s, %.2f s per 100,000: %.2f of the target of %.0f s\n",
              static_cast<unsigned long long>(added->added), seconds, per_100k, per_100k / kStoreTargetS,
              kStoreTargetS);
}

void compare_two() {
  const fs::path folder = fs::temp_directory_path() / ("assay-bench-compare-" + std::to_string(::getpid()));
  std::vector<fs::path> files;
  for (const uint64_t seed : {20, 40}) {
    Record r = record(seed, 10'000);
    const Result<fs::path> path = write_record(r, folder);
    if (!path.ok()) fail(path.error().message);
    files.push_back(*path);
  }
  std::vector<double> ms;
  for (int i = 0; i < 15; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<CompareSide> sides;
    for (const fs::path& file : files) {
      Result<Record> r = read_record(file);
      if (!r.ok()) fail(r.error().message);
      sides.push_back({file.string(), {std::move(r).value()}});
    }
    const std::string text =
        render_sheet(comparison_sheet({compare(sides[0], sides[1], {})}), TableFormat::kText, TableOptions{});
    if (text.find("rate") == std::string::npos) fail("nothing was compared");
    ms.push_back(seconds_since(begin) * 1e3);
  }
  fs::remove_all(folder);
  std::sort(ms.begin(), ms.end());
  std::printf("two records of 10,000 steps compared: median %.1f ms (%.1f to %.1f): %.2f of the target of %.0f ms\n",
              ms[ms.size() / 2], ms.front(), ms.back(), ms[ms.size() / 2] / kCompareTargetMs, kCompareTargetMs);
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  using namespace assay::bench;
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "compare") {
    compare_two();
  } else if (what == "make" && argc > 2) {
    make(argv[2], argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 100'000);
  } else if (what == "store" && argc > 2) {
    store(argv[2]);
  } else {
    fail("expected make FOLDER [N], store FOLDER, or compare");
  }
  return 0;
}
