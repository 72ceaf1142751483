#include "adapters/cpu/isa.h"

#include <cpuid.h>

#include <omp.h>

#include "adapters/cpu/failure.h"
#include "adapters/cpu/onednn.h"

namespace assay::cpu {

namespace {

// Clang 14 does not know "f16c" as a feature to ask for.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

}  // namespace

const char* isa_name(Isa isa) { return kernels_of(isa).name; }

Isa best_isa() {
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni");
  if (avx512) return Isa::kAvx512;
  return avx2 ? Isa::kAvx2 : Isa::kGeneric;
}

Isa choose_isa(const std::string& forced) {
  const Isa best = best_isa();
  if (forced.empty()) return best;
  for (const Isa isa : {Isa::kGeneric, Isa::kAvx2, Isa::kAvx512}) {
    if (forced != isa_name(isa)) continue;
    if (isa > best) throw Failure(ASSAY_INVALID_ARGUMENT, "option isa: this CPU has no " + forced);
    return isa;
  }
  throw Failure(ASSAY_INVALID_ARGUMENT, "option isa: expected generic, avx2 or avx512, found '" + forced + "'");
}

const Kernels& kernels_of(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return avx512_kernels();
    case Isa::kAvx2:
      return avx2_kernels();
    default:
      return generic_kernels();
  }
}

bool limit_onednn(Isa isa) {
  const dnnl_cpu_isa_t limit = isa == Isa::kAvx512 ? kAnyOnednnIsa
                               : isa == Isa::kAvx2 ? dnnl_cpu_isa_avx2
                                                   : dnnl_cpu_isa_sse41;
  return dnnl_set_max_cpu_isa(limit) == dnnl_success;
}

bool onednn_has_vnni() {
  return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni;
}

bool onednn_has_bf16() {
  return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

bool cpu_has_bf16() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16");
}

OnednnAlone::OnednnAlone() : threads_(omp_get_max_threads()) { omp_set_num_threads(1); }

OnednnAlone::~OnednnAlone() { omp_set_num_threads(threads_); }

std::string onednn_text() {
  const dnnl_version_t* version = dnnl_version();
  const dnnl_cpu_isa_t effective = dnnl_get_effective_cpu_isa();
  std::string name = "isa " + std::to_string(effective);
  for (const OnednnIsa& entry : kOnednnIsas) {
    if (entry.isa == effective) name = entry.name;
  }
  return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch) + " (" + name + ")";
}

}  // namespace assay::cpu
