// Whole ops and whole graphs.
#include "suites/reference/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "suites/base/rng.h"
#include "suites/reference/row_ops.h"

namespace assay {
namespace {

using reference::OpContext;

double element(uint32_t dtype, const uint8_t* at) {
  float f = 0;
  int32_t i = 0;
  int64_t l = 0;
  uint16_t half = 0;
  switch (dtype) {
    case ASSAY_F32:
      std::memcpy(&f, at, sizeof f);
      return f;
    case ASSAY_BF16:
    case ASSAY_F16:
      std::memcpy(&half, at, sizeof half);
      return dtype == ASSAY_BF16 ? from_bf16(half) : from_f16(half);
    case ASSAY_I8:
      return static_cast<int8_t>(*at);
    case ASSAY_I32:
      std::memcpy(&i, at, sizeof i);
      return i;
    case ASSAY_I64:
      std::memcpy(&l, at, sizeof l);
      return static_cast<double>(l);
    default:
      return std::numeric_limits<double>::quiet_NaN();
  }
}

// {k, v} with this step's rows written.
std::vector<Values> append(const OpContext& c, const Source& source, const std::vector<Values>& inputs) {
  std::vector<Values> out{inputs[1], inputs[2]};
  std::vector<uint64_t> columns(reference::row_length(c));
  std::iota(columns.begin(), columns.end(), uint64_t{0});
  Values row(columns.size());
  for (uint64_t r = 0; r < reference::row_count(c); ++r) {
    reference::row_values(c, source, r, columns, row.data());
    for (const uint64_t column : columns) {
      const reference::KvPlace place = reference::kv_place(c, r, column);
      out[place.output][place.element] = row[column];
    }
  }
  return out;
}

// {codes, scales}
std::vector<Values> quantized(const OpContext& c, const Values& x, Values values) {
  const uint64_t length = reference::row_length(c);
  Values scales;
  for (uint64_t r = 0; r < reference::row_count(c); ++r) {
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(r * length);
    scales.push_back(reference::row_scale({begin, begin + static_cast<std::ptrdiff_t>(length)}));
    for (uint64_t i = 0; i < length; ++i) values[r * length + i] /= scales.back();
  }
  for (double& v : values) v = std::nearbyint(v);
  return {std::move(values), std::move(scales)};
}

}  // namespace

Values dequantise(const Tensor& tensor, const void* data, const float* scales) {
  uint64_t count = 1;
  for (const int64_t d : tensor.dims) count *= static_cast<uint64_t>(d);
  const uint64_t size = dtype_bytes(tensor.dtype);
  Values out(count);
  const auto* bytes = static_cast<const uint8_t*>(data);
  for (uint64_t i = 0; i < count; ++i) out[i] = element(tensor.dtype, bytes + i * size);
  if (scales == nullptr) return out;
  const auto last = static_cast<uint64_t>(tensor.dims.back());
  const auto block = static_cast<uint64_t>(tensor.scale_block > 0 ? tensor.scale_block : tensor.dims.back());
  for (uint64_t i = 0; i < count; ++i) out[i] *= scales[i / last * (last / block) + i % last / block];
  return out;
}

Result<std::vector<Values>> reference_op(const Graph& graph, const Op& op, const std::vector<Values>& inputs,
                                         const std::vector<int64_t>& scalars) {
  const OpContext c = reference::context_of(graph, op, scalars);
  if (Status shapes = reference::check_shapes(c); !shapes) return shapes.error();
  const Source source = [&](uint32_t tensor, uint64_t first, uint64_t count, double* out) {
    for (size_t i = 0; i < op.in.size(); ++i) {
      if (op.in[i] == tensor) std::copy_n(inputs[i].begin() + static_cast<std::ptrdiff_t>(first), count, out);
    }
  };
  if (op.kind == ASSAY_OP_KV_APPEND) return append(c, source, inputs);
  const uint64_t rows = reference::row_count(c), length = reference::row_length(c);
  std::vector<uint64_t> columns(length);
  std::iota(columns.begin(), columns.end(), uint64_t{0});
  Values out(rows * length);
  for (uint64_t r = 0; r < rows; ++r) reference::row_values(c, source, r, columns, out.data() + r * length);
  if (op.kind == ASSAY_OP_QUANTIZE) return quantized(c, inputs[0], std::move(out));
  return std::vector<Values>{std::move(out)};
}

Result<std::vector<Values>> reference_graph(const Graph& graph, const std::vector<Values>& tensors,
                                            const std::vector<int64_t>& scalars) {
  std::vector<Values> values = tensors;
  values.resize(graph.tensors.size());
  for (const Op& op : graph.ops) {
    std::vector<Values> inputs;
    for (const uint32_t t : op.in) inputs.push_back(values[t]);
    Result<std::vector<Values>> out = reference_op(graph, op, inputs, scalars);
    if (!out) return out.error();
    for (size_t i = 0; i < op.out.size(); ++i) values[op.out[i]] = std::move((*out)[i]);
    if (op.kind != ASSAY_OP_QUANTIZE) continue;
    Values& codes = values[op.out[0]];  // later ops take what the codes stand for
    const Values& scales = values[op.out[1]];
    const size_t length = codes.size() / scales.size();
    for (size_t i = 0; i < codes.size(); ++i) codes[i] *= scales[i / length];
  }
  return values;
}

}  // namespace assay
