// Products: the vendor's library where it multiplies what is asked, own kernels for the rest.
#include <algorithm>
#include <array>
#include <iterator>

#include "adapters/gpu/lower.h"
#include "adapters/gpu/trial.h"

namespace assay::gpu {

using namespace assay_gpu;

namespace {

constexpr int64_t kFewRows = 8;       // at most so many are multiplied straight from the weights, each read once
constexpr int64_t kVectorBits = 128;  // that a thread reads at once
constexpr int64_t kWidenedRows = 64;  // from here on, unpacking quantised weights first costs less than it saves

bool is_half(uint32_t dtype) { return dtype == ASSAY_BF16 || dtype == ASSAY_F16; }

// The dtype of x that kernels of few rows know beside weights of this one (kUsualLeft).
uint32_t usual_left(uint32_t w) { return w == ASSAY_F32 || w == ASSAY_F16 ? w : uint32_t{ASSAY_BF16}; }

}  // namespace

void Lower::product_shapes(const Slot& x, const Slot& w, const Slot& y) const {
  readable(x);
  readable(w);
  floats({&y});
  need(x.dtype != ASSAY_I8 || x.block == x.cols, "i8 activations need one scale per row");
}

// Whether no op writes these weights or their scales.
bool Lower::constant(const Slot& w) const {
  return w.role == ASSAY_ROLE_WEIGHT &&
         (w.scale < 0 || plan_.slots[static_cast<size_t>(w.scale)].role == ASSAY_ROLE_WEIGHT);
}

void Lower::matvec(ProductArgs args, const Slot& w) {
  args.early = constant(w) ? 1 : 0;
  static constexpr const char* kDtypeNames[] = {"f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i8", "i4", "f4e2m1"};
  const int64_t bits = bits_of_element(w.dtype), columns = args.m == 1 ? 1 : 4;
  const std::string rows = args.m == 1 ? "_1" : args.m <= 4 ? "_4" : "_8";
  if (args.k * bits % kVectorBits != 0 || args.k > 0x7fffffff || args.x.scale != nullptr ||
      args.x.dtype != usual_left(w.dtype)) {
    launch(("matvec" + rows).c_str(), {(args.n + 7) / 8}, args);
    return;
  }
  const int64_t vectors = args.k * bits / kVectorBits;  // of a column, about four to a thread
  const unsigned threads = vectors <= 128 ? 32 : vectors <= 256 ? 64 : 128;
  launch(("matvec_" + std::string(kDtypeNames[w.dtype]) + rows).c_str(),
         {(args.n + columns - 1) / columns, 1, 1, threads, 0}, args);
}

// Own kernels for z products of args' shape. On matrix cores where 16-bit activations lie in whole vectors.
void Lower::product(ProductArgs args, int64_t z, const Slot& x, const Slot& w) {
  args.op = op_.index;
  args.fault = plan_.fault;
  const char* exact = plan_.tf32 ? " in f32, not tf32" : "";
  const bool eights = args.k % 8 == 0 && x.cols % 8 == 0 && args.x_col % 8 == 0 && args.x_stride % 8 == 0 &&
                      (w.scale < 0 || w.block % 8 == 0) && (args.mode != kConvolution || args.c % 8 == 0);
  if (args.mode == kPlain && z == 1 && args.m <= kFewRows && eights && args.x_col == 0 && args.y_col == 0) {
    matvec(args, w);
    plan_.note(std::string("products of up to 8 rows: own kernels") + exact);
    return;
  }
  if (eights && product_in_tiles(args, z, x, w)) return;
  const bool matrix = eights && is_half(x.dtype) && plan_.device->has("product_matrix");
  const int64_t tile = matrix ? 128 : 64;
  const Grid grid{(args.m + tile - 1) / tile, (args.n + tile - 1) / tile, z, 256, 0};
  launch(matrix ? "product_matrix" : "product_f32", grid, args);
  note_product(args.mode, matrix ? "own kernel on matrix cores" : "own kernel in f32");
  if (plan_.tf32 && !matrix) plan_.note("other products: own kernel in f32, not tf32");
}

// The GELU behind this product that its library can make of the sums while it has them: what only that op reads need
// not be written. nullptr: none.
const Op* Lower::gelu_behind(const Slot& y) const {
  const size_t at = op_.index + size_t{1};
  if (!plan_.fuses || plan_.ops == nullptr || at >= plan_.ops->size() || y.role != ASSAY_ROLE_SCRATCH) return nullptr;
  const Op& next = (*plan_.ops)[at];
  const uint32_t product = op_.out[0];
  if (next.kind != ASSAY_OP_ACTIVATION || next.integer(ASSAY_ACTIVATION_FUNCTION) != ASSAY_ACT_GELU_TANH ||
      next.in[0] != product || plan_.slots[next.out[0]].dtype != y.dtype) {
    return nullptr;
  }
  const auto reads = [&](const Op& op) { return std::count(op.in.begin(), op.in.end(), product) > 0; };
  return std::count_if(plan_.ops->begin(), plan_.ops->end(), reads) == 1 ? &next : nullptr;
}

bool Lower::with_gelu(ProductShape shape, ProductOperands operands, const Slot& y) {
  const Op* gelu = gelu_behind(y);
  if (gelu == nullptr) return false;
  ProductShape both = shape;
  both.gelu = true;
  if (!plan_.products->takes(both)) return false;
  const Call plain{op_.index, "product", plan_.products->bind(shape, operands, &plan_.choices), {}, {}};
  operands.y = plan_.slots[gelu->out[0]].data;
  Call fused{op_.index, "product", plan_.products->bind(both, operands, &plan_.choices), {}, {}};
  if (!gelu_pays(both, {plain}, *gelu, fused)) return false;
  plan_.calls.push_back(std::move(fused));
  plan_.done_before.insert(gelu->index);
  plan_.note("a product and its GELU: one call of the library");
  return true;
}

// Whether the one call is no slower than the product and the own kernel behind it, by the middle of three runs each.
bool Lower::gelu_pays(const ProductShape& shape, std::vector<Call> apart, const Op& gelu, const Call& fused) {
  if (plan_.gelu_choices == nullptr) return true;
  const std::string key = std::to_string(shape.m) + " " + std::to_string(shape.n) + " " + std::to_string(shape.k) +
                          " " + std::to_string(shape.y_dtype);
  const auto known = plan_.gelu_choices->find(key);
  if (known != plan_.gelu_choices->end()) return known->second;
  const size_t before = plan_.calls.size();
  Lower(plan_, gelu).run();
  std::move(plan_.calls.begin() + static_cast<std::ptrdiff_t>(before), plan_.calls.end(), std::back_inserter(apart));
  plan_.calls.resize(before);
  std::array<double, 3> one{}, two{};
  try {
    const Trial trial(*plan_.runtime, plan_.device->sweep_bytes);
    trial.ms(apart);
    trial.ms({fused});
    for (size_t i = 0; i < one.size(); ++i) {
      two[i] = trial.ms(apart);
      one[i] = trial.ms({fused});
    }
  } catch (const Failure& failure) {
    if (failure.status() != ASSAY_INTERNAL) throw;  // the library's refusal; what the device lost stays lost
    return (*plan_.gelu_choices)[key] = false;
  }
  std::sort(one.begin(), one.end());
  std::sort(two.begin(), two.end());
  return (*plan_.gelu_choices)[key] = one[1] <= two[1];
}

bool Lower::by_library(const Slot& x, const Slot& w, const Slot& y) {
  ProductShape shape{x.dtype, w.dtype, y.dtype, x.rows, w.rows, x.cols, x.cols, y.cols};
  const bool bias = op_.has_in(2);
  shape.bias = bias && in(2).dtype == y.dtype;
  shape.tf32 = plan_.tf32 && x.dtype == ASSAY_F32;
  shape.row_scales = x.scale >= 0 && w.scale >= 0 && x.block == x.cols && w.block == w.cols && x.dtype != ASSAY_I8;
  const bool plain = x.scale < 0 && w.scale < 0;
  if (plan_.products == nullptr || !(plain || shape.row_scales) || bias != shape.bias) return false;
  if (!plan_.products->takes(shape)) {
    shape.bias = false;  // then it is added to the product
    if (!bias || !plan_.products->takes(shape)) return false;
  }
  char* workspace = this->workspace(plan_.products->workspace_bytes());
  plan_.note((shape.row_scales ? "f8 products with scales per row: "
              : shape.tf32     ? "f32 products in tf32: "
                               : "products: ") +
             plan_.products->name());
  const auto scales = [&](const Slot& slot) {
    return shape.row_scales ? reinterpret_cast<float*>(plan_.slots[static_cast<size_t>(slot.scale)].data) : nullptr;
  };
  if (!plan_.dry) {
    const ProductOperands operands{x.data,    w.data,    y.data,   shape.bias ? in(2).data : nullptr,
                                   scales(x), scales(w), workspace};
    if (shape.bias == bias && with_gelu(shape, operands, y)) return true;
    call("product", plan_.products->bind(shape, operands, &plan_.choices));
  }
  if (bias && !shape.bias) launch("add_bias", flat(y.elements(), 8), BiasArgs{data(in(2)), data(y), y.elements()});
  return true;
}

// Codes multiplied as they are, i8 to i32 and f8 to f32, and then scaled by row and column.
bool Lower::by_codes(const Slot& x, const Slot& w) {
  const bool integer = x.dtype == ASSAY_I8;
  const bool same = x.dtype == w.dtype && (integer || x.dtype == ASSAY_F8E4M3);
  if (!same || x.block != x.cols || w.block != w.cols || plan_.products == nullptr) return false;
  const Slot& y = out(0);
  const uint32_t sum = integer ? ASSAY_I32 : ASSAY_F32;
  const ProductShape shape{x.dtype, w.dtype, sum, x.rows, w.rows, x.cols, x.cols, w.rows};
  if (!plan_.products->takes(shape)) return false;
  char* workspace = this->workspace(plan_.products->workspace_bytes());
  char* sums = this->workspace(static_cast<uint64_t>(x.rows * w.rows) * 4);
  const ProductOperands operands{x.data, w.data, sums, nullptr, nullptr, nullptr, workspace};
  if (!plan_.dry) call("product", plan_.products->bind(shape, operands, &plan_.choices));
  launch("scale_sums", flat(x.rows * w.rows, 1),
         ScaleArgs{sums, data(x), data(w), in_data(2), data(y), x.rows, w.rows, integer ? 1 : 0});
  plan_.note((integer ? "i8 products: " : "f8 products, scaled after: ") + plan_.products->name() +
             (integer ? " in i32" : " in f32"));
  return true;
}

// Quantised weights unpacked into x's dtype, then multiplied as any others.
void Lower::widened_product(const Slot& x, const Slot& w) {
  Slot wide = w;
  wide.dtype = x.dtype;
  wide.role = ASSAY_ROLE_SCRATCH;  // the kernel just before writes them: nobody may fetch them early
  wide.scale = -1;
  wide.data = workspace(wide.bytes());
  const Data from = data(w);
  launch("widen", flat(w.elements(), 8), WidenArgs{from, data(wide), w.elements()});
  if (!by_library(x, wide, out(0))) {
    ProductArgs args{};
    args.x = data(x);
    args.w = data(wide);
    args.bias = in_data(2);
    args.y = data(out(0));
    args.m = x.rows;
    args.n = w.rows;
    args.k = x.cols;
    product(args, 1, x, wide);
  }
  plan_.note("quantised weights of products with many rows are unpacked first");
}

void Lower::matmul() {
  const Slot& x = in(0);
  const Slot& w = in(1);
  const Slot& y = out(0);
  need(x.cols == w.cols, "x and w differ in K");
  need(y.rows == x.rows && y.cols == w.rows, "y is not [M,N]");
  product_shapes(x, w, y);
  if (op_.has_in(2)) {
    need(in(2).elements() == w.rows, "bias is not [N]");
    floats({&in(2)});
  }
  // One row is read faster by our own kernel; of quantised weights, which no library reads as they are, a few.
  if (x.rows > (w.scale >= 0 ? kFewRows : 1)) {
    if (by_library(x, w, y) || by_codes(x, w)) return;
    if (w.scale >= 0 && is_float(x.dtype) && x.rows >= kWidenedRows && plan_.products != nullptr) {
      return widened_product(x, w);
    }
  }
  ProductArgs args{};
  args.x = in_data(0);
  args.w = in_data(1);
  args.bias = in_data(2);
  args.y = data(y);
  args.m = x.rows;
  args.n = w.rows;
  args.k = x.cols;
  product(args, 1, x, w);
}

void Lower::grouped_matmul() {
  const Slot& x = in(0);
  const Slot& w = in(1);
  need(w.dims.size() == 3 && w.cols == x.cols, "w is not [E,N,K]");
  need(out(0).rows == x.rows && out(0).cols == w.dims[1], "y is not [R,N]");
  integers(in(2), w.dims[0] + 1);
  product_shapes(x, w, out(0));
  ProductArgs args{};
  args.mode = kGrouped;
  args.x = in_data(0);
  args.w = in_data(1);
  args.y = data(out(0));
  args.offsets = reinterpret_cast<const int*>(in(2).data);
  args.m = x.rows;
  args.n = w.dims[1];
  args.k = x.cols;
  args.w_stride = w.dims[1] * w.dims[2];
  product(args, w.dims[0], x, w);
}

void Lower::head_matmul() {
  const Slot& x = in(0);
  const Slot& w = in(1);
  const int64_t heads = op_.integer(ASSAY_HEAD_MATMUL_HEADS), col = op_.integer(ASSAY_HEAD_MATMUL_COL);
  const int64_t stride = op_.integer(ASSAY_HEAD_MATMUL_STRIDE), pass = op_.integer(ASSAY_HEAD_MATMUL_PASS);
  need(w.dims.size() == 3 && w.dims[0] == heads && heads >= 1, "w is not [H,N,K]");
  need(stride >= 0 && pass >= 0 && pass <= x.cols && col >= 0 && col <= x.cols && stride <= x.cols,
       "the columns lie outside the tensor");
  slice(col + (heads - 1) * stride, w.cols + pass, x.cols);
  const int64_t n = w.dims[1];
  need(out(0).rows == x.rows && out(0).cols == heads * (n + pass), "y is not [M,H*(N+pass)]");
  product_shapes(x, w, out(0));
  ProductShape shape{x.dtype, w.dtype, out(0).dtype, x.rows, n, w.cols, x.cols, out(0).cols};
  shape.batch = heads;
  shape.x_stride = stride;
  shape.w_stride = n * w.cols;
  shape.y_stride = n + pass;
  shape.tf32 = plan_.tf32 && x.dtype == ASSAY_F32;
  const uint64_t skip = static_cast<uint64_t>(col) * bits_of_element(x.dtype) / 8;
  for (shape.x_align = 16; skip % shape.x_align != 0;) shape.x_align /= 2;
  const bool plain = x.scale < 0 && w.scale < 0;
  if (plain && plan_.products != nullptr && plan_.products->takes(shape)) {
    char* workspace = this->workspace(plan_.products->workspace_bytes());
    if (!plan_.dry) {
      const ProductOperands operands{x.data + skip, w.data, out(0).data, nullptr, nullptr, nullptr, workspace};
      call("product", plan_.products->bind(shape, operands, &plan_.choices));
    }
  } else {
    ProductArgs args{};
    args.x = in_data(0);
    args.w = in_data(1);
    args.y = data(out(0));
    args.m = x.rows;
    args.n = n;
    args.k = w.cols;
    args.x_col = col;
    args.x_stride = stride;
    args.w_stride = shape.w_stride;
    args.y_stride = shape.y_stride;
    product(args, heads, x, w);
  }
  if (pass == 0) return;
  launch("head_pass", {x.rows, heads, 1, 64, 0},
         PassArgs{in_data(0), data(out(0)), x.rows, heads, col + w.cols, stride, n, n + pass, pass});
}

void Lower::kv_expand() {
  const Slot& latent = in(0);
  const Slot& w = in(1);
  const Slot& y = out(0);
  const int64_t tokens = op_.integer(ASSAY_KV_EXPAND_TOKENS), heads = op_.integer(ASSAY_KV_EXPAND_HEADS);
  need(latent.dims.size() == 4 && latent.dims[2] == 1, "latent is not [B,S,1,L]");
  slice(op_.integer(ASSAY_KV_EXPAND_COL), w.cols, latent.cols);
  need(tokens >= 1 && tokens <= latent.dims[1], "tokens must be 1 to S");
  need(heads >= 1 && y.dims.size() == 4 && y.dims[0] == latent.dims[0] && y.dims[1] == latent.dims[1] &&
           y.dims[2] == heads && y.dims[3] * heads == w.rows,
       "y is not [B,S,H,D]");
  floats({&latent});
  product_shapes(latent, w, y);
  ProductArgs args{};
  args.mode = kCache;
  args.x = in_data(0);
  args.w = in_data(1);
  args.y = data(y);
  args.y.cols = w.rows;  // a row of y is all heads of one place
  args.m = args.slots = latent.dims[1];
  args.n = w.rows;
  args.k = w.cols;
  args.x_col = op_.integer(ASSAY_KV_EXPAND_COL);
  args.pos = pos();
  args.tokens = tokens;
  product(args, latent.dims[0], latent, w);
}

void Lower::conv3d() {
  const Slot& x = in(0);
  const Slot& w = in(1);
  const Slot& y = out(0);
  need(x.dims.size() == 4 && y.dims.size() == 4, "x and y are not [T,H,W,C]");
  ProductArgs args{};
  args.mode = kConvolution;
  args.t = x.dims[0];
  args.h = x.dims[1];
  args.w_in = x.dims[2];
  args.c = x.dims[3];
  args.kt = op_.integer(ASSAY_CONV3D_KERNEL_T);
  args.kh = op_.integer(ASSAY_CONV3D_KERNEL_H);
  args.kw = op_.integer(ASSAY_CONV3D_KERNEL_W);
  args.up_t = std::max<int64_t>(1, op_.integer(ASSAY_CONV3D_UP_T));
  args.up_h = std::max<int64_t>(1, op_.integer(ASSAY_CONV3D_UP_H));
  args.up_w = std::max<int64_t>(1, op_.integer(ASSAY_CONV3D_UP_W));
  args.out_t = (args.t - 1) * args.up_t + 1;
  args.out_h = args.h * args.up_h;
  args.out_w = args.w_in * args.up_w;
  need(args.kt >= 1 && args.kh >= 1 && args.kw >= 1 && args.kh % 2 == 1 && args.kw % 2 == 1,
       "kernel sizes must be at least 1 and odd in space");
  need(w.cols == args.kt * args.kh * args.kw * args.c, "w is not [O, kt*kh*kw*C]");
  need(y.dims[0] == args.out_t && y.dims[1] == args.out_h && y.dims[2] == args.out_w && y.dims[3] == w.rows,
       "y is not [T',H',W',O]");
  if (op_.has_in(2)) {
    need(in(2).elements() == w.rows, "bias is not [O]");
    floats({&in(2)});
  }
  floats({&x});
  product_shapes(x, w, y);
  args.x = in_data(0);
  args.w = in_data(1);
  args.bias = in_data(2);
  args.y = data(y);
  args.m = y.rows;
  args.n = w.rows;
  args.k = w.cols;
  product(args, 1, x, w);
  plan_.note("convolutions: own kernel");
}

}  // namespace assay::gpu
