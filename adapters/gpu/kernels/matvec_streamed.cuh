// Products of one row whose weights stream through shared memory, where the compiler has copies that go there without a
// register and without waiting.
#pragma once

namespace assay_gpu {

#if defined(ASSAY_COPIES_AHEAD)
// Of a warp: groups of vectors in its ring, and vectors of a group; of a gated pair of columns half as many of each.
constexpr int kRingGroups = 4, kRingVectors = 4;

// A warp takes a column (with `Gated` one of either half), then the one that lies as many on as there are warps: its
// ring always holds three groups on their way, of whichever column, and nothing waits for another warp. A memory of
// 4.8 TB/s that answers in about 1 us wants 36 KB on their way per multiprocessor of 132; two blocks of 4 warps have 48
// in no register, and with 64 registers a thread three blocks leave room for as many of the next kernel's, which fill
// their rings while this one still runs. A vector of quantised weights is shared among lanes, so that neighbours read
// neighbouring elements of x. k is a whole number of vectors, a scale's block too. Threads: 128. Shared: 256 bytes a
// thread, 320 with scales of blocks.
template <int kDtype, typename Gate = Ungated>
__device__ inline void matvec_streamed(const ProductArgs& a, const Gate& gate = Gate{}) {
  constexpr int kElements = kVectorElements<kDtype>, kPiece = kElements < 8 ? kElements : 8;
  constexpr int kPieces = kElements / kPiece, kWords = 4 / kPieces, kHalves = Gate::kHalves;
  constexpr int kGroup = kRingVectors / kHalves;
  ASSAY_DYNAMIC_SHARED(Vector, streamed);
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const int in_block = static_cast<int>(blockDim.x / 32), vectors = static_cast<int>(a.k / kElements);
  Vector* ring = streamed + warp * (kRingGroups * kRingVectors * 32);
  float* scales = reinterpret_cast<float*>(streamed + in_block * (kRingGroups * kRingVectors * 32)) +
                  warp * (kRingGroups * kRingVectors * 32);
  const bool grouped = kDtype >= kF8E4M3 && a.w.scale != nullptr && a.w.block != a.k;
  const auto block = static_cast<unsigned>(grouped ? a.w.block : 1);
  const i64 columns = a.n / kHalves, apart = static_cast<i64>(gridDim.x) * in_block;
  i64 n = static_cast<i64>(blockIdx.x) * in_block + warp, fetched_n = n;
  int fetched_to = 0;
  const auto fetch_next = [&](int group) {
    if (fetched_n < columns) {
#pragma unroll
      for (int i = 0; i < kRingVectors; ++i) {
        const int vector = fetched_to + i / kHalves * 32 + lane, slot = (group * kRingVectors + i) * 32 + lane;
        const i64 row = fetched_n + i % kHalves * columns;
        if (vector >= vectors) continue;
        copy_16_ahead(ring + slot, a.w.p + (row * vectors + vector) * 16);
        if (!grouped) continue;
        copy_4_ahead(scales + slot, a.w.scale + row * (a.k / block) + static_cast<unsigned>(vector) * kElements / block);
      }
      fetched_to += 32 * kGroup;
      if (fetched_to >= vectors) {
        fetched_to = 0;
        fetched_n += apart;
      }
    }
    end_copies();  // also none: what is counted is groups
  };
  if (a.early == 0) ASSAY_WAIT_FOR_INPUT();
#pragma unroll
  for (int group = 0; group < kRingGroups - 1; ++group) fetch_next(group);
  if (a.early != 0) ASSAY_WAIT_FOR_INPUT();
  Data left = a.x;
  left.dtype = kUsualLeft<kDtype>;
  // What a column's sum is multiplied by and what is added to it, fetched a column ahead.
  float factor[kHalves], addend[kHalves];
  const auto fetch_ends = [&](i64 of) {
#pragma unroll
    for (int h = 0; h < kHalves; ++h) {
      const bool is = of < columns;
      factor[h] = is && a.w.scale != nullptr && !grouped ? a.w.scale[of + h * columns] : 1;
      addend[h] = is && a.bias.p != nullptr ? load(a.bias, of + h * columns) : 0;
    }
  };
  fetch_ends(n);
  int group = 0;
  for (; n < columns; n += apart) {
    float sums[kHalves];
    for (int h = 0; h < kHalves; ++h) sums[h] = 0;
    for (int from = 0; from < vectors; from += 32 * kGroup) {
      wait_for_copies<kRingGroups - 2>();
      if (kPieces > 1) ASSAY_SYNC_WARP();  // the other lanes' copies are there, too
      fetch_next((group + kRingGroups - 1) % kRingGroups);  // in place of what the last turn has used
#pragma unroll
      for (int u = 0; u < kGroup; ++u) {
#pragma unroll
        for (int piece = 0; piece < kPieces; ++piece) {
          const int at = piece * 32 + lane, k = ((from + u * 32) * kPieces + at) * kPiece;
          const bool is = k < a.k;  // no branch: the loads of a group stay side by side
          float x[kPiece];
          if (kPiece == 8) {
            widen8(left, fetch8(left, is ? k : 0), x);
          } else {
            unpack<kF32>(reinterpret_cast<const Vector*>(left.p)[is ? k / 4 : 0], 0, x);
          }
#pragma unroll
          for (int h = 0; h < kHalves; ++h) {
            const int slot = (group * kRingVectors + u * kHalves + h) * 32;
            const auto* words = reinterpret_cast<const Words<kWords>*>(ring + slot) + at;
            Vector w;
            for (int i = 0; i < kWords; ++i) w.word[i] = words->word[i];
            float values[kPiece];
            unpack<kDtype>(w, 0, values);
            float sum = 0;
            for (int j = 0; j < kPiece; ++j) sum += values[j] * x[j];
            if (grouped) sum *= scales[slot + at / kPieces];
            sums[h] += is ? sum : 0;
          }
        }
      }
      group = (group + 1) % kRingGroups;
    }
    float stored[kHalves];
#pragma unroll
    for (int h = 0; h < kHalves; ++h) {
      const float sum = warp_sum(sums[h]) * factor[h] + addend[h];
      if (lane == 0) store(a.y, n + h * columns, sum);
      stored[h] = rounded(a.y, sum);
    }
    if constexpr (kHalves == 2) {
      if (lane == 0) store(gate.y, n, activated(stored[0], gate.function) * stored[1]);
    }
    fetch_ends(n + apart);
  }
}

#define ASSAY_STREAMED(name, dtype) \
  ASSAY_EARLY_KERNEL(streamed_##name##_1, ProductArgs, 8) { matvec_streamed<dtype>(a); }
ASSAY_STREAMED(f32, kF32)
ASSAY_STREAMED(f16, kF16)
ASSAY_STREAMED(bf16, kBF16)
ASSAY_STREAMED(f8e4m3, kF8E4M3)
ASSAY_STREAMED(i8, kI8)
ASSAY_STREAMED(i4, kI4)

#define ASSAY_GATED_STREAMED(name, dtype)                                \
  ASSAY_EARLY_KERNEL(gated_streamed_##name##_1, GatedProductArgs, 8) {   \
    matvec_streamed<dtype>(a.product, Gated{a.y, a.function});           \
  }
ASSAY_GATED_STREAMED(f16, kF16)
ASSAY_GATED_STREAMED(bf16, kBF16)
ASSAY_GATED_STREAMED(i8, kI8)
ASSAY_GATED_STREAMED(i4, kI4)
#endif

}  // namespace assay_gpu
