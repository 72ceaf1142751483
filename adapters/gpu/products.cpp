#include "adapters/gpu/products.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <vector>

#include "adapters/gpu/blaslt.h"
#include "adapters/gpu/fill.h"
#include "adapters/gpu/plan.h"
#include "adapters/gpu/tuning.h"

namespace assay::gpu {

namespace {

constexpr uint64_t kWorkspace = uint64_t{32} << 20;

// Timing of algorithms. A piece long enough for the events' clock, a few pieces each in turn, the middle one counts.
constexpr double kPieceNs = 100e3;
constexpr int kRounds = 3, kMostRepeats = 20;
constexpr uint64_t kSearchNs = 2'000'000'000;  // of one shape; no further round begins after it

std::string version_text(size_t version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

std::string key_of(const ProductShape& s) {
  std::string out;
  for (const int64_t part :
       {int64_t{s.x_dtype}, int64_t{s.w_dtype}, int64_t{s.y_dtype}, s.m, s.n, s.k, s.ldx, s.ldy, s.batch, s.x_stride,
        s.w_stride, s.y_stride, int64_t{s.x_align}, int64_t{s.bias}, int64_t{s.tf32}, int64_t{s.row_scales}}) {
    out += (out.empty() ? "" : " ") + std::to_string(part);
  }
  return out + (s.gelu ? " gelu" : "");
}

// Descriptors of one product, in the column-major view of the library: y^T [n, m] = w [n, k] x^T [k, m], with w and x
// both lying as k x something, so w is transposed.
struct Bound {
  Handle product, w, x, y;
  Algorithm algorithm{};
  size_t workspace = 0;
};

// In a step a product finds its weights in memory, not in the caches, as the others' went through them meanwhile: those
// small enough to stay there from one timed run to the next are swept out between them.
bool is_swept(const ProductShape& s, uint64_t sweep_bytes) {
  return static_cast<uint64_t>(s.batch * s.n * s.k) * bits_of_element(s.w_dtype) / 8 < sweep_bytes;
}

enum class ChosenBy { kFirst, kTimed, kKept };
struct Choice {
  Algorithm algorithm{};
  size_t workspace = 0;
  ChosenBy by = ChosenBy::kFirst;
};

class LtProducts final : public Products {
 public:
  LtProducts(const Runtime& runtime, const ProductSetup& setup, const Library& library)
      : runtime_(runtime), setup_(setup), name_(library.name()) {
    std::string missing;
    const auto load = [&](auto*& function, const char* name) {
      void* symbol = library.find(name);
      std::memcpy(&function, &symbol, sizeof(symbol));
      return symbol != nullptr;
    };
#define ASSAY_GPU_LOAD(name, result, parameters) \
  if (!load(name, GPU_TEXT(gpublas##name))) missing += (missing.empty() ? "" : ", ") + std::string(#name);
#define ASSAY_GPU_LOAD_OPTIONAL(name, result, parameters) load(name, GPU_TEXT(gpublas##name));
    ASSAY_GPU_LT(ASSAY_GPU_LOAD)
    ASSAY_GPU_LT_OPTIONAL(ASSAY_GPU_LOAD_OPTIONAL)
#undef ASSAY_GPU_LOAD
#undef ASSAY_GPU_LOAD_OPTIONAL
    if (!missing.empty()) throw Failure(ASSAY_UNSUPPORTED, name_ + " lacks " + missing);
    if (LtGetVersion != nullptr) name_ += " " + version_text(LtGetVersion());
    void* made = nullptr;
    check(LtCreate(&made), "create");
    handle_ = Handle(made, LtDestroy);
    // What is kept must be recognised as this library's and checked by it before it is used.
    const bool keeps = LtGetVersion != nullptr && LtMatmulAlgoCheck != nullptr;
    file_ = std::make_unique<TuningFile>(
        keeps ? setup.file : "", setup.device + "; " + runtime.versions() + "; " + name_, GPUBLASLT_ALGORITHM_WORDS);
    if (!file_->complaint().empty()) setup.host.log(ASSAY_LOG_WARNING, file_->complaint());
    if (!file_->others().empty()) setup.host.log(ASSAY_LOG_INFO, file_->others());
  }

  bool takes(const ProductShape& s) override {
    const bool integer = s.x_dtype == ASSAY_I8 && s.w_dtype == ASSAY_I8 && s.y_dtype == ASSAY_I32;
    const bool same = s.x_dtype == s.w_dtype && s.x_dtype == s.y_dtype && s.x_dtype <= ASSAY_BF16;
    const bool eight = s.x_dtype == ASSAY_F8E4M3 && s.w_dtype == ASSAY_F8E4M3 && s.y_dtype <= ASSAY_BF16;
    if (s.tf32 && !(same && s.x_dtype == ASSAY_F32)) return false;
    if (s.row_scales && (!eight || GPUBLASLT_A_SCALE_MODE < 0)) return false;
    if (s.gelu && (!same || s.x_dtype == ASSAY_F32 || s.batch > 1)) return false;
    // Its integer kernels want rows of whole words, those of 8-bit floats rows of 16 bytes.
    const int64_t grain = integer ? 4 : 16;
    const bool grained = s.n % grain == 0 && s.k % grain == 0 && s.ldx % grain == 0 && s.batch == 1;
    if (!same && !(integer && grained && !s.bias) && !(eight && grained)) return false;
    return !candidates(s).empty();
  }

  std::function<void(void*)> bind(const ProductShape& s, const ProductOperands& o, ProductChoices* choices) override {
    auto bound = std::make_shared<Bound>(describe(s, o));
    const Choice& choice = chosen(s, *bound, o);
    bound->algorithm = choice.algorithm;
    bound->workspace = choice.workspace;
    ++(choice.by == ChosenBy::kTimed ? choices->timed : choice.by == ChosenBy::kKept ? choices->kept : choices->first);
    const bool integer = s.y_dtype == ASSAY_I32;
    return [this, bound, o, integer](void* stream) { check(multiply(*bound, o, integer, stream), "product"); };
  }

  [[nodiscard]] uint64_t workspace_bytes() const override { return kWorkspace; }
  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] std::string choices_text(const ProductChoices& choices) const override {
    std::string out;
    const auto add = [&](uint32_t n, const std::string& text) {
      if (n > 0) out += (out.empty() ? "" : ", ") + std::to_string(n) + " " + text;
    };
    add(choices.timed, "by the fastest of up to " + std::to_string(setup_.candidates) + " algorithms timed before");
    // A record goes to others, whom this machine's folders do not concern.
    add(choices.kept, "by one timed earlier (" + std::filesystem::path(file_->path()).filename().string() + ")");
    add(choices.first, "by the library's first choice, untimed");
    return out;
  }

 private:
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define ASSAY_GPU_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  ASSAY_GPU_LT(ASSAY_GPU_MEMBER)
  ASSAY_GPU_LT_OPTIONAL(ASSAY_GPU_MEMBER)
#undef ASSAY_GPU_MEMBER

  void check(int code, const char* what) const {
    if (code == 0) return;
    throw Failure(ASSAY_INTERNAL, name_ + ": " + what + " failed with status " + std::to_string(code));
  }
  template <typename T>
  void set(const Handle& descriptor, int attribute, const T& value) const {
    check(LtMatmulDescSetAttribute(descriptor.get(), attribute, &value, sizeof(value)), "attribute");
  }

  [[nodiscard]] Bound describe(const ProductShape& s, const ProductOperands& o) const {
    Bound bound;
    const bool integer = s.y_dtype == ASSAY_I32;
    void* made = nullptr;
    const int compute = integer ? GPUBLAS_COMPUTE_32I : s.tf32 ? GPUBLAS_COMPUTE_TF32 : GPUBLAS_COMPUTE_32F;
    check(LtMatmulDescCreate(&made, compute, integer ? kReal32I : kReal32F), "descriptor");
    bound.product = Handle(made, LtMatmulDescDestroy);
    const int transposed = GPUBLAS_OP_T, straight = GPUBLAS_OP_N;
    set(bound.product, GPUBLASLT_TRANSA, transposed);
    set(bound.product, GPUBLASLT_TRANSB, straight);
    if (s.bias || s.gelu) {
      const int epilogue = (s.bias ? kEpilogueBias : 0) | (s.gelu ? kEpilogueGelu : 0);
      set(bound.product, GPUBLASLT_EPILOGUE, epilogue);
    }
    if (s.bias) {
      const int type = real_type(s.y_dtype);
      set(bound.product, GPUBLASLT_BIAS_POINTER, o.bias);
      set(bound.product, GPUBLASLT_BIAS_TYPE, type);
    }
    if (s.row_scales) {  // the library's A is w, its B is x
      const int mode = kScalePerRow;
      const void *of_w = o.w_scale, *of_x = o.x_scale;
      set(bound.product, GPUBLASLT_A_SCALE_MODE, mode);
      set(bound.product, GPUBLASLT_B_SCALE_MODE, mode);
      set(bound.product, GPUBLASLT_A_SCALE_POINTER, of_w);
      set(bound.product, GPUBLASLT_B_SCALE_POINTER, of_x);
    }
    bound.w = layout(s.w_dtype, s.k, s.n, s.k, s.batch, s.w_stride);
    bound.x = layout(s.x_dtype, s.k, s.m, s.ldx, s.batch, s.x_stride);
    bound.y = layout(s.y_dtype, s.n, s.m, s.ldy, s.batch, s.y_stride);
    return bound;
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

  int multiply(const Bound& bound, const ProductOperands& o, bool integer, void* stream) const {
    const float one = 1, zero = 0;
    const int32_t int_one = 1, int_zero = 0;
    const void* alpha = integer ? static_cast<const void*>(&int_one) : &one;
    const void* beta = integer ? static_cast<const void*>(&int_zero) : &zero;
    return LtMatmul(handle_.get(), bound.product.get(), alpha, o.w, bound.w.get(), o.x, bound.x.get(), beta, o.y,
                    bound.y.get(), o.y, bound.y.get(), &bound.algorithm, o.workspace, bound.workspace, stream);
  }

  // The library's guesses for a shape, its best first; none where it can't compute it.
  const std::vector<Found>& candidates(const ProductShape& s) {
    const auto known = candidates_.find(key_of(s));
    if (known != candidates_.end()) return known->second;
    std::vector<Found> found;
    try {
      found = ask(s);
    } catch (const Failure& failure) {
      setup_.host.log(ASSAY_LOG_WARNING, std::string(failure.what()) + " for a product that own kernels take now");
    }
    return candidates_.emplace(key_of(s), std::move(found)).first->second;
  }
  std::vector<Found> ask(const ProductShape& s) const {
    alignas(256) float anything = 0;  // an address that is not null, where the library looks no further
    const ProductOperands none{nullptr, nullptr, nullptr, &anything, &anything, &anything, nullptr};
    const Bound bound = describe(s, none);
    void* preference = nullptr;
    check(LtMatmulPreferenceCreate(&preference), "preference");
    const Handle owner(preference, LtMatmulPreferenceDestroy);
    const auto prefer = [&](int attribute, auto value) {
      if (attribute < 0) return;
      check(LtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)), "preference");
    };
    prefer(GPUBLASLT_WORKSPACE_BYTES, kWorkspace);
    prefer(GPUBLASLT_ALIGN_A, uint32_t{16});
    prefer(GPUBLASLT_ALIGN_B, std::min<uint32_t>(16, s.x_align));
    prefer(GPUBLASLT_ALIGN_C, uint32_t{16});
    prefer(GPUBLASLT_ALIGN_D, uint32_t{16});
    std::vector<Found> found(std::max(1U, setup_.candidates));
    int n = 0;
    const int code =
        LtMatmulAlgoGetHeuristic(handle_.get(), bound.product.get(), bound.w.get(), bound.x.get(), bound.y.get(),
                                 bound.y.get(), preference, static_cast<int>(found.size()), found.data(), &n);
    found.resize(code == 0 ? static_cast<size_t>(std::clamp<int>(n, 0, static_cast<int>(found.size()))) : 0);
    found.erase(std::remove_if(found.begin(), found.end(),
                               [](const Found& f) { return f.state != 0 || f.workspace > kWorkspace; }),
                found.end());
    return found;
  }

  const Choice& chosen(const ProductShape& s, Bound& bound, const ProductOperands& o) {
    const std::string key = key_of(s);
    const auto known = choices_.find(key);
    if (known != choices_.end()) return known->second;
    const std::vector<Found>& found = candidates(s);
    if (found.empty()) throw Failure(ASSAY_INTERNAL, name_ + " has no algorithm for a product that it takes");
    Choice choice{found.front().algorithm, found.front().workspace, ChosenBy::kFirst};
    if (setup_.candidates > 1 && kept(kept_as(s), bound, &choice)) {
      choice.by = ChosenBy::kKept;
    } else if (setup_.candidates > 1 && found.size() > 1) {
      search(s, found, bound, o, &choice);
    } else {
      take_first(s, found, bound, o, &choice);
    }
    return choices_.emplace(key, choice).first->second;
  }

  [[nodiscard]] std::string kept_as(const ProductShape& s) const {
    return key_of(s) + (is_swept(s, setup_.sweep_bytes) ? " cold" : "");
  }
  // From the file, where the library still takes it for this product.
  bool kept(const std::string& key, const Bound& bound, Choice* choice) {
    const Tuned* tuned = file_->find(key);
    if (tuned == nullptr || tuned->candidates < setup_.candidates) return false;  // more are asked for now
    std::copy(tuned->algorithm.begin(), tuned->algorithm.end(), std::begin(choice->algorithm.data));
    Found result{};
    if (tuned->workspace <= kWorkspace &&
        LtMatmulAlgoCheck(handle_.get(), bound.product.get(), bound.w.get(), bound.x.get(), bound.y.get(),
                          bound.y.get(), &choice->algorithm, &result) == 0 &&
        result.workspace <= tuned->workspace) {
      choice->workspace = tuned->workspace;
      return true;
    }
    setup_.host.log(ASSAY_LOG_WARNING, file_->path() + ": " + name_ + " does not take the algorithm kept for " + key);
    file_->forget(key);
    return false;
  }

  void open_stream() {
    if (stream_.get() != nullptr) return;
    stream_ = make_stream(runtime_);
    from_ = make_event(runtime_);
    to_ = make_event(runtime_);
  }

  // Untimed, but run once: what is refused now would fail the step.
  void take_first(const ProductShape& s, const std::vector<Found>& found, Bound& bound, const ProductOperands& o,
                  Choice* choice) {
    open_stream();
    for (const Found& f : found) {
      bound.algorithm = f.algorithm;
      bound.workspace = f.workspace;
      *choice = {f.algorithm, f.workspace, ChosenBy::kFirst};
      if (piece(bound, o, s.y_dtype == ASSAY_I32, 1, Memory()) >= 0) return;
    }
    refused(key_of(s));
  }

  [[noreturn]] void refused(const std::string& key) {
    candidates_[key].clear();
    setup_.host.log(ASSAY_LOG_WARNING, name_ + " refused every algorithm of a product (" + key +
                                           ") when it was to run: own kernels take it now");
    throw ProductRefused{};
  }

  void search(const ProductShape& s, const std::vector<Found>& found, Bound& bound, const ProductOperands& o,
              Choice* choice) {
    open_stream();
    fill_randomly(runtime_, stream_.get(), o.x, s.x_dtype, (s.batch - 1) * s.x_stride + (s.m - 1) * s.ldx + s.k);
    fill_randomly(runtime_, stream_.get(), o.w, s.w_dtype, (s.batch - 1) * s.w_stride + s.n * s.k);
    if (s.row_scales) {
      fill_randomly(runtime_, stream_.get(), o.x_scale, ASSAY_F32, s.m);
      fill_randomly(runtime_, stream_.get(), o.w_scale, ASSAY_F32, s.n);
    }
    const Memory sweep = is_swept(s, setup_.sweep_bytes) ? sweep_memory(runtime_, setup_.sweep_bytes) : Memory();
    const uint64_t began = setup_.host.now_ns();
    const bool integer = s.y_dtype == ASSAY_I32;
    std::vector<std::vector<double>> times(found.size());
    std::vector<int> repeats(found.size(), 1);
    for (int round = -2; round < kRounds; ++round) {  // the first loads what is loaded lazily, the second sizes a piece
      for (size_t i = 0; i < found.size(); ++i) {
        bound.algorithm = found[i].algorithm;
        bound.workspace = found[i].workspace;
        const double ns = repeats[i] > 0 ? piece(bound, o, integer, repeats[i], sweep) : -1;
        if (ns < 0) repeats[i] = 0;  // it refused: no candidate
        if (ns < 0 || round == -2) continue;
        if (round == -1)
          repeats[i] = static_cast<int>(std::clamp(kPieceNs / std::max(ns, 1.0), 1.0, double{kMostRepeats}));
        times[i].push_back(ns);
      }
      if (round >= -1 && setup_.host.now_ns() - began > kSearchNs) break;
    }
    Tuned best;
    for (size_t i = 0; i < found.size(); ++i) {
      std::vector<double>& all = times[i];
      if (repeats[i] == 0 || all.empty()) continue;
      std::sort(all.begin(), all.end());
      const double middle = std::max(1.0, all[all.size() / 2]);
      if (best.ns > 0 && middle >= best.ns) continue;
      best = {{std::begin(found[i].algorithm.data), std::end(found[i].algorithm.data)},
              found[i].workspace,
              middle,
              setup_.candidates};
      *choice = {found[i].algorithm, found[i].workspace, ChosenBy::kTimed};
    }
    if (best.ns <= 0) refused(key_of(s));
    const std::string why = file_->keep(kept_as(s), best);
    if (!why.empty()) setup_.host.log(ASSAY_LOG_WARNING, why);
  }

  // Device time of one product, ns; below 0 where the library refuses. With `sweep` each begins with cold caches.
  double piece(const Bound& bound, const ProductOperands& o, bool integer, int repeats, const Memory& sweep) const {
    const int stretch = sweep.data() == nullptr ? repeats : 1;  // products between two events
    double ns = 0;
    for (int done = 0; done < repeats; done += stretch) {
      if (sweep.data() != nullptr) {
        runtime_.check(runtime_.MemsetAsync(sweep.data(), 0, sweep.bytes(), stream_.get()), "sweep");
      }
      runtime_.check(runtime_.EventRecord(from_.get(), stream_.get()), "event");
      for (int r = 0; r < stretch; ++r) {
        if (multiply(bound, o, integer, stream_.get()) != 0) return -1;
      }
      runtime_.check(runtime_.EventRecord(to_.get(), stream_.get()), "event");
      runtime_.check(runtime_.EventSynchronize(to_.get()), "timing a product");
      float ms = 0;
      runtime_.check(runtime_.EventElapsedTime(&ms, from_.get(), to_.get()), "elapsed time");
      ns += static_cast<double>(ms) * 1e6;
    }
    return ns / repeats;
  }

  const Runtime& runtime_;
  ProductSetup setup_;
  std::string name_;
  Handle handle_, stream_, from_, to_;
  std::unique_ptr<TuningFile> file_;
  std::map<std::string, std::vector<Found>> candidates_;  // by shape
  std::map<std::string, Choice> choices_;
};

}  // namespace

std::unique_ptr<Products> Products::load(const Runtime& runtime, const ProductSetup& setup, std::string* why) {
  if (!std::vector<std::string>{GPU_BLAS_LIBRARIES}.front().empty()) return load_gemmex(runtime, setup, why);
  const Library library({GPU_BLASLT_LIBRARIES}, runtime.folder());
  if (!library.loaded()) {
    *why = library.why();
    return nullptr;
  }
  return std::make_unique<LtProducts>(runtime, setup, library);
}

}  // namespace assay::gpu
