// Products by the kernels of product_tiles.cuh: which of them, and its grid.
#include <algorithm>

#include "adapters/gpu/lower.h"

namespace assay::gpu {

using namespace assay_gpu;

namespace {

constexpr int64_t kVectorBits = 128;  // that a thread copies at once

// Kernels are called after the dtype of their weights.
constexpr const char* kDtypeNames[] = {"f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i8", "i4", "f4e2m1"};

int bits_of(const Data& d) { return static_cast<int>(bits_of_element(static_cast<uint32_t>(d.dtype))); }

// Tiles that a kernel of product_tiles.cuh works in.
struct TilesForm {
  int64_t m, n;
  unsigned threads;
  uint64_t shared;
};
template <typename Form>
TilesForm tiles_form(const ProductArgs& args, bool integers) {
  const int left_bits = bits_of(args.x), bits = bits_of(args.w);
  const int shared =
      integers ? tile_shared_bytes<IntegerTiles<Form>>(left_bits, bits) : tile_shared_bytes<Form>(left_bits, bits);
  return {Form::kM, Form::kN, static_cast<unsigned>(tile_threads<Form>()), static_cast<uint64_t>(shared)};
}

// For so many rows on the average, in z products of n columns. Few rows cost what reading the weights does: small tiles
// with much on its way; many are bound by the matrix cores, which large tiles feed best if there are enough of them.
TilesForm tiles_for(const ProductArgs& args, int64_t z, int64_t multiprocessors, bool integers) {
  const bool grouped = args.mode == kGrouped;
  const int64_t rows = grouped ? args.m / z : args.m;
  if (rows <= (grouped ? Tiles16::kM / 2 : Tiles16::kM)) return tiles_form<Tiles16>(args, integers);
  const int64_t large = (args.m + Tiles128::kM - 1) / Tiles128::kM * ((args.n + Tiles128::kN - 1) / Tiles128::kN);
  const bool many = rows > Tiles128::kM * 3 / 4 && large * (grouped ? 1 : z) >= multiprocessors;
  return many ? tiles_form<Tiles128>(args, integers) : tiles_form<Tiles64>(args, integers);
}

}  // namespace

// Whether a kernel of product_tiles.cuh took them: x in 16 bits and w in the same or in codes whose scales suit its
// stages, or both in codes of eight bits. Two of i8 are multiplied as integers where the device has that instruction
// and a row's sum has one scale and fits; else, as all codes are, in bf16.
bool Lower::product_in_tiles(ProductArgs args, int64_t z, const Slot& x, const Slot& w) {
  const bool vectors = args.k * bits_of(args.w) % kVectorBits == 0 && args.k * bits_of(args.x) % kVectorBits == 0 &&
                       args.x_col * bits_of(args.x) % kVectorBits == 0 && x.cols * bits_of(args.x) % kVectorBits == 0 &&
                       args.x_stride * bits_of(args.x) % kVectorBits == 0;
  if (args.mode == kConvolution || !vectors || args.k > 0x3fffffff) return false;
  const bool blocks = w.block >= kLeastBlock && (128 % w.block == 0 || w.block % 128 == 0);
  const bool codes = w.scale >= 0, both = x.scale >= 0;
  if (codes && w.block != w.cols && !blocks) return false;
  if (both ? !codes || x.dtype != w.dtype || x.block != x.cols : codes ? x.dtype != ASSAY_BF16 : x.dtype != w.dtype) {
    return false;
  }
  const bool integers = both && x.dtype == ASSAY_I8 && w.block == args.k && args.k <= kMostIntegerDepth &&
                        plan_.device->has("tiles_16_i8_imma");
  const TilesForm form = tiles_for(args, z, plan_.device->multiprocessors, integers);
  const std::string name = "tiles_" + std::to_string(form.m) + "_" + kDtypeNames[w.dtype] +
                           (integers ? "_imma"
                            : both   ? "_codes"
                                     : "");
  if (!plan_.device->has(name) || form.shared > plan_.device->shared_bytes) return false;
  const bool grouped = args.mode == kGrouped;
  const int64_t tiles = grouped ? args.m / form.m + std::min<int64_t>(z, args.m) : (args.m + form.m - 1) / form.m;
  args.experts = z;
  args.early = args.mode == kPlain && constant(w) ? 1 : 0;
  launch(name.c_str(), {tiles * ((args.n + form.n - 1) / form.n), 1, grouped ? 1 : z, form.threads, form.shared}, args);
  note_product(args.mode, std::string("own kernel on matrix cores") + (integers ? " in i32" : "") + ", tiles of " +
                              std::to_string(form.m) + " rows");
  return true;
}

void Lower::note_product(int64_t mode, const std::string& how) {
  if (mode == kGrouped) plan_.note("experts: " + how);
  if (mode == kPlain) plan_.note("other products: " + how);
}

}  // namespace assay::gpu
