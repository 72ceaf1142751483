// The instruction sets that the kernels are built for, and which of them this CPU has.
#pragma once

#include <string>

#include "adapters/cpu/kernels.h"

namespace assay::cpu {

enum class Isa { kGeneric, kAvx2, kAvx512 };

const char* isa_name(Isa isa);
// The widest one that this CPU and its operating system support.
Isa best_isa();
// `forced`: "" takes the best; throws Failure (INVALID_ARGUMENT) if unknown or not on this CPU.
Isa choose_isa(const std::string& forced);
const Kernels& kernels_of(Isa isa);
// Holds oneDNN to the same set; false if it was already in use under another one.
bool limit_onednn(Isa isa);
// Whether oneDNN multiplies bytes with VNNI (exact), or bf16 with AVX512_BF16, under its present limit.
bool onednn_has_vnni();
bool onednn_has_bf16();
bool cpu_has_bf16();        // products of bf16, AVX512_BF16
std::string onednn_text();  // "oneDNN 2.6.3 (avx512_core_bf16)"

// Within its scope oneDNN works on the calling thread alone, and makes products that do.
class OnednnAlone {
 public:
  OnednnAlone();
  ~OnednnAlone();
  OnednnAlone(const OnednnAlone&) = delete;
  OnednnAlone& operator=(const OnednnAlone&) = delete;

 private:
  int threads_;
};

}  // namespace assay::cpu
