#include "results/prices/datasheet.h"

namespace assay {
namespace {

const char* book_dtype(const std::string& dtype) {
  if (dtype == "f32") return "fp32";
  if (dtype == "bf16") return "bf16";
  if (dtype == "f16") return "fp16";
  if (dtype == "tf32") return "tf32";
  if (dtype.rfind("int8_w8a8", 0) == 0) return "int8";
  if (dtype.rfind("fp8_w8a8", 0) == 0) return "fp8";
  for (const char* weights_only : {"int8", "fp8", "int4", "fp4"}) {
    if (dtype.rfind(weights_only, 0) == 0) return "bf16";
  }
  return "";
}

}  // namespace

std::optional<PriceCell> datasheet_compute(const PricedChip& chip, const std::string& dtype) {
  const auto found = chip.compute.find(book_dtype(dtype));
  if (found == chip.compute.end()) return std::nullopt;
  for (const PriceCell& cell : found->second) {
    if (cell.basis == "dense") return cell;
  }
  return std::nullopt;
}

Result<Roofline> datasheet_roofline(const PricedChip& chip, const std::string& dtype) {
  const std::optional<PriceCell> compute = datasheet_compute(chip, dtype);
  if (!compute) {
    return bad_input("chip " + chip.id + ": expected a dense peak in " + book_dtype(dtype) + " for a case in " + dtype +
                     ", found none in the price book");
  }
  if (chip.bandwidth_tb_s.empty()) {
    return bad_input("chip " + chip.id + ": expected a memory bandwidth, found none in the price book");
  }
  const PriceCell& bandwidth = chip.bandwidth_tb_s.front();
  return Roofline{compute->value * 1e12, bandwidth.value * 1e12,
                  "datasheet of " + chip.name + ": dense " + book_dtype(dtype) + " (" + compute->source + ", " +
                      compute->date + ", grade " + compute->grade + "), bandwidth (grade " + bandwidth.grade + ")"};
}

}  // namespace assay
