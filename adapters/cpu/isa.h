// The instruction sets that the kernels are built for, and which of them this CPU has.
#pragma once

#include <string>

#include "adapters/cpu/kernels.h"

namespace assay::cpu {

enum class Isa { kGeneric, kAvx2, kAvx512 };

const char* isa_name(Isa isa);
// The widest one that this CPU and its operating system support.
Isa best_isa();
bool has_bf16_products();  // AVX512_BF16
// `forced`: "" takes the best; throws Failure (INVALID_ARGUMENT) if unknown or not on this CPU.
Isa choose_isa(const std::string& forced);
const Kernels& kernels_of(Isa isa);
// Holds oneDNN to the same set; false if it was already in use under another one.
bool limit_onednn(Isa isa);
std::string onednn_text();  // "oneDNN 2.6.3 (avx512_core_bf16)"

}  // namespace assay::cpu
