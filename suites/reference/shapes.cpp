// Are an op's tensors what its kind demands? The reference must not read beyond them.
#include "suites/reference/shape_checks.h"

namespace assay::reference {
namespace {

Status check_matmul(const OpContext& c) {
  if (in(c, 0).size() != 2 || in(c, 1).size() != 2) return wrong(c, "x [M,K] and w [N,K]", text(in(c, 0)));
  if (Status s = expect(c, "w", in(c, 1), {in(c, 1)[0], in(c, 0)[1]}); !s) return s;
  if (given(c, 2)) {
    if (Status s = expect(c, "bias", in(c, 2), {in(c, 1)[0]}); !s) return s;
  }
  return expect(c, "y", out(c, 0), {in(c, 0)[0], in(c, 1)[0]});
}

Status check_rms_norm(const OpContext& c) {
  const int64_t group = whole(c, ASSAY_RMS_NORM_GROUP);
  if (Status s = expect(c, "gamma", in(c, 1), {group}); !s) return s;
  return check_slice(c, whole(c, ASSAY_RMS_NORM_COL), whole(c, ASSAY_RMS_NORM_COLS), group);
}

Status check_gated_act(const OpContext& c) {
  const Dims& x = in(c, 0);
  if (x.size() != 2 || x[1] % 2 != 0) return wrong(c, "x [M,2F]", text(x));
  return expect(c, "y", out(c, 0), {x[0], x[1] / 2});
}

Status check_add(const OpContext& c) {
  const Dims& a = in(c, 0);
  if (Status s = expect(c, "b", in(c, 1), a); !s) return s;
  if (given(c, 2)) {
    const int64_t batch = whole(c, ASSAY_ADD_BATCH);
    if (Status s = expect_sequences(c, batch); !s) return s;
    if (in(c, 2).size() != 2 || in(c, 2)[0] != batch) return wrong(c, "mod [B,ld]", text(in(c, 2)));
    if (Status s = expect_columns(c, "gate", 2, whole(c, ASSAY_ADD_GATE_COL), a[1]); !s) return s;
  }
  return expect(c, "y", out(c, 0), a);
}

Status check_embedding(const OpContext& c) {
  if (in(c, 1).size() != 2) return wrong(c, "a table [V,h]", text(in(c, 1)));
  return expect(c, "y", out(c, 0), {c.graph.elements(c.op.in[0]), in(c, 1)[1]});
}

Status check_argmax(const OpContext& c) {
  if (in(c, 0).size() != 2) return wrong(c, "x [M,N]", text(in(c, 0)));
  return expect(c, "y", out(c, 0), {in(c, 0)[0]});
}

Status check_quantize(const OpContext& c) {
  if (in(c, 0).size() != 2) return wrong(c, "x [M,K]", text(in(c, 0)));
  if (Status s = expect(c, "q", out(c, 0), in(c, 0)); !s) return s;
  return expect(c, "scale", out(c, 1), {in(c, 0)[0], 1});
}

Status check_activation(const OpContext& c) {
  if (in(c, 0).size() < 2) return wrong(c, "x [M,F]", text(in(c, 0)));
  return expect(c, "y", out(c, 0), in(c, 0));
}

struct Rule {
  uint32_t kind;
  size_t min_in, max_in, out, attr;
  Status (*check)(const OpContext& c);
};
constexpr Rule kRules[] = {
    {ASSAY_OP_MATMUL, 2, 3, 1, 0, check_matmul},
    {ASSAY_OP_ATTENTION, 3, 6, 1, ASSAY_ATTENTION_N_ATTR, check_attention},
    {ASSAY_OP_KV_APPEND, 3, 4, 2, ASSAY_KV_APPEND_N_ATTR, check_kv_append},
    {ASSAY_OP_RMS_NORM, 2, 2, 1, ASSAY_RMS_NORM_N_ATTR, check_rms_norm},
    {ASSAY_OP_ROPE, 1, 1, 1, ASSAY_ROPE_N_ATTR, check_rope},
    {ASSAY_OP_GATED_ACT, 1, 1, 1, ASSAY_GATED_ACT_N_ATTR, check_gated_act},
    {ASSAY_OP_ADD, 2, 3, 1, 0, check_add},
    {ASSAY_OP_EMBEDDING, 2, 2, 1, 0, check_embedding},
    {ASSAY_OP_ARGMAX, 1, 1, 1, 0, check_argmax},
    {ASSAY_OP_QUANTIZE, 1, 1, 2, 0, check_quantize},
    {ASSAY_OP_GROUPED_MATMUL, 3, 3, 1, 0, check_grouped_matmul},
    {ASSAY_OP_ROUTER_TOPK, 1, 2, 2, ASSAY_ROUTER_TOPK_N_ATTR, check_router_topk},
    {ASSAY_OP_MOE_DISPATCH, 2, 2, 3, ASSAY_MOE_DISPATCH_N_ATTR, check_moe_dispatch},
    {ASSAY_OP_MOE_COMBINE, 3, 3, 1, 0, check_moe_combine},
    {ASSAY_OP_LAYER_NORM_MODULATE, 1, 4, 1, ASSAY_LAYER_NORM_MODULATE_N_ATTR, check_layer_norm_modulate},
    {ASSAY_OP_ACTIVATION, 1, 1, 1, ASSAY_ACTIVATION_N_ATTR, check_activation},
    {ASSAY_OP_PATCHIFY3D, 1, 1, 1, ASSAY_PATCHIFY3D_N_ATTR, check_patchify3d},
    {ASSAY_OP_CONV3D, 2, 3, 1, ASSAY_CONV3D_N_ATTR, check_conv3d},
    {ASSAY_OP_GROUP_NORM, 3, 3, 1, ASSAY_GROUP_NORM_N_ATTR, check_group_norm},
    {ASSAY_OP_HEAD_MATMUL, 2, 2, 1, ASSAY_HEAD_MATMUL_N_ATTR, check_head_matmul},
    {ASSAY_OP_KV_EXPAND, 2, 2, 1, ASSAY_KV_EXPAND_N_ATTR, check_kv_expand},
    {ASSAY_OP_INDEX_TOPK, 3, 3, 1, ASSAY_INDEX_TOPK_N_ATTR, check_index_topk},
};

Status check_counts(const OpContext& c, const Rule& rule) {
  const Op& op = c.op;
  if (op.in.size() < rule.min_in || op.in.size() > rule.max_in || op.out.size() != rule.out ||
      op.attr.size() < rule.attr) {
    return wrong(
        c,
        std::to_string(rule.min_in) + " inputs, " + std::to_string(rule.out) + " outputs, " +
            std::to_string(rule.attr) + " attributes",
        std::to_string(op.in.size()) + ", " + std::to_string(op.out.size()) + ", " + std::to_string(op.attr.size()));
  }
  for (const auto* list : {&op.in, &op.out}) {
    for (size_t i = 0; i < list->size(); ++i) {
      const uint32_t t = (*list)[i];
      if (t == kNoTensor && list == &op.in && i >= rule.min_in) continue;
      if (t >= c.graph.tensors.size()) return wrong(c, "known tensors", "index " + std::to_string(t));
      for (const int64_t d : c.graph.tensors[t].dims) {
        if (d < 1) return wrong(c, "dimensions of at least 1", text(c.graph.tensors[t].dims));
      }
    }
  }
  return ok_status();
}

}  // namespace

std::string text(const Dims& dims) {
  std::string out = "[";
  for (const int64_t d : dims) out += (out.size() > 1 ? "," : "") + std::to_string(d);
  return out + "]";
}

Error wrong(const OpContext& c, const std::string& expected, const std::string& found) {
  return {ErrorKind::kUnsupported,
          "op '" + c.op.name + "' (" + op_kind_name(c.op.kind) + "): expected " + expected + ", found " + found};
}

Status expect(const OpContext& c, const char* name, const Dims& found, const Dims& wanted) {
  if (found == wanted) return ok_status();
  return wrong(c, std::string(name) + " " + text(wanted), text(found));
}

Status expect_sequences(const OpContext& c, int64_t batch) {
  const Dims& x = in(c, 0);
  if (x.size() >= 2 && batch >= 1 && as_rows(x)[0] % batch == 0) return ok_status();
  return wrong(c, "x [B*T,ld] with B = batch", text(x) + " and batch " + std::to_string(batch));
}

Status expect_columns(const OpContext& c, const char* name, size_t i, int64_t first, int64_t count) {
  if (first >= 0 && count >= 0 && first + count <= in(c, i).back()) return ok_status();
  return wrong(c, std::string(name) + " columns inside " + text(in(c, i)),
               std::to_string(first) + ".." + std::to_string(first + count));
}

Status expect_cache(const OpContext& c, const char* name, size_t i, int64_t batch, int64_t slots, int64_t heads,
                    int64_t size) {
  const Dims& cache = in(c, i);
  if (const uint32_t table = page_table_of(c.op); table != kNoTensor) {
    const Dims &pages = c.graph.tensors[table].dims, &first = in(c, 1);
    if (cache.size() == 4 && first.size() == 4 && pages.size() == 2 && pages[0] == batch &&
        pages[1] * batch <= cache[0] && pages[1] * cache[1] >= slots && cache[0] == first[0] && cache[1] == first[1] &&
        cache[2] == heads && cache[3] >= size) {
      return ok_status();
    }
    return wrong(c,
                 std::string(name) + " [N,page," + std::to_string(heads) + "," + std::to_string(size) +
                     "] and pages [" + std::to_string(batch) + ",P] with P * page >= " + std::to_string(slots) +
                     " and N >= B * P",
                 text(cache) + " and " + text(pages));
  }
  if (cache.size() == 4 && cache[0] == batch && cache[1] >= slots && cache[2] == heads && cache[3] >= size) {
    return ok_status();
  }
  return wrong(c, std::string(name) + " " + text({batch, slots, heads, size}) + " or more slots and columns",
               text(cache));
}

Status check_slice(const OpContext& c, int64_t col, int64_t cols, int64_t group) {
  const Dims& x = in(c, 0);
  const int64_t width = cols == 0 ? x.back() - col : cols;
  if (x.size() < 2 || col < 0 || group < 1 || col + width > x.back() || width % group != 0) {
    return wrong(c, "columns in whole groups of " + std::to_string(group) + " inside x", text(x));
  }
  return expect(c, "y", out(c, 0), x);
}

Status check_shapes(const OpContext& c) {
  for (const Rule& rule : kRules) {
    if (rule.kind != c.op.kind) continue;
    if (Status s = check_counts(c, rule); !s) return s;
    return rule.check(c);
  }
  return wrong(c, "a known kind", std::to_string(c.op.kind));
}

}  // namespace assay::reference
