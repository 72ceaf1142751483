// The vendor's product library with one call for each product, as plain loops.
#include <cstdint>
#include <string_view>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"
#include "tests/standin/real_types.h"

namespace {

using namespace standin::real;

// As each vendor's own header numbers them, not from the adapter's, whose numbers are on trial here: mublas.h numbers
// operations like hipBLAS and compute types like cuBLAS, mcblas.h both like cuBLAS; the default algorithm is 0 and -1.
constexpr bool kMublas = std::string_view(GPU_VENDOR) == "musa";
constexpr int kStraight = kMublas ? 111 : 0, kTransposed = kMublas ? 112 : 1, kDefault = kMublas ? 0 : -1;
constexpr int kCompute32F = 68, kCompute32I = 72, kComputeTf32 = 77;
constexpr int kInvalid = 7, kNotSupported = 15;

struct Handle {
  void* stream = nullptr;
};
struct Side {
  const void* at = nullptr;
  int type = 0, ld = 0;
  long long stride = 0;
};

int64_t size_of(int type) { return type == kReal8I ? 1 : type == kReal32F || type == kReal32I ? 4 : 2; }

int multiply(const Handle& handle, int m, int n, int k, const void* alpha, const void* beta, const Side& a,
             const Side& b, void* c, const Side& out, int batch, int compute, int algorithm) {
  const bool integer = compute == kCompute32I && a.type == kReal8I && b.type == kReal8I && out.type == kReal32I;
  const bool real = (compute == kCompute32F || (compute == kComputeTf32 && a.type == kReal32F)) && a.type == b.type &&
                    a.type == out.type && a.type != kReal8I;
  if (algorithm != kDefault || a.ld < k || b.ld < k || out.ld < m) return kInvalid;
  if (!integer && !real) return kNotSupported;
  if (standin::setting("gemmex_refuse") != 0) return kNotSupported;
  const bool scaled = integer ? *static_cast<const int32_t*>(alpha) == 1 && *static_cast<const int32_t*>(beta) == 0
                              : *static_cast<const float*>(alpha) == 1 && *static_cast<const float*>(beta) == 0;
  if (!scaled) return kInvalid;
  return standin::enqueue(handle.stream, "standin_gemmex", [=] {
    ++standin::setting("gemmex_products");
    const auto operand = [&](const Side& side, int64_t z, int64_t i) {
      const double v = value(static_cast<const char*>(side.at) + z * side.stride * size_of(side.type), side.type, i);
      return compute == kComputeTf32 ? tf32_value(v) : v;
    };
    for (int64_t z = 0; z < batch; ++z) {
      for (int64_t col = 0; col < n; ++col) {
        for (int64_t row = 0; row < m; ++row) {
          double sum = 0;
          for (int64_t i = 0; i < k; ++i) sum += operand(a, z, row * a.ld + i) * operand(b, z, col * b.ld + i);
          put(static_cast<char*>(c) + z * out.stride * size_of(out.type), out.type, col * out.ld + row, sum);
        }
      }
    }
  });
}

}  // namespace

#define BLAS_ENTRY(name, ...) ENTRY_AS(gpublas##name, standin_##name, __VA_ARGS__)

extern "C" {

BLAS_ENTRY(Create, void** out) {
  *out = new Handle;
  return 0;
}
BLAS_ENTRY(Destroy, void* handle) {
  delete static_cast<Handle*>(handle);
  return 0;
}
BLAS_ENTRY(SetStream, void* handle, void* stream) {
  static_cast<Handle*>(handle)->stream = stream;
  return 0;
}
BLAS_ENTRY(GemmEx, void* handle, int op_a, int op_b, int m, int n, int k, const void* alpha, const void* a, int a_type,
           int lda, const void* b, int b_type, int ldb, const void* beta, void* c, int c_type, int ldc, int compute,
           int algorithm) {
  if (op_a != kTransposed || op_b != kStraight) return kInvalid;
  return multiply(*static_cast<Handle*>(handle), m, n, k, alpha, beta, {a, a_type, lda, 0}, {b, b_type, ldb, 0}, c,
                  {nullptr, c_type, ldc, 0}, 1, compute, algorithm);
}
BLAS_ENTRY(GemmStridedBatchedEx, void* handle, int op_a, int op_b, int m, int n, int k, const void* alpha,
           const void* a, int a_type, int lda, long long a_stride, const void* b, int b_type, int ldb,
           long long b_stride, const void* beta, void* c, int c_type, int ldc, long long c_stride, int batch,
           int compute, int algorithm) {
  if (op_a != kTransposed || op_b != kStraight) return kInvalid;
  return multiply(*static_cast<Handle*>(handle), m, n, k, alpha, beta, {a, a_type, lda, a_stride},
                  {b, b_type, ldb, b_stride}, c, {nullptr, c_type, ldc, c_stride}, batch, compute, algorithm);
}

}  // extern "C"
