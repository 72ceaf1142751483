// Routing to experts and back; what video models need besides.
#pragma once

namespace assay_gpu {

constexpr int kMaxExperts = 1024;

// One block per row; experts in shared memory.
ASSAY_KERNEL(router_topk, RouterArgs) {
  __shared__ float score[kMaxExperts];
  __shared__ float rank[kMaxExperts];
  __shared__ int order[kMaxExperts];
  const i64 m = blockIdx.x;
  const int experts = static_cast<int>(a.logits.cols), thread = static_cast<int>(threadIdx.x);
  float most = -INFINITY;
  for (int e = thread; e < experts; e += static_cast<int>(blockDim.x)) most = fmaxf(most, load(a.logits, m * experts + e));
  most = block_max(most);
  float sum = 0;
  for (int e = thread; e < experts; e += static_cast<int>(blockDim.x)) sum += expf(load(a.logits, m * experts + e) - most);
  sum = block_sum(sum);
  for (int e = thread; e < experts; e += static_cast<int>(blockDim.x)) {
    const float x = load(a.logits, m * experts + e);
    score[e] = a.function == 0 ? expf(x - most) / sum : a.function == 1 ? 1 / (1 + expf(-x)) : x;
    // Selection looks at the logit where the score rises with it and nothing is added: equal scores of unequal logits
    // would go to the wrong expert.
    const bool plain = a.plan.p == nullptr && a.groups <= 1;
    rank[e] = plain ? x : score[e] + (a.plan.p == nullptr ? 0 : load(a.plan, m * experts + e));
  }
  __syncthreads();
  if (thread != 0) return;
  if (a.groups > 1) {
    const int size = experts / static_cast<int>(a.groups);
    unsigned kept[kMaxExperts / 32];
    for (int i = 0; i < kMaxExperts / 32; ++i) kept[i] = 0;
    for (i64 n = 0; n < a.top_groups; ++n) {
      int best = -1;
      float best_value = 0;
      for (int g = 0; g < static_cast<int>(a.groups); ++g) {
        if ((kept[g / 32] >> (g % 32) & 1u) != 0) continue;
        float one = -INFINITY, two = -INFINITY;
        for (int e = g * size; e < (g + 1) * size; ++e) {
          if (rank[e] > one) {
            two = one;
            one = rank[e];
          } else if (rank[e] > two) {
            two = rank[e];
          }
        }
        const float value = size > 1 ? one + two : one;
        if (best < 0 || value > best_value) {
          best = g;
          best_value = value;
        }
      }
      kept[best / 32] |= 1u << (best % 32);
    }
    for (int e = 0; e < experts; ++e) {
      if ((kept[e / size / 32] >> (e / size % 32) & 1u) == 0) rank[e] = -INFINITY;
    }
  }
  const int k = static_cast<int>(a.k);
  for (int j = 0; j < k; ++j) {
    int best = 0;
    for (int e = 1; e < experts; ++e) {
      if (rank[e] > rank[best]) best = e;
    }
    order[j] = best;
    rank[best] = -INFINITY;
  }
  float scale = 1, largest = -INFINITY;
  for (int j = 0; j < k; ++j) largest = fmaxf(largest, score[order[j]]);
  if (a.function == 2) {
    for (int j = 0; j < k; ++j) score[order[j]] = expf(score[order[j]] - largest);
  }
  float chosen = 0;
  for (int j = 0; j < k; ++j) chosen += score[order[j]];
  if (a.normalise != 0 || a.function == 2) scale = 1 / chosen;
  for (int j = 0; j < k; ++j) {
    reinterpret_cast<int*>(a.index.p)[m * k + j] = order[j];
    store(a.weight, m * k + j, score[order[j]] * scale * static_cast<float>(a.factor));
  }
}

// Rows of the pairs, stable by expert. One block: each thread owns a stretch of pairs, counts it, and after a sum over
// threads and experts places it.
ASSAY_KERNEL(moe_place, PlaceArgs) {
  __shared__ int counts[kMaxExperts];
  const int experts = static_cast<int>(a.experts), threads = static_cast<int>(blockDim.x);
  const int thread = static_cast<int>(threadIdx.x);
  const int* index = reinterpret_cast<const int*>(a.index.p);
  for (int e = thread; e < experts; e += threads) {
    int n = 0;
    for (i64 p = 0; p < a.pairs; ++p) n += index[p] == e ? 1 : 0;
    counts[e] = n;
  }
  for (i64 p = thread; p < a.pairs; p += threads) {
    if (index[p] < 0 || index[p] >= experts) {
      note(a.fault, a.op, index[p], experts);
      a.place[p] = 0;
    }
  }
  __syncthreads();
  if (thread == 0) {
    int sum = 0;
    for (int e = 0; e < experts; ++e) {
      a.offsets[e] = sum;
      sum += counts[e];
    }
    a.offsets[experts] = static_cast<int>(a.pairs);
  }
  __syncthreads();
  for (int e = thread; e < experts; e += threads) {
    int to = a.offsets[e];
    for (i64 p = 0; p < a.pairs; ++p) {
      if (index[p] == e) a.place[p] = to++;
    }
  }
}

ASSAY_KERNEL(moe_combine, CombineArgs) {
  const i64 m = blockIdx.x, h = a.y.cols;
  for (i64 j = threadIdx.x; j < h; j += blockDim.x) {
    float sum = 0;
    for (i64 e = 0; e < a.k; ++e) {
      const i64 from = reinterpret_cast<const int*>(a.place.p)[m * a.k + e];
      sum += load(a.weight, m * a.k + e) * load(a.x, from * h + j);
    }
    store(a.y, m * h + j, sum);
  }
}

ASSAY_KERNEL(patchify3d, PatchArgs) {
  const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= a.n) return;
  i64 rest = i;
  const i64 w = rest % a.w;
  rest /= a.w;
  const i64 h = rest % a.h;
  rest /= a.h;
  const i64 t = rest % a.t;
  rest /= a.t;
  const i64 c = rest % a.c, b = rest / a.c;
  const i64 patches = (a.t / a.pt) * (a.h / a.ph) * (a.w / a.pw);
  const i64 patch = (t / a.pt * (a.h / a.ph) + h / a.ph) * (a.w / a.pw) + w / a.pw;
  const i64 inside = ((c * a.pt + t % a.pt) * a.ph + h % a.ph) * a.pw + w % a.pw;
  const i64 flat = (b * patches + patch) * (a.c * a.pt * a.ph * a.pw) + inside;
  if (a.inverse != 0) {
    store(a.y, i, load(a.x, flat));
  } else {
    store(a.y, flat, load(a.x, i));
  }
}

// Mean and variance of one group per block, in two passes: a sum of squares alone would lose small variances.
ASSAY_KERNEL(group_norm, GroupNormArgs) {
  const i64 c = a.x.cols, size = c / a.groups, first = static_cast<i64>(blockIdx.x) * size, n = a.places * size;
  float sum = 0;
  for (i64 i = threadIdx.x; i < n; i += blockDim.x) sum += load(a.x, i / size * c + first + i % size);
  const float mean = block_sum(sum) / static_cast<float>(n);
  float squares = 0;
  for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
    const float off = load(a.x, i / size * c + first + i % size) - mean;
    squares += off * off;
  }
  const float inverse = rsqrtf(block_sum(squares) / static_cast<float>(n) + static_cast<float>(a.eps));
  for (i64 i = threadIdx.x; i < n; i += blockDim.x) {
    const i64 ch = first + i % size, at = i / size * c + ch;
    store(a.y, at, (load(a.x, at) - mean) * inverse * load(a.gamma, ch) + load(a.beta, ch));
  }
}

}  // namespace assay_gpu
