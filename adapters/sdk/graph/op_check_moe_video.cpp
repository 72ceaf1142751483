#include <algorithm>

#include "adapters/sdk/graph/op_check.h"

namespace assay::sdk {

void OpCheck::grouped_matmul() const {
  const Slot& x = in(0);
  const Slot& w = in(1);
  need(w.dims.size() == 3, "w is not [E,N,K]");
  need(x.cols == w.cols, "x and w differ in K");
  need(out(0).rows == x.rows && out(0).cols == w.dims[1], "y is not [R,N]");
  integers(in(2), w.dims[0] + 1, "offsets is not [E+1]");
  can(x.host_dtype != ASSAY_I8, "i8 activations; this adapter has i8 weights alone here");
  matrix(w, "weights must be f32, bf16, f16 or i8");
  activation(x, "x must be f32, bf16 or f16");
  activation(out(0), "y must be f32, bf16 or f16");
}

void OpCheck::router_topk() const {
  const int64_t k = op_.integer(ASSAY_ROUTER_TOPK_K);
  const int64_t groups = std::max<int64_t>(1, op_.integer(ASSAY_ROUTER_TOPK_GROUPS));
  const int64_t top = op_.integer(ASSAY_ROUTER_TOPK_TOP_GROUPS);
  const int64_t f = op_.integer(ASSAY_ROUTER_TOPK_FUNCTION);
  const int64_t experts = in(0).cols;
  need(experts <= 1 << 20, "more than 2^20 experts");
  can(f >= ASSAY_ROUTER_SOFTMAX && f <= ASSAY_ROUTER_SOFTMAX_OF_TOPK, "unknown function");
  need(experts % groups == 0, "groups does not divide the experts");
  need(groups == 1 || (top >= 1 && top <= groups), "top_groups must be 1 to groups");
  need(k >= 1 && k <= (groups == 1 ? experts : experts / groups * top), "k is beyond the experts to choose from");
  activation(in(0), "logits must be f32, bf16 or f16");
  if (op_.has_in(1)) {
    need(in(1).rows == in(0).rows && in(1).cols == experts, "plan is not [M,E]");
    activation(in(1), "plan must be f32, bf16 or f16");
  }
  need(out(0).cols == k && out(1).cols == k, "index and weight are not [M,k]");
  integers(out(0), in(0).rows * k, "index is not [M,k]");
  need(out(1).rows == in(0).rows, "weight is not [M,k]");
  activation(out(1), "weight must be f32, bf16 or f16");
}

void OpCheck::moe_dispatch() const {
  const int64_t experts = op_.integer(ASSAY_MOE_DISPATCH_EXPERTS);
  const Slot& index = in(1);
  need(experts >= 1 && experts <= 1 << 20, "experts must be 1 to 2^20");
  need(index.rows == in(0).rows, "index is not [M,k]");
  integers(index, index.rows * index.cols, "index is not [M,k]");
  need(index.rows * index.cols <= 0x7fffffff, "more pairs than an i32 counts");
  need(out(0).rows == index.rows * index.cols && out(0).cols == in(0).cols, "y is not [M*k,h]");
  integers(out(1), experts + 1, "offsets is not [E+1]");
  integers(out(2), index.rows * index.cols, "place is not [M,k]");
  activation(in(0), "x must be f32, bf16 or f16");
  activation(out(0), "y must be f32, bf16 or f16");
}

void OpCheck::moe_combine() const {
  const Slot& place = in(1);
  need(place.rows == out(0).rows && in(2).rows == place.rows && in(2).cols == place.cols,
       "place and weight are not [M,k]");
  integers(place, place.rows * place.cols, "place is not [M,k]");
  need(in(0).rows == place.rows * place.cols && in(0).cols == out(0).cols, "x is not [M*k,h]");
  activation(in(0), "x must be f32, bf16 or f16");
  activation(in(2), "weight must be f32, bf16 or f16");
  activation(out(0), "y must be f32, bf16 or f16");
}

void OpCheck::patchify3d() const {
  const bool inverse = op_.attr[ASSAY_PATCHIFY3D_INVERSE] != 0;
  const Slot& image = inverse ? out(0) : in(0);
  const Slot& rows = inverse ? in(0) : out(0);
  need(image.dims.size() == 5, "the image is not [B,C,T,H,W]");
  int64_t patch = image.dims[1];
  for (const uint32_t axis : {0u, 1u, 2u}) {
    const int64_t size = op_.integer(ASSAY_PATCHIFY3D_T + axis);
    need(size >= 1 && image.dims[2 + axis] % size == 0, "a patch size does not divide its axis");
    patch *= size;
  }
  need(rows.cols == patch && rows.elements() == image.elements(), "the rows are not [B*N, C*t*h*w]");
  activation(in(0), "x must be f32, bf16 or f16");
  activation(out(0), "y must be f32, bf16 or f16");
}

void OpCheck::conv3d() const {
  const Slot& x = in(0);
  const Slot& y = out(0);
  need(x.dims.size() == 4 && y.dims.size() == 4, "x and y are not [T,H,W,C]");
  int64_t taps = x.cols;
  for (const uint32_t axis : {0u, 1u, 2u}) {
    const int64_t kernel = op_.integer(ASSAY_CONV3D_KERNEL_T + axis);
    const int64_t up = std::max<int64_t>(1, op_.integer(ASSAY_CONV3D_UP_T + axis));
    need(kernel >= 1 && kernel <= 1 << 10 && (axis == 0 || kernel % 2 == 1), "a kernel size is not allowed");
    need(up <= 1 << 10, "an upsampling factor is beyond 1024");
    need(y.dims[axis] == (axis == 0 ? (x.dims[0] - 1) * up + 1 : x.dims[axis] * up), "y is not [T',H',W',O]");
    taps *= kernel;
  }
  need(in(1).rows == y.cols && in(1).cols == taps, "w is not [O, kt*kh*kw*C]");
  if (op_.has_in(2)) {
    need(in(2).elements() == static_cast<uint64_t>(y.cols), "bias is not [O]");
    activation(in(2), "bias must be a vector of f32, bf16 or f16");
  }
  matrix(in(1), "weights must be f32, bf16, f16 or i8");
  activation(x, "x must be f32, bf16 or f16");
  activation(y, "y must be f32, bf16 or f16");
}

void OpCheck::group_norm() const {
  const int64_t groups = op_.integer(ASSAY_GROUP_NORM_GROUPS);
  same_shape();
  need(groups >= 1 && in(0).cols % groups == 0, "groups does not divide the channels");
  need(op_.attr[ASSAY_GROUP_NORM_EPS] >= 0, "eps must not be negative");
  for (const size_t i : {size_t{1}, size_t{2}}) {
    need(in(i).elements() == static_cast<uint64_t>(in(0).cols), "gamma or beta is not [C]");
    activation(in(i), "gamma and beta must be vectors of f32, bf16 or f16");
  }
}

}  // namespace assay::sdk
