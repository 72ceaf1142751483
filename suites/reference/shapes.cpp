// Are an op's tensors what its kind demands? The reference must not read beyond them.
#include <string>

#include "suites/reference/row_ops.h"

namespace assay::reference {
namespace {

struct Arity {
  uint32_t kind;
  size_t min_in, max_in, out, attr;
};
constexpr Arity kArities[] = {
    {ASSAY_OP_MATMUL, 2, 3, 1, 0},
    {ASSAY_OP_ATTENTION, 3, 3, 1, ASSAY_ATTENTION_N_ATTR},
    {ASSAY_OP_KV_APPEND, 3, 3, 2, ASSAY_KV_APPEND_N_ATTR},
    {ASSAY_OP_RMS_NORM, 2, 2, 1, ASSAY_RMS_NORM_N_ATTR},
    {ASSAY_OP_ROPE, 1, 1, 1, ASSAY_ROPE_N_ATTR},
    {ASSAY_OP_GATED_ACT, 1, 1, 1, ASSAY_GATED_ACT_N_ATTR},
    {ASSAY_OP_ADD, 2, 2, 1, 0},
    {ASSAY_OP_EMBEDDING, 2, 2, 1, 0},
    {ASSAY_OP_ARGMAX, 1, 1, 1, 0},
    {ASSAY_OP_QUANTIZE, 1, 1, 2, 0},
};

using Dims = std::vector<int64_t>;

std::string text(const Dims& dims) {
  std::string out = "[";
  for (const int64_t d : dims) out += (out.size() > 1 ? "," : "") + std::to_string(d);
  return out + "]";
}

Error wrong(const OpContext& c, const std::string& expected, const std::string& found) {
  return {ErrorKind::kUnsupported,
          "op '" + c.op.name + "' (" + op_kind_name(c.op.kind) + "): expected " + expected + ", found " + found};
}

const Dims& in(const OpContext& c, size_t i) { return c.graph.tensors[c.op.in[i]].dims; }
const Dims& out(const OpContext& c, size_t i) { return c.graph.tensors[c.op.out[i]].dims; }
int64_t attr(const OpContext& c, size_t i) { return static_cast<int64_t>(c.op.attr[i]); }

Status expect(const OpContext& c, const char* name, const Dims& found, const Dims& wanted) {
  if (found == wanted) return ok_status();
  return wrong(c, std::string(name) + " " + text(wanted), text(found));
}

Status check_matmul(const OpContext& c) {
  if (in(c, 0).size() != 2 || in(c, 1).size() != 2) return wrong(c, "x [M,K] and w [N,K]", text(in(c, 0)));
  if (Status s = expect(c, "w", in(c, 1), {in(c, 1)[0], in(c, 0)[1]}); !s) return s;
  if (c.op.in.size() > 2) {
    if (Status s = expect(c, "bias", in(c, 2), {in(c, 1)[0]}); !s) return s;
  }
  return expect(c, "y", out(c, 0), {in(c, 0)[0], in(c, 1)[0]});
}

Status check_cache(const OpContext& c, int64_t batch, int64_t heads, int64_t dk, int64_t dv) {
  const Dims &x = in(c, 0), &k = in(c, 1), &v = in(c, 2);
  if (x.size() != 2 || batch < 1 || x[0] % batch != 0) return wrong(c, "x [B*T,ld] with B = batch", text(x));
  if (k.size() != 4 || k[1] < c.pos + x[0] / batch) {
    return wrong(c, "a cache of at least pos + T = " + std::to_string(c.pos + x[0] / batch) + " slots", text(k));
  }
  if (Status s = expect(c, "k", k, {batch, k[1], heads, dk}); !s) return s;
  return expect(c, "v", v, {batch, k[1], heads, dv});
}

Status check_attention(const OpContext& c) {
  const int64_t heads = attr(c, ASSAY_ATTENTION_HEADS), kv_heads = attr(c, ASSAY_ATTENTION_KV_HEADS);
  const int64_t dk = attr(c, ASSAY_ATTENTION_DIM_QK), dv = attr(c, ASSAY_ATTENTION_DIM_V);
  if (kv_heads < 1 || heads < 1 || heads % kv_heads != 0) {
    return wrong(c, "heads a multiple of kv_heads", std::to_string(heads) + " and " + std::to_string(kv_heads));
  }
  if (Status s = check_cache(c, attr(c, ASSAY_ATTENTION_BATCH), kv_heads, dk, dv); !s) return s;
  const int64_t q_col = attr(c, ASSAY_ATTENTION_Q_COL);
  if (q_col < 0 || q_col + heads * dk > in(c, 0)[1]) return wrong(c, "the query columns inside q", text(in(c, 0)));
  if (attr(c, ASSAY_ATTENTION_MASK) == ASSAY_MASK_WINDOW && attr(c, ASSAY_ATTENTION_WINDOW) < 1) {
    return wrong(c, "a window of at least 1", std::to_string(attr(c, ASSAY_ATTENTION_WINDOW)));
  }
  return expect(c, "y", out(c, 0), {in(c, 0)[0], heads * dv});
}

Status check_kv_append(const OpContext& c) {
  const int64_t heads = attr(c, ASSAY_KV_APPEND_KV_HEADS);
  const int64_t dk = attr(c, ASSAY_KV_APPEND_DIM_K), dv = attr(c, ASSAY_KV_APPEND_DIM_V);
  if (Status s = check_cache(c, attr(c, ASSAY_KV_APPEND_BATCH), heads, dk, dv); !s) return s;
  const int64_t k_col = attr(c, ASSAY_KV_APPEND_K_COL), v_col = attr(c, ASSAY_KV_APPEND_V_COL);
  const int64_t width = in(c, 0)[1];
  if (k_col < 0 || v_col < 0 || k_col + heads * dk > width || v_col + heads * dv > width) {
    return wrong(c, "key and value columns inside x", text(in(c, 0)));
  }
  return ok_status();
}

Status check_slice(const OpContext& c, int64_t col, int64_t cols, int64_t group) {
  const Dims& x = in(c, 0);
  const int64_t width = cols == 0 ? x.back() - col : cols;
  if (x.size() != 2 || col < 0 || group < 1 || col + width > x[1] || width % group != 0) {
    return wrong(c, "columns in whole groups of " + std::to_string(group) + " inside x", text(x));
  }
  return expect(c, "y", out(c, 0), x);
}

Status check_rope(const OpContext& c) {
  const int64_t dim = attr(c, ASSAY_ROPE_HEAD_DIM), rotary = attr(c, ASSAY_ROPE_ROTARY_DIM);
  if (rotary < 2 || rotary % 2 != 0 || rotary > dim) {
    return wrong(c, "an even rotary_dim up to head_dim", std::to_string(rotary));
  }
  const int64_t batch = attr(c, ASSAY_ROPE_BATCH);
  if (batch < 1 || in(c, 0)[0] % batch != 0) return wrong(c, "x [B*T,ld] with B = batch", text(in(c, 0)));
  return check_slice(c, attr(c, ASSAY_ROPE_COL), attr(c, ASSAY_ROPE_COLS), dim);
}

Status check_simple(const OpContext& c) {
  const Dims& x = in(c, 0);
  switch (c.op.kind) {
    case ASSAY_OP_GATED_ACT:
      if (x.size() != 2 || x[1] % 2 != 0) return wrong(c, "x [M,2F]", text(x));
      return expect(c, "y", out(c, 0), {x[0], x[1] / 2});
    case ASSAY_OP_ADD:
      if (Status s = expect(c, "b", in(c, 1), x); !s) return s;
      return expect(c, "y", out(c, 0), x);
    case ASSAY_OP_EMBEDDING:
      if (in(c, 1).size() != 2) return wrong(c, "a table [V,h]", text(in(c, 1)));
      return expect(c, "y", out(c, 0), {c.graph.elements(c.op.in[0]), in(c, 1)[1]});
    case ASSAY_OP_ARGMAX:
      if (x.size() != 2) return wrong(c, "x [M,N]", text(x));
      return expect(c, "y", out(c, 0), {x[0]});
    default:
      if (x.size() != 2) return wrong(c, "x [M,K]", text(x));
      if (Status s = expect(c, "q", out(c, 0), x); !s) return s;
      return expect(c, "scale", out(c, 1), {x[0], 1});
  }
}

}  // namespace

Status check_shapes(const OpContext& c) {
  const Arity* arity = nullptr;
  for (const Arity& a : kArities) {
    if (a.kind == c.op.kind) arity = &a;
  }
  if (arity == nullptr) return wrong(c, "a known kind", std::to_string(c.op.kind));
  const bool counts = c.op.in.size() >= arity->min_in && c.op.in.size() <= arity->max_in &&
                      c.op.out.size() == arity->out && c.op.attr.size() >= arity->attr;
  if (!counts) {
    return wrong(c,
                 std::to_string(arity->min_in) + " inputs, " + std::to_string(arity->out) + " outputs, " +
                     std::to_string(arity->attr) + " attributes",
                 std::to_string(c.op.in.size()) + ", " + std::to_string(c.op.out.size()) + ", " +
                     std::to_string(c.op.attr.size()));
  }
  for (const auto* list : {&c.op.in, &c.op.out}) {
    for (const uint32_t t : *list) {
      if (t >= c.graph.tensors.size()) return wrong(c, "known tensors", "index " + std::to_string(t));
    }
  }
  switch (c.op.kind) {
    case ASSAY_OP_MATMUL:
      return check_matmul(c);
    case ASSAY_OP_ATTENTION:
      return check_attention(c);
    case ASSAY_OP_KV_APPEND:
      return check_kv_append(c);
    case ASSAY_OP_RMS_NORM:
      if (Status s = expect(c, "gamma", in(c, 1), {attr(c, ASSAY_RMS_NORM_GROUP)}); !s) return s;
      return check_slice(c, attr(c, ASSAY_RMS_NORM_COL), attr(c, ASSAY_RMS_NORM_COLS), attr(c, ASSAY_RMS_NORM_GROUP));
    case ASSAY_OP_ROPE:
      return check_rope(c);
    default:
      return check_simple(c);
  }
}

}  // namespace assay::reference
