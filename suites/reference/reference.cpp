// Whole ops and whole graphs.
#include "suites/reference/reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "suites/base/low_precision.h"
#include "suites/reference/row_ops.h"

namespace assay {
namespace {

using reference::OpContext;

template <typename T, typename Decode>
void unpack_as(const void* data, uint64_t first, uint64_t count, double* out, Decode decode) {
  const auto* bytes = static_cast<const uint8_t*>(data) + first * sizeof(T);
  for (uint64_t i = 0; i < count; ++i) {
    T raw;
    std::memcpy(&raw, bytes + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(decode(raw));
  }
}

template <typename Decode>
void unpack_nibbles(const void* data, uint64_t first, uint64_t count, double* out, Decode decode) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  for (uint64_t i = first; i < first + count; ++i) {
    out[i - first] = decode(static_cast<uint8_t>(i % 2 == 0 ? bytes[i / 2] & 0xfu : bytes[i / 2] >> 4));
  }
}

std::vector<uint64_t> all_columns(const OpContext& c) {
  std::vector<uint64_t> columns(reference::row_length(c));
  std::iota(columns.begin(), columns.end(), uint64_t{0});
  return columns;
}

// {k, v} with this step's rows written.
std::vector<Values> append(const OpContext& c, const Source& source, const std::vector<Values>& inputs) {
  std::vector<Values> out{inputs[1], inputs[2]};
  const std::vector<uint64_t> columns = all_columns(c);
  reference::RowReference rows(c, source);
  Values row(columns.size());
  for (uint64_t r = 0; r < reference::row_count(c); ++r) {
    rows.values(r, columns, row.data());
    for (const uint64_t column : columns) {
      const reference::KvPlace place = reference::kv_place(c, source, r, column);
      out[place.output][place.element] = row[column];
    }
  }
  if (c.op.out[0] == c.op.out[1]) out[1] = out[0];
  return out;
}

// {codes, scales}
std::vector<Values> quantized(const OpContext& c, const Values& x, Values values) {
  const uint64_t length = reference::row_length(c);
  Values scales;
  for (uint64_t r = 0; r < reference::row_count(c); ++r) {
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(r * length);
    scales.push_back(reference::row_scale(c, {begin, begin + static_cast<std::ptrdiff_t>(length)}));
    for (uint64_t i = 0; i < length; ++i) values[r * length + i] /= scales.back();
  }
  for (double& v : values) v = reference::nearest_code(c, v);
  return {std::move(values), std::move(scales)};
}

// {index, weight}
std::vector<Values> routed(const OpContext& c, const Source& source) {
  std::vector<Values> out(2);
  for (uint64_t r = 0; r < reference::row_count(c); ++r) {
    const reference::RouterRow row(c, source, r);
    const std::vector<uint64_t> chosen = row.chosen();
    const std::vector<double> weights = row.weights(chosen);
    out[0].insert(out[0].end(), chosen.begin(), chosen.end());
    out[1].insert(out[1].end(), weights.begin(), weights.end());
  }
  return out;
}

}  // namespace

void unpack(uint32_t dtype, const void* data, uint64_t first, uint64_t count, double* out) {
  const auto plain = [](auto v) { return v; };
  switch (dtype) {
    case ASSAY_F32:
      return unpack_as<float>(data, first, count, out, plain);
    case ASSAY_BF16:
      return unpack_as<uint16_t>(data, first, count, out, from_bf16);
    case ASSAY_F16:
      return unpack_as<uint16_t>(data, first, count, out, from_f16);
    case ASSAY_F8E4M3:
      return unpack_as<uint8_t>(data, first, count, out, from_f8e4m3);
    case ASSAY_F8E5M2:
      return unpack_as<uint8_t>(data, first, count, out, from_f8e5m2);
    case ASSAY_I8:
      return unpack_as<int8_t>(data, first, count, out, plain);
    case ASSAY_I4:
      return unpack_nibbles(data, first, count, out, [](uint8_t v) { return v < 8 ? v : v - 16; });
    case ASSAY_F4E2M1:
      return unpack_nibbles(data, first, count, out, from_f4e2m1);
    case ASSAY_I32:
      return unpack_as<int32_t>(data, first, count, out, plain);
    case ASSAY_I64:
      return unpack_as<int64_t>(data, first, count, out, plain);
    default:
      std::fill(out, out + count, std::numeric_limits<double>::quiet_NaN());
  }
}

Values dequantise(const Tensor& tensor, const void* data, const float* scales) {
  uint64_t count = 1;
  for (const int64_t d : tensor.dims) count *= static_cast<uint64_t>(d);
  Values out(count);
  unpack(tensor.dtype, data, 0, count, out.data());
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
  if (op.kind == ASSAY_OP_ROUTER_TOPK) return routed(c, source);
  const uint64_t rows = reference::row_count(c), length = reference::row_length(c);
  const std::vector<uint64_t> columns = all_columns(c);
  reference::RowReference by_row(c, source);
  Values out(rows * length);
  for (uint64_t r = 0; r < rows; ++r) by_row.values(r, columns, out.data() + r * length);
  if (op.kind == ASSAY_OP_QUANTIZE) return quantized(c, inputs[0], std::move(out));
  if (op.kind != ASSAY_OP_MOE_DISPATCH) return std::vector<Values>{std::move(out)};
  reference::Dispatch order(c, source, rows);
  return std::vector<Values>{std::move(out), std::move(order.offsets), std::move(order.place)};
}

Result<std::vector<Values>> reference_graph(const Graph& graph, const std::vector<Values>& tensors,
                                            const std::vector<int64_t>& scalars) {
  std::vector<Values> values = tensors;
  values.resize(graph.tensors.size());
  for (const Op& op : graph.ops) {
    std::vector<Values> inputs;
    for (const uint32_t t : op.in) inputs.push_back(t == kNoTensor ? Values{} : values[t]);
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
