// Shapes of attention and its cache, and of a mixture of experts.
#include "suites/reference/shape_checks.h"

namespace assay::reference {
namespace {

Status check_window(const OpContext& c, int64_t mask, int64_t window) {
  if (mask < ASSAY_MASK_FULL || mask > ASSAY_MASK_CROSS) return wrong(c, "a known mask", std::to_string(mask));
  if (mask == ASSAY_MASK_WINDOW && window < 1) return wrong(c, "a window of at least 1", std::to_string(window));
  return ok_status();
}

}  // namespace

Status check_attention(const OpContext& c) {
  const int64_t heads = whole(c, ASSAY_ATTENTION_HEADS), kv_heads = whole(c, ASSAY_ATTENTION_KV_HEADS);
  const int64_t batch = whole(c, ASSAY_ATTENTION_BATCH), mask = whole(c, ASSAY_ATTENTION_MASK);
  const int64_t dk = whole(c, ASSAY_ATTENTION_DIM_QK), dv = whole(c, ASSAY_ATTENTION_DIM_V);
  const int64_t dim_rope = given(c, 3) ? whole(c, ASSAY_ATTENTION_DIM_ROPE) : 0;
  const int64_t col_k = whole(c, ASSAY_ATTENTION_KV_COL_K), col_v = whole(c, ASSAY_ATTENTION_KV_COL_V);
  if (kv_heads < 1 || heads < 1 || heads % kv_heads != 0) {
    return wrong(c, "heads a multiple of kv_heads", std::to_string(heads) + " and " + std::to_string(kv_heads));
  }
  if (Status s = expect_sequences(c, batch); !s) return s;
  if (Status s = check_window(c, mask, whole(c, ASSAY_ATTENTION_WINDOW)); !s) return s;
  if (dk < 1 || dv < 1 || dim_rope < 0 || dim_rope > dk || col_k < 0 || col_v < 0) {
    return wrong(c, "dim_qk, dim_v >= 1, dim_rope <= dim_qk, columns >= 0", std::to_string(dim_rope));
  }
  const bool paged = given(c, ASSAY_ATTENTION_IN_PAGES);
  if (paged && mask == ASSAY_MASK_CROSS) return wrong(c, "no pages with mask CROSS", "both");
  const int64_t rows = as_rows(in(c, 0))[0], tokens = rows / batch,
                slots = mask == ASSAY_MASK_CROSS ? 1 : c.pos + tokens;
  if (Status s = expect_cache(c, "k", 1, batch, slots, kv_heads, col_k + dk - dim_rope); !s) return s;
  const int64_t as_long = paged ? slots : in(c, 1)[1];
  if (Status s = expect_cache(c, "v", 2, batch, as_long, kv_heads, col_v + dv); !s) return s;
  if (given(c, 3)) {
    if (Status s = expect_cache(c, "k_rope", 3, batch, as_long, 1, dim_rope); !s) return s;
  }
  if (given(c, 4) && (in(c, 4).size() != 2 || in(c, 4)[0] != rows)) {
    return wrong(c, "index [M,n]", text(in(c, 4)));
  }
  if (Status s = expect_columns(c, "query", 0, whole(c, ASSAY_ATTENTION_Q_COL), heads * dk); !s) return s;
  return expect(c, "y", as_rows(out(c, 0)), {rows, heads * dv});
}

Status check_kv_append(const OpContext& c) {
  const int64_t heads = whole(c, ASSAY_KV_APPEND_KV_HEADS), batch = whole(c, ASSAY_KV_APPEND_BATCH);
  const int64_t dk = whole(c, ASSAY_KV_APPEND_DIM_K), dv = whole(c, ASSAY_KV_APPEND_DIM_V);
  if (Status s = expect_sequences(c, batch); !s) return s;
  const int64_t slots = c.pos + as_rows(in(c, 0))[0] / batch;
  const bool paged = given(c, ASSAY_KV_APPEND_IN_PAGES);
  if (dk < 1 || dv < 0 || in(c, 1).size() != 4 || (!paged && in(c, 1)[1] < slots)) {
    return wrong(c, "a cache of at least pos + T = " + std::to_string(slots) + " slots", text(in(c, 1)));
  }
  if (paged) {
    if (Status s = expect_cache(c, "k", 1, batch, slots, heads, dk); !s) return s;
  }
  const int64_t blocks = paged ? in(c, 1)[0] : batch;
  if (Status s = expect(c, "k", in(c, 1), {blocks, in(c, 1)[1], heads, dk}); !s) return s;
  if (dv == 0) {
    if (c.op.in[1] != c.op.in[2] || c.op.out[0] != c.op.out[1]) {
      return wrong(c, "v to be the same tensor as k where dim_v is 0", "another");
    }
  } else if (Status s = expect(c, "v", in(c, 2), {blocks, in(c, 1)[1], heads, dv}); !s) {
    return s;
  }
  if (Status s = expect_columns(c, "key", 0, whole(c, ASSAY_KV_APPEND_K_COL), heads * dk); !s) return s;
  return dv == 0 ? ok_status() : expect_columns(c, "value", 0, whole(c, ASSAY_KV_APPEND_V_COL), heads * dv);
}

Status check_rope(const OpContext& c) {
  const int64_t dim = whole(c, ASSAY_ROPE_HEAD_DIM), rotary = whole(c, ASSAY_ROPE_ROTARY_DIM);
  const int64_t first = whole(c, ASSAY_ROPE_ROTARY_COL);
  if (rotary < 2 || rotary % 2 != 0 || first < 0 || first + rotary > dim) {
    return wrong(c, "an even rotary_dim inside head_dim", std::to_string(rotary) + " from " + std::to_string(first));
  }
  if (Status s = expect_sequences(c, whole(c, ASSAY_ROPE_BATCH)); !s) return s;
  if (whole(c, ASSAY_ROPE_GRID_W) != 0) {
    const int64_t t = whole(c, ASSAY_ROPE_GRID_DIM_T), h = whole(c, ASSAY_ROPE_GRID_DIM_H);
    if (whole(c, ASSAY_ROPE_GRID_W) < 1 || whole(c, ASSAY_ROPE_GRID_H) < 1 || whole(c, ASSAY_ROPE_TEXT_ROWS) < 0) {
      return wrong(c, "a grid of at least 1 x 1 and text_rows >= 0", std::to_string(whole(c, ASSAY_ROPE_GRID_W)));
    }
    if (t < 0 || h < 0 || t % 2 != 0 || h % 2 != 0 || t + h > rotary) {
      return wrong(c, "even grid dims within rotary_dim", std::to_string(t) + " and " + std::to_string(h));
    }
  }
  return check_slice(c, whole(c, ASSAY_ROPE_COL), whole(c, ASSAY_ROPE_COLS), dim);
}

Status check_grouped_matmul(const OpContext& c) {
  const Dims &x = in(c, 0), &w = in(c, 1);
  if (x.size() != 2 || w.size() != 3) return wrong(c, "x [R,K] and w [E,N,K]", text(x) + " and " + text(w));
  if (Status s = expect(c, "w", w, {w[0], w[1], x[1]}); !s) return s;
  if (Status s = expect(c, "offsets", in(c, 2), {w[0] + 1}); !s) return s;
  return expect(c, "y", out(c, 0), {x[0], w[1]});
}

Status check_router_topk(const OpContext& c) {
  const Dims& logits = in(c, 0);
  const int64_t k = whole(c, ASSAY_ROUTER_TOPK_K), function = whole(c, ASSAY_ROUTER_TOPK_FUNCTION);
  const int64_t groups = std::max<int64_t>(1, whole(c, ASSAY_ROUTER_TOPK_GROUPS));
  const int64_t top_groups = groups > 1 ? whole(c, ASSAY_ROUTER_TOPK_TOP_GROUPS) : 1;
  if (logits.size() != 2) return wrong(c, "logits [M,E]", text(logits));
  if (function < ASSAY_ROUTER_SOFTMAX || function > ASSAY_ROUTER_SOFTMAX_OF_TOPK) {
    return wrong(c, "a known function", std::to_string(function));
  }
  if (logits[1] % groups != 0 || top_groups < 1 || top_groups > groups) {
    return wrong(c, "experts in equal groups and 1 to " + std::to_string(groups) + " top_groups", text(logits));
  }
  if (k < 1 || k > logits[1] / groups * top_groups) {
    return wrong(c, "k from 1 to the experts of the top groups", std::to_string(k));
  }
  if (given(c, 1)) {
    if (Status s = expect(c, "plan", in(c, 1), logits); !s) return s;
  }
  if (Status s = expect(c, "index", out(c, 0), {logits[0], k}); !s) return s;
  return expect(c, "weight", out(c, 1), {logits[0], k});
}

Status check_moe_dispatch(const OpContext& c) {
  const Dims &x = in(c, 0), &index = in(c, 1);
  const int64_t experts = whole(c, ASSAY_MOE_DISPATCH_EXPERTS);
  if (x.size() != 2 || index.size() != 2 || experts < 1) return wrong(c, "x [M,h] and index [M,k]", text(index));
  if (Status s = expect(c, "index", index, {x[0], index[1]}); !s) return s;
  if (Status s = expect(c, "y", out(c, 0), {x[0] * index[1], x[1]}); !s) return s;
  if (Status s = expect(c, "offsets", out(c, 1), {experts + 1}); !s) return s;
  return expect(c, "place", out(c, 2), index);
}

Status check_moe_combine(const OpContext& c) {
  const Dims &x = in(c, 0), &place = in(c, 1);
  if (x.size() != 2 || place.size() != 2) return wrong(c, "x [M*k,h] and place [M,k]", text(place));
  if (Status s = expect(c, "x", x, {place[0] * place[1], x[1]}); !s) return s;
  if (Status s = expect(c, "weight", in(c, 2), place); !s) return s;
  return expect(c, "y", out(c, 0), {place[0], x[1]});
}

Status check_head_matmul(const OpContext& c) {
  const Dims &x = in(c, 0), &w = in(c, 1);
  const int64_t heads = whole(c, ASSAY_HEAD_MATMUL_HEADS), pass = whole(c, ASSAY_HEAD_MATMUL_PASS);
  const int64_t stride = whole(c, ASSAY_HEAD_MATMUL_STRIDE);
  if (x.size() != 2 || w.size() != 3 || w[0] != heads || pass < 0 || stride < 0) {
    return wrong(c, "x [M,ld], w [H,N,K], pass and stride >= 0", text(x) + " and " + text(w));
  }
  const int64_t width = (heads - 1) * stride + w[2] + pass;
  if (Status s = expect_columns(c, "head", 0, whole(c, ASSAY_HEAD_MATMUL_COL), width); !s) return s;
  return expect(c, "y", out(c, 0), {x[0], heads * (w[1] + pass)});
}

Status check_kv_expand(const OpContext& c) {
  const Dims &latent = in(c, 0), &w = in(c, 1), &y = out(c, 0);
  const int64_t tokens = whole(c, ASSAY_KV_EXPAND_TOKENS), heads = whole(c, ASSAY_KV_EXPAND_HEADS);
  if (latent.size() != 4 || latent[2] != 1 || w.size() != 2 || y.size() != 4 || heads < 1 || w[0] % heads != 0) {
    return wrong(c, "latent [B,S,1,L], w [H*D,K], y [B,S,H,D]", text(latent) + ", " + text(w) + ", " + text(y));
  }
  if (tokens < 0 || c.pos + tokens > latent[1]) {
    return wrong(c, "pos + tokens of at most " + std::to_string(latent[1]), std::to_string(c.pos + tokens));
  }
  if (Status s = expect_columns(c, "latent", 0, whole(c, ASSAY_KV_EXPAND_COL), w[1]); !s) return s;
  return expect(c, "y", y, {latent[0], latent[1], heads, w[0] / heads});
}

Status check_index_topk(const OpContext& c) {
  const int64_t batch = whole(c, ASSAY_INDEX_TOPK_BATCH), heads = whole(c, ASSAY_INDEX_TOPK_HEADS);
  const int64_t size = whole(c, ASSAY_INDEX_TOPK_DIM);
  if (Status s = expect_sequences(c, batch); !s) return s;
  const Dims& q = in(c, 0);
  if (heads < 1 || size < 1 || in(c, 1).size() != 4 || in(c, 1)[1] < c.pos + q[0] / batch) {
    return wrong(c, "k [B,S,1,D] with S >= pos + T", text(in(c, 1)));
  }
  if (Status s = expect(c, "k", in(c, 1), {batch, in(c, 1)[1], 1, size}); !s) return s;
  if (Status s = expect_columns(c, "query", 0, whole(c, ASSAY_INDEX_TOPK_Q_COL), heads * size); !s) return s;
  if (Status s = expect(c, "weight", in(c, 2), {q[0], heads}); !s) return s;
  if (out(c, 0).size() != 2 || out(c, 0)[0] != q[0]) return wrong(c, "index [M,n]", text(out(c, 0)));
  return ok_status();
}

}  // namespace assay::reference
