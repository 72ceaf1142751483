// Products by the vendor's library with one call for each (cublasGemmEx and its like): for vendors that publish no
// interface by descriptors. There is nothing to search: the library chooses its algorithm.
#include <cstring>
#include <limits>
#include <set>

#include ASSAY_GPU_VENDOR_HEADER
#include "adapters/gpu/blaslt.h"
#include "adapters/gpu/products.h"

namespace assay::gpu {

namespace {

#define ASSAY_GPU_GEMMEX(X)                                                                                         \
  X(Create, int, (void**))                                                                                          \
  X(SetStream, int, (void*, void*))                                                                                 \
  X(GemmEx, int,                                                                                                    \
    (void*, int op_a, int op_b, int m, int n, int k, const void* alpha, const void* a, int, int lda, const void* b, \
     int, int ldb, const void* beta, void* c, int, int ldc, int compute, int algorithm))
#define ASSAY_GPU_GEMMEX_OPTIONAL(X)                                                                            \
  X(Destroy, int, (void*))                                                                                      \
  X(GemmStridedBatchedEx, int,                                                                                  \
    (void*, int op_a, int op_b, int m, int n, int k, const void* alpha, const void* a, int, int lda, long long, \
     const void* b, int, int ldb, long long, const void* beta, void* c, int, int ldc, long long, int batch,     \
     int compute, int algorithm))

class GemmExProducts final : public Products {
 public:
  GemmExProducts(const Runtime& runtime, const ProductSetup& setup, const Library& library)
      : runtime_(runtime), setup_(setup), name_(library.name()) {
    const auto load = [&](auto*& function, const char* name, bool needed) {
      void* symbol = library.find(name);
      std::memcpy(&function, &symbol, sizeof(symbol));
      if (symbol == nullptr && needed) throw Failure(ASSAY_UNSUPPORTED, name_ + " lacks " + name);
    };
#define ASSAY_GPU_LOAD(name, result, parameters) load(name, GPU_TEXT(gpublas##name), true);
#define ASSAY_GPU_LOAD_OPTIONAL(name, result, parameters) load(name, GPU_TEXT(gpublas##name), false);
    ASSAY_GPU_GEMMEX(ASSAY_GPU_LOAD)
    ASSAY_GPU_GEMMEX_OPTIONAL(ASSAY_GPU_LOAD_OPTIONAL)
#undef ASSAY_GPU_LOAD
#undef ASSAY_GPU_LOAD_OPTIONAL
    void* made = nullptr;
    if (const int code = Create(&made); code != 0) {
      throw Failure(ASSAY_UNSUPPORTED, name_ + ": create failed with status " + std::to_string(code));
    }
    handle_ = Handle(made, Destroy);
  }

  bool takes(const ProductShape& s) override {
    constexpr int64_t kMost = std::numeric_limits<int>::max();
    const bool integer = s.x_dtype == ASSAY_I8 && s.w_dtype == ASSAY_I8 && s.y_dtype == ASSAY_I32;
    const bool same = s.x_dtype == s.w_dtype && s.x_dtype == s.y_dtype && s.x_dtype <= ASSAY_BF16;
    if (s.bias || s.gelu || s.row_scales || (s.tf32 && s.x_dtype != ASSAY_F32)) return false;
    if (!same && !(integer && (s.n | s.k | s.ldx) % 4 == 0)) return false;
    if (s.m > kMost || s.n > kMost || s.k > kMost || s.ldx > kMost || s.ldy > kMost) return false;
    if (s.batch > 1 && GemmStridedBatchedEx == nullptr) return false;
    return refused_.count(key_of(s)) == 0;
  }

  std::function<void(void*)> bind(const ProductShape& s, const ProductOperands& o, ProductChoices* choices) override {
    if (ran_.insert(key_of(s)).second) {  // what is refused now would fail the step
      const Handle stream = make_stream(runtime_);
      const int code = multiply(s, o, stream.get());
      runtime_.check(runtime_.StreamSynchronize(stream.get()), "a first product");
      if (code != 0) {
        refused_.insert(key_of(s));
        setup_.host.log(ASSAY_LOG_WARNING, name_ + " refused a product (" + key_of(s) + ") with status " +
                                               std::to_string(code) + ": own kernels take it now");
        throw ProductRefused{};
      }
    }
    ++choices->first;
    return [this, s, o](void* stream) {
      const int code = multiply(s, o, stream);
      if (code == 0) return;
      throw Failure(ASSAY_INTERNAL, name_ + ": product failed with status " + std::to_string(code));
    };
  }

  [[nodiscard]] uint64_t workspace_bytes() const override { return 0; }
  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] std::string choices_text(const ProductChoices& choices) const override {
    return choices.first == 0 ? "" : std::to_string(choices.first) + " by the library's own choice";
  }

 private:
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define ASSAY_GPU_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  ASSAY_GPU_GEMMEX(ASSAY_GPU_MEMBER)
  ASSAY_GPU_GEMMEX_OPTIONAL(ASSAY_GPU_MEMBER)
#undef ASSAY_GPU_MEMBER

  static std::string key_of(const ProductShape& s) {
    std::string out;
    for (const int64_t part : {int64_t{s.x_dtype}, s.m, s.n, s.k, s.ldx, s.ldy, s.batch, int64_t{s.tf32}}) {
      out += (out.empty() ? "" : " ") + std::to_string(part);
    }
    return out;
  }

  // By columns, as the library counts: y^T [n, m] = w [n, k] x^T [k, m].
  int multiply(const ProductShape& s, const ProductOperands& o, void* stream) const {
    const bool integer = s.y_dtype == ASSAY_I32;
    const float one = 1, zero = 0;
    const int32_t whole_one = 1, whole_zero = 0;
    const void* alpha = integer ? static_cast<const void*>(&whole_one) : &one;
    const void* beta = integer ? static_cast<const void*>(&whole_zero) : &zero;
    const int compute = integer ? GPUBLAS_COMPUTE_32I : s.tf32 ? GPUBLAS_COMPUTE_TF32 : GPUBLAS_COMPUTE_32F;
    const int n = static_cast<int>(s.n), m = static_cast<int>(s.m), k = static_cast<int>(s.k);
    const int ldx = static_cast<int>(s.ldx), ldy = static_cast<int>(s.ldy);
    const int types[] = {real_type(s.w_dtype), real_type(s.x_dtype), real_type(s.y_dtype)};
    if (const int code = SetStream(handle_.get(), stream); code != 0) return code;
    if (s.batch == 1) {
      return GemmEx(handle_.get(), GPUBLAS_OP_T, GPUBLAS_OP_N, n, m, k, alpha, o.w, types[0], k, o.x, types[1], ldx,
                    beta, o.y, types[2], ldy, compute, GPUBLAS_GEMM_DEFAULT);
    }
    return GemmStridedBatchedEx(handle_.get(), GPUBLAS_OP_T, GPUBLAS_OP_N, n, m, k, alpha, o.w, types[0], k, s.w_stride,
                                o.x, types[1], ldx, s.x_stride, beta, o.y, types[2], ldy, s.y_stride,
                                static_cast<int>(s.batch), compute, GPUBLAS_GEMM_DEFAULT);
  }

  const Runtime& runtime_;
  ProductSetup setup_;
  std::string name_;
  Handle handle_;
  std::set<std::string> ran_, refused_;
};

}  // namespace

std::unique_ptr<Products> load_gemmex(const Runtime& runtime, const ProductSetup& setup, std::string* why) {
  const Library library({GPU_BLAS_LIBRARIES}, runtime.folder());
  if (!library.loaded()) {
    *why = library.why();
    return nullptr;
  }
  return std::make_unique<GemmExProducts>(runtime, setup, library);
}

}  // namespace assay::gpu
