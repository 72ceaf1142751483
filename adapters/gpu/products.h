// Products by the vendor's library (cublasLt and its like), through own declarations: which of its algorithms runs is
// asked of the library once per shape, at prepare.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "adapters/gpu/runtime.h"

namespace assay::gpu {

// y [batch][m, n] = x [batch][m, k] w [batch][n, k]^T (+ bias [n]); row-major, lengths of rows and distances between
// batches in elements. dtypes as in the ABI; y of an i8 product is i32.
struct ProductShape {
  uint32_t x_dtype = 0, w_dtype = 0, y_dtype = 0;
  int64_t m = 0, n = 0, k = 0, ldx = 0, ldy = 0;
  int64_t batch = 1, x_stride = 0, w_stride = 0, y_stride = 0;
  bool bias = false;  // in y's dtype
};

class Products {
 public:
  // nullptr and the reason in `why` where the library can't be loaded.
  static std::unique_ptr<Products> load(const Runtime& runtime, std::string* why);
  virtual ~Products() = default;
  // Whether the library computes this: types that it multiplies, alignment.
  [[nodiscard]] virtual bool takes(const ProductShape& shape) const = 0;
  // A call bound to its tensors. `workspace` outlives it.
  [[nodiscard]] virtual std::function<void(void* stream)> bind(const ProductShape& shape, const void* x, const void* w,
                                                               const void* bias, void* y, void* workspace) = 0;
  [[nodiscard]] virtual uint64_t workspace_bytes() const = 0;
  [[nodiscard]] virtual std::string name() const = 0;  // "cublasLt 13.0"
};

}  // namespace assay::gpu
