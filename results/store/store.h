// Store: many records in one SQLite file, with their headline figures beside them. The record files are the truth;
// a store can be built from them again at any time, and its schema may change between versions without a migration.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "results/metrics/metrics.h"
#include "results/record.h"

namespace assay {

// What a list or an aggregate needs of a record without its samples. Times in ns, rates in `unit`.
struct Headline {
  std::string id, created, suite, case_id, case_hash, form, step_kind, token_class, model, dtype;
  std::string tier, basis, part, options;  // part_text(), adapter_options_text()
  std::string status, reason, adapter, device, device_product, tool_commit;
  int64_t batch = 0, tokens = 0, context = 0, tokens_per_step = 0;
  uint64_t n = 0;  // timed steps
  bool disturbed = false;
  std::string unit;
  std::optional<double> rate, rate_low, rate_high, projected_rate;
  std::optional<double> p50_ns, p99_ns, p99_high_ns, p999_ns, p999_high_ns, jitter_p99_ns;
  std::optional<double> mfu, mbu, joules_per_token;  // mfu, mbu: against the attainable peaks
};
Headline headline(const Record& record, const Metrics& metrics);

struct HeadlineFilter {  // empty: all
  std::string suite, model, device_product, status, case_hash;
};

struct AddReport {
  uint64_t added = 0, known = 0;  // known: the same id was there
};

class Store {
 public:
  // Makes the file where there is none. kBadInput: not a store, or one of another version (says how to build it anew).
  static Result<Store> create_or_open(const std::filesystem::path& file);
  static Result<Store> open_read_only(const std::filesystem::path& file);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  // All records of files and folders, in one transaction: a bad file is an error naming it, and nothing is added.
  // `progress`: records done and in all; false stops, and nothing is added. Parses on `threads` threads (0: all cores).
  Result<AddReport> add(const std::vector<std::filesystem::path>& places,
                        const std::function<bool(uint64_t, uint64_t)>& progress = {}, unsigned threads = 0);
  Result<AddReport> add(const std::vector<Record>& records);

  // kBadInput where the file is damaged: its pages, or a record's text, which must give its id. headlines() reads
  // neither the texts nor all pages.
  [[nodiscard]] Status check() const;

  [[nodiscard]] Result<uint64_t> count() const;
  // Ordered by case, then time, then id.
  [[nodiscard]] Result<std::vector<Headline>> headlines(const HeadlineFilter& filter = {}) const;
  // As read_records() gives them; checked again by their ids.
  [[nodiscard]] Result<std::vector<Record>> records(const HeadlineFilter& filter = {}) const;
  [[nodiscard]] Result<Record> record(const std::string& id) const;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Whether the file begins as every SQLite file does.
bool is_store_file(const std::filesystem::path& file);
// Whether it is such a file and says that it is ours, of whatever version.
bool is_store_of_records(const std::filesystem::path& file);

}  // namespace assay
