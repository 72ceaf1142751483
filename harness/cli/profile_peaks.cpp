#include "harness/cli/profile_peaks.h"

#include <set>

#include "harness/cli/money.h"
#include "results/metrics/metrics.h"
#include "results/prices/datasheet.h"

namespace assay {
namespace {

// The fastest of the records of a kind of ceiling.
struct Fastest {
  const Record* record = nullptr;
  double per_s = 0;

  void offer(const Record& r, double rate) {
    if (rate > per_s) *this = {&r, rate};
  }
  [[nodiscard]] std::string text() const { return record->case_id + " (record " + record->id.substr(0, 8) + ")"; }
};

Status read_ceilings(const std::string& place, const Case& work, const DeviceInfo& device, ProfilePeaks* out) {
  const Result<std::vector<Record>> records = read_records(place);
  if (!records.ok()) return records.error();
  Fastest gemm, read;
  std::set<std::string> others, dtypes;
  for (const Record& r : *records) {
    if (r.suite != "ceilings" || r.status != "ok") continue;
    if (r.device_product != device.product || r.basis != device.basis) {
      others.insert(r.device_product + ", " + r.basis);
      continue;
    }
    const Metrics m = metrics(r);
    if (!m.rate) continue;
    if (r.step_kind == "read") read.offer(r, m.rate->per_s);
    if (r.step_kind != "gemm") continue;
    dtypes.insert(r.dtype);
    if (r.dtype == work.dtype) gemm.offer(r, m.rate->per_s);
  }
  if (gemm.record == nullptr || read.record == nullptr) {
    const auto listed = [](const std::set<std::string>& names) {
      std::string text;
      for (const std::string& name : names) text += (text.empty() ? "" : "; ") + name;
      return text.empty() ? std::string("none") : text;
    };
    return bad_input("--ceilings: " + place + ": expected whole records of the suite ceilings, a gemm in " +
                     work.dtype + " and a read, of " + device.product + ", " + device.basis + "; found gemms in " +
                     listed(dtypes) + (read.record == nullptr ? " and no read" : "") + "; of other devices " +
                     listed(others));
  }
  out->flops_per_s = gemm.per_s;
  out->bytes_per_s = read.per_s;
  out->attainable = device.basis + ", " + gemm.text() + ", " + read.text();
  return ok_status();
}

Status read_datasheet(const Arguments& arguments, const Case& work, const DeviceInfo& device, ProfilePeaks* out) {
  const bool named = arguments.has("chip");
  const Result<PriceBook> book = read_price_book((prices_dir() / "shipped.json").string());
  if (!book.ok()) return book.error();
  std::optional<PricedChip> chip = chip_of_product(*book, device.product);
  if (named) {
    const Result<PricedChip> found = find_chip(*book, arguments.text("chip"));
    if (!found.ok()) return found.error();
    chip = *found;
  }
  if (!chip) {
    out->no_datasheet = "the price book has no chip '" + device.product + "'; --chip names one";
    return ok_status();
  }
  const Result<Roofline> sheet = datasheet_roofline(*chip, work.dtype);
  if (!sheet.ok() && named) return sheet.error();
  if (sheet.ok()) {
    out->datasheet = *sheet;
  } else {
    out->no_datasheet = sheet.error().message;
  }
  return ok_status();
}

}  // namespace

Result<ProfilePeaks> profile_peaks(const Arguments& arguments, const Case& work, const DeviceInfo& device) {
  ProfilePeaks out;
  if (arguments.has("ceilings")) {
    const Status read = read_ceilings(arguments.text("ceilings"), work, device, &out);
    if (!read.ok()) return read.error();
  }
  const Status read = read_datasheet(arguments, work, device, &out);
  if (!read.ok()) return read.error();
  return out;
}

}  // namespace assay
