// The vendor's product library as plain loops.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"
#include "tests/standin/real_types.h"

namespace {

using namespace standin::real;

// Compute types as each vendor's own header numbers them: cublas_api.h, hipblas-common.h. Not from the adapter's
// header, whose numbers are on trial here.
constexpr bool kHipblas = std::string_view(GPU_VENDOR) == "hip" || std::string_view(GPU_VENDOR) == "dtk";
constexpr int kCompute32F = kHipblas ? 2 : 68, kCompute32I = kHipblas ? 9 : 72, kComputeTf32 = kHipblas ? 6 : 77;
constexpr int kNotSupported = 15, kInvalid = 7;
enum Refusing { kDescriptors = 1, kHeuristics, kProducts };  // setting "blaslt_refuse"
constexpr int kAlgorithms = 4, kOuterScales = 3;
constexpr uint64_t kMark = 0x5a5a;            // of algorithm 0; the others count up from it
constexpr uint64_t kSlownessNs = 50'000'000;  // of each but the fast one

struct Descriptor {
  int compute = 0, scale = 0;
  std::map<int, std::vector<char>> attributes;
  template <typename T>
  T get(int attribute, T otherwise) const {
    const auto found = attributes.find(attribute);
    if (found != attributes.end()) std::memcpy(&otherwise, found->second.data(), sizeof(T));
    return otherwise;
  }
};
struct Layout {
  int type = 0;
  uint64_t rows = 0, cols = 0;
  int64_t ld = 0;
  int32_t batch = 1;
  int64_t stride = 0;
};
struct Result {
  uint64_t algorithm[GPUBLASLT_ALGORITHM_WORDS];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

// What the library demands of a product, as far as the adapter must know it.
bool supported(const Descriptor& d, const Layout& a, const Layout& b, const Layout& y) {
  const bool transposed = d.get<int>(GPUBLASLT_TRANSA, GPUBLAS_OP_N) == GPUBLAS_OP_T;
  const bool straight = d.get<int>(GPUBLASLT_TRANSB, GPUBLAS_OP_N) == GPUBLAS_OP_N;
  const bool shapes = a.rows == b.rows && a.cols == y.rows && b.cols == y.cols &&
                      a.ld >= static_cast<int64_t>(a.rows) && b.ld >= static_cast<int64_t>(b.rows) &&
                      y.ld >= static_cast<int64_t>(y.rows) && a.batch == b.batch && a.batch == y.batch;
  const bool integer = d.compute == kCompute32I && a.type == kReal8I && b.type == kReal8I && y.type == kReal32I &&
                       a.ld % 4 == 0 && b.ld % 4 == 0;
  const bool real = (d.compute == kCompute32F || (d.compute == kComputeTf32 && a.type == kReal32F)) &&
                    a.type == b.type && a.type == y.type && a.type != kReal8I && a.type != kRealE4M3;
  const int scales = d.get<int>(GPUBLASLT_A_SCALE_MODE, 0);
  const bool scaled = scales == 0 || (scales == kOuterScales && standin::setting("outer_scales") != 0 &&
                                      d.get<const void*>(GPUBLASLT_A_SCALE_POINTER, nullptr) != nullptr &&
                                      d.get<const void*>(GPUBLASLT_B_SCALE_POINTER, nullptr) != nullptr);
  const bool eight = d.compute == kCompute32F && a.type == kRealE4M3 && b.type == kRealE4M3 && y.type != kRealE4M3 &&
                     y.type != kReal32I && a.rows % 16 == 0 && a.ld % 16 == 0 && b.ld % 16 == 0 && scaled &&
                     scales == d.get<int>(GPUBLASLT_B_SCALE_MODE, 0);
  return transposed && straight && shapes && (integer || real || eight);
}

void multiply(const Descriptor& d, const Layout& la, const Layout& lb, const Layout& ly, const char* a, const char* b,
              char* y) {
  const auto size = [](int type) {
    return type == kReal8I || type == kRealE4M3 ? 1 : type == kReal32F || type == kReal32I ? 4 : 2;
  };
  const int epilogue = d.get<int>(GPUBLASLT_EPILOGUE, 1);
  const void* bias = (epilogue & 4) != 0 ? d.get<const void*>(GPUBLASLT_BIAS_POINTER, nullptr) : nullptr;
  const int bias_type = d.get<int>(GPUBLASLT_BIAS_TYPE, ly.type);
  const bool outer = d.get<int>(GPUBLASLT_A_SCALE_MODE, 0) == kOuterScales;
  const auto* of_rows = outer ? d.get<const float*>(GPUBLASLT_A_SCALE_POINTER, nullptr) : nullptr;
  const auto* of_cols = outer ? d.get<const float*>(GPUBLASLT_B_SCALE_POINTER, nullptr) : nullptr;
  const auto operand = [&](const void* base, int type, int64_t i) {
    return d.compute == kComputeTf32 ? tf32_value(value(base, type, i)) : value(base, type, i);
  };
  for (int32_t z = 0; z < la.batch; ++z) {
    const void* az = a + z * la.stride * size(la.type);
    const void* bz = b + z * lb.stride * size(lb.type);
    void* yz = y + z * ly.stride * size(ly.type);
    for (int64_t col = 0; col < static_cast<int64_t>(ly.cols); ++col) {
      for (int64_t row = 0; row < static_cast<int64_t>(ly.rows); ++row) {
        double sum = 0;
        for (int64_t k = 0; k < static_cast<int64_t>(la.rows); ++k) {
          sum += operand(az, la.type, row * la.ld + k) * operand(bz, lb.type, col * lb.ld + k);
        }
        if (outer) sum *= static_cast<double>(of_rows[row]) * of_cols[col];
        if (bias != nullptr) sum += value(bias, bias_type, row);
        if ((epilogue & 32) != 0)
          sum *= 0.5 * (1 + std::tanh(std::sqrt(2 / M_PI) * (sum + 0.044715 * sum * sum * sum)));
        put(yz, ly.type, col * ly.ld + row, sum);
      }
    }
  }
}

}  // namespace

#define LT_ENTRY(name, ...) ENTRY_AS(gpublas##name, standin_##name, __VA_ARGS__)

extern "C" {

LT_ENTRY(LtCreate, void** out) {
  *out = new int(0);
  return 0;
}
LT_ENTRY(LtDestroy, void* handle) {
  delete static_cast<int*>(handle);
  return 0;
}
LT_ENTRY(LtMatmulDescCreate, void** out, int compute, int scale) {
  const bool known = compute == kCompute32F || compute == kCompute32I || compute == kComputeTf32;
  if (!known || standin::setting("blaslt_refuse") == kDescriptors) return kInvalid;
  *out = new Descriptor{compute, scale, {}};
  return 0;
}
LT_ENTRY(LtMatmulDescSetAttribute, void* d, int attribute, const void* from, size_t bytes) {
  const auto* p = static_cast<const char*>(from);
  static_cast<Descriptor*>(d)->attributes[attribute].assign(p, p + bytes);
  return 0;
}
LT_ENTRY(LtMatmulDescDestroy, void* d) {
  delete static_cast<Descriptor*>(d);
  return 0;
}
LT_ENTRY(LtMatrixLayoutCreate, void** out, int type, uint64_t rows, uint64_t cols, int64_t ld) {
  *out = new Layout{type, rows, cols, ld, 1, 0};
  return 0;
}
LT_ENTRY(LtMatrixLayoutSetAttribute, void* l, int attribute, const void* from, size_t bytes) {
  auto* layout = static_cast<Layout*>(l);
  if (attribute == GPUBLASLT_BATCH_COUNT && bytes == 4) std::memcpy(&layout->batch, from, 4);
  if (attribute == GPUBLASLT_BATCH_STRIDE && bytes == 8) std::memcpy(&layout->stride, from, 8);
  return 0;
}
LT_ENTRY(LtMatrixLayoutDestroy, void* l) {
  delete static_cast<Layout*>(l);
  return 0;
}
LT_ENTRY(LtMatmulPreferenceCreate, void** out) {
  *out = new int(0);
  return 0;
}
LT_ENTRY(LtMatmulPreferenceSetAttribute, void*, int attribute, const void*, size_t bytes) {
  if (attribute == GPUBLASLT_WORKSPACE_BYTES) return bytes == 8 ? 0 : kInvalid;
  const bool alignment = attribute >= 0 && attribute >= GPUBLASLT_ALIGN_A && attribute <= GPUBLASLT_ALIGN_D;
  return alignment && bytes == 4 ? 0 : kInvalid;
}
LT_ENTRY(LtMatmulPreferenceDestroy, void* p) {
  delete static_cast<int*>(p);
  return 0;
}
LT_ENTRY(LtMatmulAlgoGetHeuristic, void*, void* d, void* a, void* b, void*, void* y, void*, int asked, Result* results,
         int* found) {
  *found = 0;
  if (standin::setting("blaslt_refuse") == kHeuristics) return kInvalid;
  if (!supported(*static_cast<Descriptor*>(d), *static_cast<Layout*>(a), *static_cast<Layout*>(b),
                 *static_cast<Layout*>(y))) {
    return kNotSupported;
  }
  for (int i = 0; i < asked && i < kAlgorithms; ++i) {
    results[i] = Result{{kMark + static_cast<uint64_t>(i)}, 0, 0, 1, {}};
    ++*found;
  }
  return 0;
}
LT_ENTRY(LtMatmulAlgoCheck, void*, void* d, void* a, void* b, void*, void* y, const void* algorithm, Result* result) {
  uint64_t mark = 0;
  std::memcpy(&mark, algorithm, sizeof(mark));
  if (mark < kMark || mark >= kMark + kAlgorithms) return kInvalid;
  result->workspace = 0;
  return supported(*static_cast<Descriptor*>(d), *static_cast<Layout*>(a), *static_cast<Layout*>(b),
                   *static_cast<Layout*>(y))
             ? 0
             : kNotSupported;
}
EXPORT(gpublasLtGetVersion, standin_LtGetVersion)
IMPLEMENTATION size_t standin_LtGetVersion() { return static_cast<size_t>(standin::setting("blaslt_version")); }
LT_ENTRY(LtMatmul, void*, void* d, const void*, const void* a, void* la, const void* b, void* lb, const void*,
         const void*, void*, void* y, void* ly, const void* algorithm, void*, size_t, void* stream) {
  uint64_t mark = 0;
  std::memcpy(&mark, algorithm, sizeof(mark));
  if (standin::setting("blaslt_refuse") == kProducts) return kNotSupported;
  const Descriptor descriptor = *static_cast<Descriptor*>(d);
  const Layout left = *static_cast<Layout*>(la), right = *static_cast<Layout*>(lb), out = *static_cast<Layout*>(ly);
  if (mark < kMark || mark >= kMark + kAlgorithms || !supported(descriptor, left, right, out)) return kNotSupported;
  return standin::enqueue(stream, "standin_product", [=] {
    const auto number = static_cast<int64_t>(mark - kMark);
    if (number != standin::setting("fast_algorithm")) standin::spend_ns(kSlownessNs);
    standin::setting("last_algorithm") = number;
    multiply(descriptor, left, right, out, static_cast<const char*>(a), static_cast<const char*>(b),
             static_cast<char*>(y));
  });
}

}  // extern "C"
