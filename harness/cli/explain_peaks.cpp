#include "harness/cli/explain_peaks.h"

#include "harness/cli/common.h"
#include "harness/cli/money.h"
#include "results/metrics/metrics.h"
#include "results/metrics/roofline.h"
#include "results/part.h"
#include "results/prices/datasheet.h"

namespace assay {
namespace {

constexpr int64_t kGemmSide = 2048, kReadBytes = int64_t{512} << 20;
constexpr double kPeakSeconds = 1;

Result<NamedPeaks> record_peaks(const std::string& file, const std::string& dtype) {
  const Result<Record> record = read_record(file);
  if (!record.ok()) return record.error();
  const Ceiling& c = record->ceiling;
  const Attainable beside = attainable(*record);
  if (!beside.flops_per_s || !beside.bytes_per_s) {
    return bad_input("--record: " + file + ": expected a record with measured ceilings, found none: " + c.reason);
  }
  Peaks peaks{*beside.flops_per_s, *beside.bytes_per_s,
              record->basis + ", ceilings of record " + record->id.substr(0, 8) + " on " + record->device};
  if (const std::string part = part_text(*record); !part.empty()) peaks.source += ", of which " + part + " ran";
  if (c.flops_dtype != dtype) peaks.source += " (its GEMM ran in " + c.flops_dtype + ", the case is " + dtype + ")";
  return NamedPeaks{std::move(peaks), record->device, record->device_memory_bytes};
}

// Rate of a ceiling case, run as any other.
Result<double> measure_rate(WorkerProcess* worker, const ChosenDevice& device, const Case& work, std::string* basis) {
  Job job;
  job.adapter_library = device.adapter.library.string();
  job.device = device.name;
  job.case_json = work.to_json();
  job.form = "quick";
  job.policy.time_limit_s = kPeakSeconds;
  job.policy.min_samples = 3;
  const Record record = worker->run(job, [](const Progress&) { return true; });
  const Metrics m = metrics(record);
  if (record.status != "ok" || !m.rate) {
    return bad_input("--device: the peak of " + device.name + " can't be measured: " + record.reason);
  }
  *basis = record.basis;
  return m.rate->per_s;
}

Result<NamedPeaks> device_peaks(const ChosenDevice& device, const std::string& dtype) {
  Result<std::unique_ptr<WorkerProcess>> worker = WorkerProcess::start(SupervisorOptions{});
  if (!worker.ok()) return worker.error();
  const Result<DeviceInfo> info = device_info(**worker, device, {}, 0);
  if (!info.ok()) return info.error();
  Case gemm, read;
  gemm.suite = read.suite = "ceilings";
  gemm.kind = StepKind::kGemm;
  gemm.m = gemm.n = gemm.k = kGemmSide;
  gemm.dtype = dtype;
  read.kind = StepKind::kRead;
  read.buffer_bytes = kReadBytes;
  std::string basis;
  const Result<double> flops = measure_rate(worker->get(), device, gemm, &basis);
  if (!flops.ok()) return flops.error();
  const Result<double> bytes = measure_rate(worker->get(), device, read, &basis);
  if (!bytes.ok()) return bytes.error();
  const uint64_t memory_bytes = info->memory_free_bytes != 0 ? info->memory_free_bytes : info->memory_bytes;
  const std::string source = " on " + device.name + " now: a GEMM of 2048 in " + dtype + ", a read of 512 MiB";
  return NamedPeaks{{*flops, *bytes, basis + source}, device.name, memory_bytes};
}

Result<NamedPeaks> chip_peaks(const std::string& name, const std::string& dtype) {
  const Result<PriceBook> book = read_price_book((prices_dir() / "shipped.json").string());
  if (!book.ok()) return book.error();
  const Result<PricedChip> chip = find_chip(*book, name);
  if (!chip.ok()) return chip.error();
  const Result<Roofline> sheet = datasheet_roofline(*chip, dtype);
  if (!sheet.ok()) return sheet.error();
  const double memory_gb = chip->memory_gb.empty() ? 0 : chip->memory_gb.front().value;
  return NamedPeaks{{sheet->flops_per_s, sheet->bytes_per_s, "reported, " + sheet->source},
                    chip->name,
                    static_cast<uint64_t>(memory_gb * 1e9)};
}

}  // namespace

Result<std::optional<NamedPeaks>> named_peaks(const Arguments& a, const std::string& dtype) {
  const bool chip = a.has("chip"), record = a.has("record"), device = a.has("device");
  if (!chip && !record && !device) return std::optional<NamedPeaks>();
  if (device && (chip || record)) return bad_input("--device: expected it without --chip and --record");
  if (device) {
    const Result<ChosenDevice> chosen = device_of(a);
    if (!chosen.ok()) return chosen.error();
    Result<NamedPeaks> peaks = device_peaks(*chosen, dtype);
    if (!peaks.ok()) return peaks.error();
    return std::optional<NamedPeaks>(std::move(peaks).value());
  }
  Result<NamedPeaks> peaks = chip ? chip_peaks(a.text("chip"), dtype) : record_peaks(a.text("record"), dtype);
  if (!peaks.ok()) return peaks.error();
  return std::optional<NamedPeaks>(std::move(peaks).value());
}

}  // namespace assay
