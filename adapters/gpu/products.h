// Products by the vendor's library (cublasLt and its like), through own declarations: which of its algorithms runs is
// found once per shape, at prepare: by timing the library's best guesses, or in the file of earlier timings.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "adapters/gpu/runtime.h"

namespace assay::gpu {

// y [batch][m, n] = x [batch][m, k] w [batch][n, k]^T (+ bias [n], then GELU); row-major, lengths of rows and distances
// between batches in elements. dtypes as in the ABI; y of an i8 product is i32.
struct ProductShape {
  uint32_t x_dtype = 0, w_dtype = 0, y_dtype = 0;
  int64_t m = 0, n = 0, k = 0, ldx = 0, ldy = 0;
  int64_t batch = 1, x_stride = 0, w_stride = 0, y_stride = 0;
  uint32_t x_align = 16;    // bytes that x's address is a multiple of, at least
  bool bias = false;        // in y's dtype
  bool gelu = false;        // y = GELU of the sum, by its approximation with tanh
  bool tf32 = false;        // f32 operands rounded to 10 bits of mantissa
  bool row_scales = false;  // f8: each y [i, j] times x's scale of row i and w's of row j
};

struct ProductOperands {
  void *x = nullptr, *w = nullptr, *y = nullptr;
  const void* bias = nullptr;
  float *x_scale = nullptr, *w_scale = nullptr;  // with row_scales
  void* workspace = nullptr;
};

// How the algorithms of a program's products were chosen, a count each.
struct ProductChoices {
  uint32_t timed = 0, kept = 0, first = 0;  // fastest by timing now, by an earlier timing; the library's first guess
};

// The library refuses to run what it took before; from now on it takes it no more, so that the program can be laid out
// anew without it.
struct ProductRefused {};

struct ProductSetup {
  std::string device;       // its name, for the file of timings
  std::string file;         // of timings; "": none is kept
  unsigned candidates = 8;  // algorithms timed per shape; 1: the library's first guess is taken
  sdk::Host host{nullptr};
  uint64_t sweep_bytes = 0;  // to write before a product is timed that is small enough to stay in the caches
};

class Products {
 public:
  // nullptr and the reason in `why` where the library can't be loaded. The device must be the present one.
  static std::unique_ptr<Products> load(const Runtime& runtime, const ProductSetup& setup, std::string* why);
  virtual ~Products() = default;
  // Whether the library computes this: types that it multiplies, alignment, an algorithm for it.
  [[nodiscard]] virtual bool takes(const ProductShape& shape) = 0;
  // A call bound to its tensors, of a shape that it takes. The first of a shape runs it, with timing also its operands
  // are overwritten. Throws ProductRefused.
  [[nodiscard]] virtual std::function<void(void* stream)> bind(const ProductShape& shape,
                                                               const ProductOperands& operands,
                                                               ProductChoices* choices) = 0;
  [[nodiscard]] virtual uint64_t workspace_bytes() const = 0;
  [[nodiscard]] virtual std::string name() const = 0;  // "libcublasLt.so.13 13.1.0"
  // "fastest of up to 8 algorithms, 3 timed now, 12 known from FILE"
  [[nodiscard]] virtual std::string choices_text(const ProductChoices& choices) const = 0;
};

// The same by the vendor's library with one call for each product (cublasGemmEx and its like).
std::unique_ptr<Products> load_gemmex(const Runtime& runtime, const ProductSetup& setup, std::string* why);

}  // namespace assay::gpu
