// The adapter's kernels, compiled for the emulation.
#include "tests/standin/emulate.h"
#include "tests/standin/execute.h"

using std::fabs;

#include "adapters/gpu/kernels/kernels.cu"

namespace standin {

namespace {

template <typename Args, void (*F)(Args)>
void call(const void* args) {
  Args copy;
  std::memcpy(&copy, args, sizeof(copy));
  F(copy);
}

#define ASSAY_ENTRY(name, Args, cooperates) \
  { #name, call < assay_gpu::Args, assay_gpu::name>, cooperates, sizeof(assay_gpu::Args) }

constexpr Kernel kKernels[] = {ASSAY_ENTRY(gated_act, MapArgs, false),
                               ASSAY_ENTRY(activation, MapArgs, false),
                               ASSAY_ENTRY(add, MapArgs, false),
                               ASSAY_ENTRY(add_bias, BiasArgs, false),
                               ASSAY_ENTRY(widen, WidenArgs, false),
                               ASSAY_ENTRY(rms_norm, NormArgs, true),
                               ASSAY_ENTRY(rms_norm_8, NormArgs, true),
                               ASSAY_ENTRY(layer_norm_modulate, ModNormArgs, true),
                               ASSAY_ENTRY(layer_norm_modulate_8, ModNormArgs, true),
                               ASSAY_ENTRY(rope, RopeArgs, true),
                               ASSAY_ENTRY(kv_append, AppendArgs, false),
                               ASSAY_ENTRY(rope_kv_append, RopeAppendArgs, true),
                               ASSAY_ENTRY(norm_rope_heads, NormRopeArgs, true),
                               ASSAY_ENTRY(norm_rope_rows, NormRopeArgs, true),
                               ASSAY_ENTRY(add_rms_norm, AddNormArgs, true),
                               ASSAY_ENTRY(add_layer_norm_modulate, AddModNormArgs, true),
                               ASSAY_ENTRY(gated_f16_1, GatedProductArgs, true),
                               ASSAY_ENTRY(gated_bf16_1, GatedProductArgs, true),
                               ASSAY_ENTRY(gated_i8_1, GatedProductArgs, true),
                               ASSAY_ENTRY(gated_i4_1, GatedProductArgs, true),
                               ASSAY_ENTRY(streamed_f32_1, ProductArgs, true),
                               ASSAY_ENTRY(streamed_f16_1, ProductArgs, true),
                               ASSAY_ENTRY(streamed_bf16_1, ProductArgs, true),
                               ASSAY_ENTRY(streamed_f8e4m3_1, ProductArgs, true),
                               ASSAY_ENTRY(streamed_i8_1, ProductArgs, true),
                               ASSAY_ENTRY(streamed_i4_1, ProductArgs, true),
                               ASSAY_ENTRY(gated_streamed_f16_1, GatedProductArgs, true),
                               ASSAY_ENTRY(gated_streamed_bf16_1, GatedProductArgs, true),
                               ASSAY_ENTRY(gated_streamed_i8_1, GatedProductArgs, true),
                               ASSAY_ENTRY(gated_streamed_i4_1, GatedProductArgs, true),
                               ASSAY_ENTRY(gather, GatherArgs, false),
                               ASSAY_ENTRY(argmax_parts, ArgmaxArgs, true),
                               ASSAY_ENTRY(argmax, ArgmaxArgs, true),
                               ASSAY_ENTRY(quantize, ReduceArgs, true),
                               ASSAY_ENTRY(matvec_1, ProductArgs, true),
                               ASSAY_ENTRY(matvec_4, ProductArgs, true),
                               ASSAY_ENTRY(matvec_8, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f32_1, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f32_4, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f32_8, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f16_1, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f16_4, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f16_8, ProductArgs, true),
                               ASSAY_ENTRY(matvec_bf16_1, ProductArgs, true),
                               ASSAY_ENTRY(matvec_bf16_4, ProductArgs, true),
                               ASSAY_ENTRY(matvec_bf16_8, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f8e4m3_1, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f8e4m3_4, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f8e4m3_8, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f8e5m2_1, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f8e5m2_4, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f8e5m2_8, ProductArgs, true),
                               ASSAY_ENTRY(matvec_i8_1, ProductArgs, true),
                               ASSAY_ENTRY(matvec_i8_4, ProductArgs, true),
                               ASSAY_ENTRY(matvec_i8_8, ProductArgs, true),
                               ASSAY_ENTRY(matvec_i4_1, ProductArgs, true),
                               ASSAY_ENTRY(matvec_i4_4, ProductArgs, true),
                               ASSAY_ENTRY(matvec_i4_8, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f4e2m1_1, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f4e2m1_4, ProductArgs, true),
                               ASSAY_ENTRY(matvec_f4e2m1_8, ProductArgs, true),
                               ASSAY_ENTRY(product_f32, ProductArgs, true),
                               ASSAY_ENTRY(tiles_16_f16, ProductArgs, true),
                               ASSAY_ENTRY(tiles_16_bf16, ProductArgs, true),
                               ASSAY_ENTRY(tiles_16_f8e4m3, ProductArgs, true),
                               ASSAY_ENTRY(tiles_16_i8, ProductArgs, true),
                               ASSAY_ENTRY(tiles_16_i4, ProductArgs, true),
                               ASSAY_ENTRY(tiles_16_f4e2m1, ProductArgs, true),
                               ASSAY_ENTRY(tiles_16_f8e4m3_codes, ProductArgs, true),
                               ASSAY_ENTRY(tiles_16_i8_codes, ProductArgs, true),
                               ASSAY_ENTRY(tiles_64_f16, ProductArgs, true),
                               ASSAY_ENTRY(tiles_64_bf16, ProductArgs, true),
                               ASSAY_ENTRY(tiles_64_f8e4m3, ProductArgs, true),
                               ASSAY_ENTRY(tiles_64_i8, ProductArgs, true),
                               ASSAY_ENTRY(tiles_64_i4, ProductArgs, true),
                               ASSAY_ENTRY(tiles_64_f4e2m1, ProductArgs, true),
                               ASSAY_ENTRY(tiles_64_f8e4m3_codes, ProductArgs, true),
                               ASSAY_ENTRY(tiles_64_i8_codes, ProductArgs, true),
                               ASSAY_ENTRY(tiles_128_f16, ProductArgs, true),
                               ASSAY_ENTRY(tiles_128_bf16, ProductArgs, true),
                               ASSAY_ENTRY(tiles_128_f8e4m3, ProductArgs, true),
                               ASSAY_ENTRY(tiles_128_i8, ProductArgs, true),
                               ASSAY_ENTRY(tiles_128_i4, ProductArgs, true),
                               ASSAY_ENTRY(tiles_128_f4e2m1, ProductArgs, true),
                               ASSAY_ENTRY(tiles_128_f8e4m3_codes, ProductArgs, true),
                               ASSAY_ENTRY(tiles_128_i8_codes, ProductArgs, true),
                               ASSAY_ENTRY(tiles_16_i8_imma, ProductArgs, true),
                               ASSAY_ENTRY(tiles_64_i8_imma, ProductArgs, true),
                               ASSAY_ENTRY(tiles_128_i8_imma, ProductArgs, true),
                               ASSAY_ENTRY(product_matrix, ProductArgs, true),
                               ASSAY_ENTRY(scale_sums, ScaleArgs, false),
                               ASSAY_ENTRY(head_pass, PassArgs, false),
                               ASSAY_ENTRY(attention_rows, AttentionArgs, true),
                               ASSAY_ENTRY(attention_matrix, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_64_4_bf16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_64_8_bf16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_128_4_bf16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_128_8_bf16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_64_4_f16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_64_8_f16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_128_4_f16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_128_8_f16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_64_4_f32, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_64_8_f32, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_128_4_f32, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_128_8_f32, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_matrix_64_8_bf16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_matrix_64_16_bf16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_matrix_128_8_bf16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_matrix_128_16_bf16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_matrix_64_8_f16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_matrix_64_16_f16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_matrix_128_8_f16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_few_matrix_128_16_f16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_latent_16_bf16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_latent_32_bf16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_latent_16_f16, AttentionArgs, true),
                               ASSAY_ENTRY(attention_latent_32_f16, AttentionArgs, true),
                               ASSAY_ENTRY(overlaps, WidenArgs, false),
                               ASSAY_ENTRY(attention_combine, AttentionArgs, true),
                               ASSAY_ENTRY(sequence_lengths, LengthArgs, false),
                               ASSAY_ENTRY(join_keys, JoinArgs, false),
                               ASSAY_ENTRY(index_topk, IndexArgs, true),
                               ASSAY_ENTRY(router_topk, RouterArgs, true),
                               ASSAY_ENTRY(moe_place, PlaceArgs, true),
                               ASSAY_ENTRY(moe_combine, CombineArgs, false),
                               ASSAY_ENTRY(patchify3d, PatchArgs, false),
                               ASSAY_ENTRY(group_norm, GroupNormArgs, true)};

}  // namespace

const Kernel* find_kernel(const std::string& name) {
  for (const Kernel& kernel : kKernels) {
    if (name == kernel.name) return &kernel;
  }
  return nullptr;
}

}  // namespace standin
