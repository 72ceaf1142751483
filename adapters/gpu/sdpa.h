// Attention by the vendor's library of neural-network ops (cuDNN 9), through own declarations of its backend interface:
// from 9.21 as its one op for it, else or where that has no plan as a graph of products, masks and a softmax that it
// fuses.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "adapters/gpu/runtime.h"

namespace assay::gpu {

// q [B*T, q_row] from a column on, heads side by side; k and v [B, S, KH, k_row or v_row] likewise; y [B*T, H*DV]. All
// of one dtype, f16 or bf16. All S keys are seen, or with `causal` key j of query i where j < keys[b] and j <= i +
// keys[b] - T, with `window` > 0 also j > i + keys[b] - T - window. With `page` > 0, only with causal, k and v are
// [pages, page, KH, row]: key j of sequence b is k[table[b, j / page], j % page], table [B, S / page].
struct SdpaShape {
  uint32_t dtype = 0;
  int64_t batch = 1, heads = 1, kv_heads = 1, tokens = 1, slots = 1, dim_qk = 0, dim_v = 0;
  int64_t q_row = 0, k_row = 0, v_row = 0;
  bool causal = false;
  int64_t window = 0;  // only with causal
  float scale = 1;
  int64_t page = 0, pages = 0;
};

std::string sdpa_key(const SdpaShape& shape);  // of all but the scale

struct SdpaOperands {
  void *q = nullptr, *k = nullptr, *v = nullptr, *y = nullptr;  // 16-byte aligned
  int32_t *queries = nullptr, *keys = nullptr;                  // causal, [B] each: T, and how many keys there are
  int32_t* table = nullptr;                                     // of pages
  float* stats = nullptr;                                       // [B, H, T]: may be written, of no use
  void* workspace = nullptr;
};

class Sdpa {
 public:
  // nullptr and the reason in `why` where the library can't be loaded. The device must be the present one.
  static std::unique_ptr<Sdpa> load(const Runtime& runtime, std::string* why);
  virtual ~Sdpa() = default;
  // How many plans the library has for it, which are kept: first what it takes for the fastest. `workspace`: bytes that
  // any of them needs.
  virtual size_t plans(const SdpaShape& shape, uint64_t* workspace) = 0;
  // A call of one of them bound to its tensors.
  virtual std::function<void(void* stream)> bind(const SdpaShape& shape, const SdpaOperands& operands, size_t plan) = 0;
  // With the form in which the library is asked for the shape: "libcudnn.so.9 9.21.0 (SDPA node)"; " plan 2" of a later
  // one.
  [[nodiscard]] virtual std::string name(const SdpaShape& shape, size_t plan) = 0;
};

}  // namespace assay::gpu
