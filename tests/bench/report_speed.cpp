// How long a report takes over many records, and how large its page is. The records are simulated.
//
//   bench_report_speed [RECORDS_IN_THE_STORE]   default 100000
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "reports/html/report_model.h"
#include "reports/html/report_page.h"
#include "results/store/store.h"
#include "suites/base/json_input.h"
#include "tests/support/simulated_records.h"

namespace assay {
namespace {

constexpr double kReportTargetS = 5;  // of 100,000 records, aggregated
constexpr double kPageTargetMb = 5;   // of 1,000 records

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// `nights` runs of every case on every chip.
std::vector<Record> nights_of_records(const ModelShape& model, size_t from, size_t nights, size_t steps) {
  std::vector<Record> out;
  for (size_t night = from; night < from + nights; ++night) {
    for (const simulated::Chip& chip : simulated::chips()) {
      for (const Case& c : simulated::cases(model))
        out.push_back(simulated::record(chip, c, steps, out.size() + night * 1000));
    }
  }
  return out;
}

// `target_mb` of the page; 0: none is set.
Status write_page(const ReportModel& model, const std::filesystem::path& file, double target_mb) {
  const std::string json = report_json(model);
  std::printf("  JSON %.2f MB", static_cast<double>(json.size()) / 1e6);
  const Result<std::string> page = read_text_file(ASSAY_BINARY_DIR "/share/assay/web/report.html");
  if (!page.ok()) {
    std::printf(" (page not built: target assay_web)\n");
    return ok_status();
  }
  const Result<std::string> whole = report_page(*page, json, "en");
  if (!whole.ok()) return whole.error();
  const double mb = static_cast<double>(whole->size()) / 1e6;
  std::printf(", page %.2f MB", mb);
  if (target_mb > 0) std::printf(": %.2f of the target of %.0f MB", mb / target_mb, target_mb);
  std::printf(" -> %s\n", file.c_str());
  return write_file_atomic(file, *whole);
}

Status thousand(const ModelShape& shape, const std::filesystem::path& folder) {
  std::vector<Record> records = nights_of_records(shape, 0, 23, 600);
  records.resize(1000);
  const auto start = std::chrono::steady_clock::now();
  const ReportModel model = report_model(records, {});
  std::printf("%zu simulated records of 600 steps: model in %.2f s\n", records.size(), seconds_since(start));
  return write_page(model, folder / "report-1000.html", kPageTargetMb);
}

Status from_store(const ModelShape& shape, size_t count, const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "store.db";
  std::filesystem::remove(file);
  Result<Store> store = Store::create_or_open(file);
  if (!store.ok()) return store.error();
  const auto filling = std::chrono::steady_clock::now();
  size_t stored = 0;
  for (size_t night = 0; stored < count; night += 20) {
    std::vector<Record> records = nights_of_records(shape, night, 20, 32);
    records.resize(std::min(records.size(), count - stored));
    const Result<AddReport> added = store->add(records);
    if (!added.ok()) return added.error();
    stored += records.size();
  }
  std::printf("%zu simulated records of 32 steps made and stored in %.1f s\n", stored, seconds_since(filling));
  const auto start = std::chrono::steady_clock::now();
  const Result<ReportModel> model = report_model(*store, {});
  if (!model.ok()) return model.error();
  std::printf("aggregated report over the store: model in %.2f s (%zu groups)\n", seconds_since(start),
              model->groups.size());
  Status written = write_page(*model, folder / "report-store.html", 0);
  const double whole_s = seconds_since(start);
  std::printf("  with its page: %.2f s: %.2f of the target of %.0f s for 100,000 records\n", whole_s,
              whole_s / kReportTargetS, kReportTargetS);
  return written;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  using namespace assay;
  const size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100000;
  const Result<Catalogue> catalogue = Catalogue::load(ASSAY_SOURCE_DIR "/suites");
  const Result<ModelShape> model = catalogue.ok() ? catalogue->model("llama-3.1-8b") : catalogue.error();
  if (!model.ok()) {
    std::fprintf(stderr, "%s\n", model.error().message.c_str());
    return 1;
  }
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "assay-report-bench";
  std::filesystem::create_directories(folder);
  for (const Status& status : {thousand(*model, folder), from_store(*model, count, folder)}) {
    if (status.ok()) continue;
    std::fprintf(stderr, "%s\n", status.error().message.c_str());
    return 1;
  }
  return 0;
}
