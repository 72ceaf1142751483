// oneDNN 2.6 to 3.x as one: the little that their interfaces name differently.
#pragma once

#include <oneapi/dnnl/dnnl_version.h>
#include <oneapi/dnnl/dnnl.hpp>

namespace assay::cpu {

struct OnednnIsa {
  dnnl_cpu_isa_t isa;
  const char* name;
};
constexpr OnednnIsa kOnednnIsas[] = {{dnnl_cpu_isa_sse41, "sse41"},
                                     {dnnl_cpu_isa_avx, "avx"},
                                     {dnnl_cpu_isa_avx2, "avx2"},
                                     {dnnl_cpu_isa_avx2_vnni, "avx2_vnni"},
                                     {dnnl_cpu_isa_avx512_core, "avx512_core"},
                                     {dnnl_cpu_isa_avx512_core_vnni, "avx512_core_vnni"},
                                     {dnnl_cpu_isa_avx512_core_bf16, "avx512_core_bf16"},
#if DNNL_VERSION_MAJOR >= 3
                                     {dnnl_cpu_isa_avx2_vnni_2, "avx2_vnni_2"},
                                     {dnnl_cpu_isa_avx512_core_fp16, "avx512_core_fp16"},
                                     {dnnl_cpu_isa_avx512_core_amx_fp16, "avx512_core_amx_fp16"},
#endif
                                     {dnnl_cpu_isa_avx512_core_amx, "avx512_core_amx"}};

#if DNNL_VERSION_MAJOR >= 3
constexpr dnnl_cpu_isa_t kAnyOnednnIsa = dnnl_cpu_isa_default;
#else
constexpr dnnl_cpu_isa_t kAnyOnednnIsa = dnnl_cpu_isa_all;
#endif

// dst = src weights, by shapes and strides. Throws dnnl::error where oneDNN has no such product.
inline dnnl::matmul::primitive_desc matmul_on(const dnnl::engine& engine, const dnnl::memory::desc& src,
                                              const dnnl::memory::desc& weights, const dnnl::memory::desc& dst,
                                              const dnnl::primitive_attr& attr) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, src, weights, dst, attr};
#else
  return {dnnl::matmul::desc(src, weights, dst), attr, engine};
#endif
}

// Points a memory object that nothing pads, such as a scratchpad, at `data`.
inline dnnl_status_t point_to(const dnnl::memory& memory, void* data, [[maybe_unused]] const dnnl::stream& stream) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_memory_set_data_handle(memory.get(), data);
#else
  return dnnl_memory_set_data_handle_v2(memory.get(), data, stream.get());
#endif
}

}  // namespace assay::cpu
