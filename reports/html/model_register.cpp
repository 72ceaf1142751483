#include "reports/html/model_parts.h"
#include "results/metrics/model_size.h"

namespace assay {
namespace {

// Records and headlines name the work alike.
template <typename T>
ReportCase case_of(const T& from) {
  ReportCase c;
  c.id = from.case_id;
  c.hash = from.case_hash;
  c.suite = from.suite;
  c.kind = from.step_kind;
  c.model = from.model;
  c.dtype = from.dtype;
  c.token_class = from.token_class;
  c.batch = from.batch;
  c.tokens = from.tokens;
  c.context = from.context;
  c.tokens_per_step = from.tokens_per_step;
  return c;
}

template <typename T>
const std::string& product_of(const T& from) {
  return from.device_product.empty() ? from.device : from.device_product;
}

}  // namespace

void Register::place(const Record& record, ReportRow* row) {
  row->chip = chip(product_of(record), record.adapter);
  row->test_case = test_case(case_of(record));
  complete(record, *row);
}

void Register::place(const Headline& headline, ReportRow* row) {
  row->chip = chip(product_of(headline), headline.adapter);
  row->test_case = test_case(case_of(headline));
}

void Register::complete(const Record& r, const ReportRow& row) {
  ReportChip& chip = model_->chips[row.chip];
  if (chip.arch.empty()) chip.arch = r.device_arch;
  if (chip.vendor.empty()) chip.vendor = r.adapter_vendor;
  if (chip.driver.empty()) chip.driver = r.device_driver;
  if (chip.support.empty()) chip.support = r.support;
  if (chip.memory_bytes == 0) chip.memory_bytes = r.device_memory_bytes;
  ReportCase& c = model_->cases[row.test_case];
  if (shapes_.insert(row.test_case).second) {
    if (const double parameters = model_params(r); parameters > 0) c.parameters = parameters;
  }
  c.flops = r.step_flops;
  c.weight_bytes = r.step_weight_bytes;
  c.kv_bytes = r.step_kv_bytes;
}

size_t Register::chip(const std::string& product, const std::string& adapter) {
  const auto [at, added] = chips_.try_emplace({product, adapter}, model_->chips.size());
  if (added) {
    ReportChip chip;
    chip.product = product;
    chip.adapter = adapter;
    model_->chips.push_back(std::move(chip));
  }
  ++model_->chips[at->second].records;
  return at->second;
}

size_t Register::test_case(ReportCase c) {
  const auto [at, added] = cases_.try_emplace({c.id, c.hash}, model_->cases.size());
  if (added) {
    c.parameters = params_in_name(c.model);
    model_->cases.push_back(std::move(c));
  }
  return at->second;
}

}  // namespace assay
