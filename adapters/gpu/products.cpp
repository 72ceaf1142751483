#include "adapters/gpu/products.h"

#include <cstring>
#include <mutex>

#include ASSAY_GPU_VENDOR_HEADER

namespace assay::gpu {

namespace {

// Results of the library's search, as it lays them out; the algorithm is opaque.
struct Algorithm {
  uint64_t data[8];
};
struct Found {
  Algorithm algorithm;
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

#define ASSAY_GPU_LT(X)                                                                                              \
  X(LtCreate, int, (void**))                                                                                         \
  X(LtDestroy, int, (void*))                                                                                         \
  X(LtMatmulDescCreate, int, (void**, int compute, int scale_type))                                                  \
  X(LtMatmulDescSetAttribute, int, (void*, int, const void*, size_t))                                                \
  X(LtMatmulDescDestroy, int, (void*))                                                                               \
  X(LtMatrixLayoutCreate, int, (void**, int type, uint64_t rows, uint64_t cols, int64_t ld))                         \
  X(LtMatrixLayoutSetAttribute, int, (void*, int, const void*, size_t))                                              \
  X(LtMatrixLayoutDestroy, int, (void*))                                                                             \
  X(LtMatmulPreferenceCreate, int, (void**))                                                                         \
  X(LtMatmulPreferenceSetAttribute, int, (void*, int, const void*, size_t))                                          \
  X(LtMatmulPreferenceDestroy, int, (void*))                                                                         \
  X(LtMatmulAlgoGetHeuristic, int, (void*, void*, void*, void*, void*, void*, void*, int asked, Found*, int* found)) \
  X(LtMatmul, int,                                                                                                   \
    (void*, void*, const void* alpha, const void* a, void*, const void* b, void*, const void* beta, const void* c,   \
     void*, void* d, void*, const Algorithm*, void* workspace, size_t, void* stream))

// Numbers that all of these libraries share with CUDA.
constexpr int kReal32F = 0, kReal16F = 2, kReal8I = 3, kReal32I = 10, kReal16BF = 14, kRealE4M3 = 28, kRealE5M2 = 29;
constexpr int kCompute32F = 68, kCompute32I = 72;
constexpr int kEpilogueBias = 4;
constexpr uint64_t kWorkspace = uint64_t{32} << 20;

int real_type(uint32_t dtype) {
  switch (dtype) {
    case ASSAY_F32:
      return kReal32F;
    case ASSAY_F16:
      return kReal16F;
    case ASSAY_BF16:
      return kReal16BF;
    case ASSAY_F8E4M3:
      return kRealE4M3;
    case ASSAY_F8E5M2:
      return kRealE5M2;
    case ASSAY_I8:
      return kReal8I;
    case ASSAY_I32:
      return kReal32I;
    default:
      return -1;
  }
}

class LtProducts;

// Descriptors of one product, in the column-major view of the library: y^T [n, m] = w [n, k] x^T [k, m], with w and x
// both lying as k x something, so w is transposed.
struct Bound {
  Handle product, w, x, y;
  Algorithm algorithm{};
  size_t workspace = 0;
};

class LtProducts final : public Products {
 public:
  LtProducts(const Runtime& runtime, const Library& library) : runtime_(runtime), name_(library.name()) {
    std::string missing;
    const auto load = [&](auto*& function, const char* name) {
      void* symbol = library.find(name);
      std::memcpy(&function, &symbol, sizeof(symbol));
      if (symbol == nullptr) missing += std::string(missing.empty() ? "" : ", ") + name;
    };
#define ASSAY_GPU_LOAD(name, result, parameters) load(name, GPU_TEXT(gpublas##name));
    ASSAY_GPU_LT(ASSAY_GPU_LOAD)
#undef ASSAY_GPU_LOAD
    if (!missing.empty()) throw Failure(ASSAY_UNSUPPORTED, name_ + " lacks " + missing);
    void* made = nullptr;
    check(LtCreate(&made), "create");
    handle_ = Handle(made, LtDestroy);
  }

  bool takes(const ProductShape& s) const override {
    const bool integer = s.x_dtype == ASSAY_I8 && s.w_dtype == ASSAY_I8 && s.y_dtype == ASSAY_I32;
    const bool same = s.x_dtype == s.w_dtype && s.x_dtype == s.y_dtype && s.x_dtype <= ASSAY_BF16;
    // Its integer kernels want rows of whole words.
    if (integer) return s.n % 4 == 0 && s.k % 4 == 0 && s.ldx % 4 == 0 && !s.bias && s.batch == 1;
    return same;
  }

  std::function<void(void*)> bind(const ProductShape& s, const void* x, const void* w, const void* bias, void* y,
                                  void* workspace) override {
    auto bound = std::make_shared<Bound>();
    const bool integer = s.y_dtype == ASSAY_I32;
    void* made = nullptr;
    check(LtMatmulDescCreate(&made, integer ? kCompute32I : kCompute32F, integer ? kReal32I : kReal32F), "descriptor");
    bound->product = Handle(made, LtMatmulDescDestroy);
    const int transposed = GPUBLAS_OP_T, straight = GPUBLAS_OP_N;
    set(bound->product, GPUBLASLT_TRANSA, transposed);
    set(bound->product, GPUBLASLT_TRANSB, straight);
    if (s.bias) {
      const int epilogue = kEpilogueBias;
      set(bound->product, GPUBLASLT_EPILOGUE, epilogue);
      set(bound->product, GPUBLASLT_BIAS_POINTER, bias);
      const int type = real_type(s.y_dtype);
      set(bound->product, GPUBLASLT_BIAS_TYPE, type);
    }
    bound->w = layout(s.w_dtype, s.k, s.n, s.k, s.batch, s.w_stride);
    bound->x = layout(s.x_dtype, s.k, s.m, s.ldx, s.batch, s.x_stride);
    bound->y = layout(s.y_dtype, s.n, s.m, s.ldy, s.batch, s.y_stride);
    choose(*bound, s);
    return [this, bound, x, w, y, workspace, integer](void* stream) {
      const float one = 1, zero = 0;
      const int32_t int_one = 1, int_zero = 0;
      const void* alpha = integer ? static_cast<const void*>(&int_one) : &one;
      const void* beta = integer ? static_cast<const void*>(&int_zero) : &zero;
      check(LtMatmul(handle_.get(), bound->product.get(), alpha, w, bound->w.get(), x, bound->x.get(), beta, y,
                     bound->y.get(), y, bound->y.get(), &bound->algorithm, workspace, bound->workspace, stream),
            "product");
    };
  }

  [[nodiscard]] uint64_t workspace_bytes() const override { return kWorkspace; }
  [[nodiscard]] std::string name() const override { return name_; }

 private:
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define ASSAY_GPU_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  ASSAY_GPU_LT(ASSAY_GPU_MEMBER)
#undef ASSAY_GPU_MEMBER

  void check(int code, const char* what) const {
    if (code == 0) return;
    throw Failure(ASSAY_INTERNAL, name_ + ": " + what + " failed with status " + std::to_string(code));
  }
  template <typename T>
  void set(const Handle& descriptor, int attribute, const T& value) const {
    check(LtMatmulDescSetAttribute(descriptor.get(), attribute, &value, sizeof(value)), "attribute");
  }
  [[nodiscard]] Handle layout(uint32_t dtype, int64_t rows, int64_t cols, int64_t ld, int64_t batch,
                              int64_t stride) const {
    void* made = nullptr;
    check(LtMatrixLayoutCreate(&made, real_type(dtype), static_cast<uint64_t>(rows), static_cast<uint64_t>(cols), ld),
          "layout");
    Handle handle(made, LtMatrixLayoutDestroy);
    if (batch > 1) {
      const auto count = static_cast<int32_t>(batch);
      check(LtMatrixLayoutSetAttribute(made, GPUBLASLT_BATCH_COUNT, &count, sizeof(count)), "batch");
      check(LtMatrixLayoutSetAttribute(made, GPUBLASLT_BATCH_STRIDE, &stride, sizeof(stride)), "batch");
    }
    return handle;
  }
  void choose(Bound& bound, const ProductShape& s) const {
    void* preference = nullptr;
    check(LtMatmulPreferenceCreate(&preference), "preference");
    const Handle owner(preference, LtMatmulPreferenceDestroy);
    const uint64_t bytes = kWorkspace;
    check(LtMatmulPreferenceSetAttribute(preference, GPUBLASLT_WORKSPACE_BYTES, &bytes, sizeof(bytes)), "preference");
    Found found{};
    int n = 0;
    const int code = LtMatmulAlgoGetHeuristic(handle_.get(), bound.product.get(), bound.w.get(), bound.x.get(),
                                              bound.y.get(), bound.y.get(), preference, 1, &found, &n);
    if (code != 0 || n < 1) {
      throw Failure(ASSAY_UNSUPPORTED, name_ + " has no algorithm for a product of " + std::to_string(s.m) + " x " +
                                           std::to_string(s.n) + " x " + std::to_string(s.k) + " (status " +
                                           std::to_string(code) + ")");
    }
    bound.algorithm = found.algorithm;
    bound.workspace = found.workspace;
  }

  const Runtime& runtime_;
  std::string name_;
  Handle handle_;
};

}  // namespace

std::unique_ptr<Products> Products::load(const Runtime& runtime, std::string* why) {
  const Library library({GPU_BLASLT_LIBRARIES}, runtime.folder());
  if (!library.loaded()) {
    *why = library.why();
    return nullptr;
  }
  return std::make_unique<LtProducts>(runtime, library);
}

}  // namespace assay::gpu
