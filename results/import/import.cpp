#include "results/import/import.h"

#include <algorithm>
#include <cmath>

#include "results/import/source.h"
#include "results/metrics/reported_rate.h"
#include "suites/base/hash.h"
#include "suites/base/nearest.h"

namespace assay {
namespace {

using import::Importer;
using import::Source;

// The order settles nothing: a test checks that no sample of one format is claimed by another.
const std::vector<Importer>& importers() {
  static const std::vector<Importer> kImporters{
      import::mlperf_summary_importer(),    import::mlperf_table_importer(),    import::mlperf_log_summary_importer(),
      import::mlperf_log_detail_importer(), import::inferencex_importer(),      import::vllm_serve_importer(),
      import::llama_bench_importer(),       import::google_benchmark_importer()};
  return kImporters;
}

std::string known_formats() {
  std::string out;
  for (const Importer& i : importers()) out.append(out.empty() ? "" : ", ").append(i.name);
  return out;
}

const Importer* named(const std::string& name) {
  for (const Importer& i : importers()) {
    if (name == i.name) return &i;
  }
  return nullptr;
}

const Importer* recognised(const Source& source) {
  JsonInput input(source.text, source.where);
  const JsonNode root = input.root();
  for (const Importer& i : importers()) {
    if (i.claims(source, root)) return &i;
  }
  return nullptr;
}

// Why no format was found. A file that begins as JSON but is none is told where it breaks.
Error unrecognised(const Source& source) {
  const size_t first = source.text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return bad_input(source.where + ": expected a result file, found nothing in it");
  if (source.text[first] == '{' || source.text[first] == '[') {
    const JsonInput input(source.text, source.where);
    if (!input.ok()) return input.error();
  }
  return bad_input(source.where + ": expected a result file of a known format (" + known_formats() +
                   "), found none of them");
}

}  // namespace

const std::vector<ImportFormat>& import_formats() {
  static const std::vector<ImportFormat> kFormats = [] {
    std::vector<ImportFormat> out;
    for (const Importer& i : importers()) out.push_back({i.name, i.title});
    return out;
  }();
  return kFormats;
}

Result<std::vector<Record>> import_text(const std::string& text, const std::string& file, const std::string& format) {
  const Source source{file, std::filesystem::path(file).filename().string(), xxh3_128_hex(text), text};
  const Importer* importer = format.empty() ? recognised(source) : named(format);
  if (importer == nullptr && format.empty()) return unrecognised(source);
  if (importer == nullptr) {
    std::vector<std::string> names;
    for (const Importer& i : importers()) names.emplace_back(i.name);
    return bad_input("unknown format \"" + format + "\"" + suggestion(format, names));
  }
  Result<std::vector<Record>> records = importer->read(source);
  if (!records.ok()) return records.error();
  if (records->empty()) {
    return bad_input(file + ": expected at least one result in a file of format " + importer->name + ", found none");
  }
  return records;
}

Status give_accelerators(int64_t count, std::vector<Record>* records) {
  for (Record& r : *records) {
    Reported& source = *r.reported;
    const std::string where = source.source_file + (source.source_place.empty() ? "" : ": " + source.source_place);
    const auto of_each = [](const ReportedFigure& f) { return f.name.find("_per_chip") != std::string::npos; };
    if (std::any_of(source.figures.begin(), source.figures.end(), of_each)) {
      return bad_input(where + ": expected rates of a whole system, found rates of each accelerator");
    }
    if (const std::optional<double> stated = stated_accelerators(source)) {
      if (*stated == static_cast<double>(count)) continue;
      return bad_input(where + ": expected " + std::to_string(count) +
                       " accelerators as given, found that the source says " + std::to_string(std::llround(*stated)));
    }
    source.stated[kGivenAccelerators] = std::to_string(count);
    r.warnings.push_back("of " + std::to_string(count) + " accelerators as given at import; the source does not say");
  }
  return ok_status();
}

Result<std::vector<Record>> import_file(const std::filesystem::path& path, const std::string& format) {
  const Result<std::string> text = read_text_file(path.string());
  if (!text.ok()) return text.error();
  return import_text(*text, path.string(), format);
}

}  // namespace assay
