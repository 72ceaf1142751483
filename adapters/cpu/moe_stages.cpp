#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "adapters/cpu/row_stage.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }
const int32_t* integers(const Slot& slot) { return reinterpret_cast<const int32_t*>(slot.data); }
int32_t* integers(Slot& slot) { return reinterpret_cast<int32_t*>(slot.data); }

// Chooses the experts of one row.
class Router {
 public:
  Router(const Kernels& kernels, const Op& op, int64_t experts)
      : kernels_(kernels),
        experts_(at(experts)),
        k_(at(op.integer(ASSAY_ROUTER_TOPK_K))),
        groups_(at(std::max<int64_t>(1, op.integer(ASSAY_ROUTER_TOPK_GROUPS)))),
        top_groups_(at(op.integer(ASSAY_ROUTER_TOPK_TOP_GROUPS))),
        function_(op.integer(ASSAY_ROUTER_TOPK_FUNCTION)),
        normalise_(op.attr[ASSAY_ROUTER_TOPK_NORMALISE] != 0),
        factor_(op.attr[ASSAY_ROUTER_TOPK_FACTOR]) {}

  [[nodiscard]] size_t scratch_bytes() const {
    return experts_ * (sizeof(double) + sizeof(float) + sizeof(int32_t)) + groups_ * (sizeof(double) + sizeof(size_t));
  }
  // `plan`: nullptr where there is none.
  void route(const float* logits, const float* plan, int32_t* index, float* weight, char* scratch) const {
    auto* value = reinterpret_cast<double*>(scratch);
    auto* group_value = value + experts_;
    auto* group_order = reinterpret_cast<size_t*>(group_value + groups_);
    auto* score = reinterpret_cast<float*>(group_order + groups_);
    auto* order = reinterpret_cast<int32_t*>(score + experts_);
    scores_of(logits, score);
    // In double: a plan so large that it decides must not swallow the score beside it.
    for (size_t e = 0; e < experts_; ++e) {
      value[e] = static_cast<double>(score[e]) + (plan == nullptr ? 0.0 : static_cast<double>(plan[e]));
    }
    if (groups_ > 1) drop_groups(value, group_value, group_order);
    std::iota(order, order + experts_, 0);
    std::partial_sort(order, order + k_, order + experts_,
                      [value](int32_t a, int32_t b) { return value[a] != value[b] ? value[a] > value[b] : a < b; });
    std::copy(order, order + k_, index);
    weigh(score, index, weight);
  }

 private:
  void scores_of(const float* logits, float* score) const {
    std::memcpy(score, logits, experts_ * sizeof(float));
    if (function_ == ASSAY_ROUTER_SOFTMAX) {
      const float total = kernels_.exp_sum(score, 1.0f, kernels_.row_max(score, experts_), experts_);
      kernels_.scale(score, 1.0f / total, score, experts_);
    } else if (function_ == ASSAY_ROUTER_SIGMOID) {
      kernels_.exp_sum(score, -1.0f, 0.0f, experts_);
      for (size_t e = 0; e < experts_; ++e) score[e] = 1.0f / (1.0f + score[e]);
    }
  }
  // Only the groups whose two largest values sum highest stay in the choice.
  void drop_groups(double* value, double* group_value, size_t* order) const {
    const size_t size = experts_ / groups_;
    for (size_t g = 0; g < groups_; ++g) {
      double first = -std::numeric_limits<double>::infinity();
      double second = first;
      for (size_t e = g * size; e < (g + 1) * size; ++e) {
        second = std::max(second, std::min(first, value[e]));
        first = std::max(first, value[e]);
      }
      group_value[g] = size > 1 ? first + second : first;
    }
    std::iota(order, order + groups_, size_t{0});
    std::sort(order, order + groups_, [group_value](size_t a, size_t b) {
      return group_value[a] != group_value[b] ? group_value[a] > group_value[b] : a < b;
    });
    for (size_t i = top_groups_; i < groups_; ++i) {
      std::fill_n(value + order[i] * size, size, -std::numeric_limits<double>::infinity());
    }
  }
  void weigh(const float* score, const int32_t* index, float* weight) const {
    double total = 0;
    const bool softmax = function_ == ASSAY_ROUTER_SOFTMAX_OF_TOPK;
    double top = -std::numeric_limits<double>::infinity();
    for (size_t j = 0; j < k_; ++j) top = std::max(top, static_cast<double>(score[index[j]]));
    for (size_t j = 0; j < k_; ++j) {
      const double s = score[index[j]];
      weight[j] = static_cast<float>(softmax ? std::exp(s - top) : s);
      total += static_cast<double>(weight[j]);
    }
    const double factor = softmax || normalise_ ? factor_ / total : factor_;
    for (size_t j = 0; j < k_; ++j) weight[j] = static_cast<float>(static_cast<double>(weight[j]) * factor);
  }

  const Kernels& kernels_;
  size_t experts_, k_, groups_, top_groups_;
  int64_t function_;
  bool normalise_;
  double factor_;
};

class RouterStage : public Stage {
 public:
  RouterStage(const Plan& plan, const Op& op, Slot& index, Slot& weight)
      : router_(*plan.kernels, op, plan.slots[op.in[0]].cols),
        logits_(plan.slots[op.in[0]]),
        plan_(op.has_in(1) ? plan.slots[op.in[1]].f32() : nullptr),
        index_(index),
        weight_(weight) {}
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((logits_.rows + kRows - 1) / kRows);
  }
  [[nodiscard]] size_t scratch_bytes() const override { return router_.scratch_bytes(); }
  void run(const Step&, uint32_t task, char* scratch) const override {
    const int64_t end = std::min(logits_.rows, (task + 1) * kRows);
    for (int64_t row = task * kRows; row < end; ++row) {
      const size_t first = at(row * logits_.cols);
      router_.route(logits_.f32() + first, plan_ == nullptr ? nullptr : plan_ + first,
                    integers(index_) + row * index_.cols, weight_.f32() + row * weight_.cols, scratch);
    }
  }

 private:
  static constexpr int64_t kRows = 16;
  Router router_;
  const Slot& logits_;
  const float* plan_;
  Slot &index_, &weight_;
};

// Sorts the pairs (row, choice) by expert, by counting.
class PlacingStage : public Stage {
 public:
  PlacingStage(const Op& op, const Slot& index, Slot& offsets, Slot& place)
      : number_(op.index),
        experts_(op.integer(ASSAY_MOE_DISPATCH_EXPERTS)),
        index_(index),
        offsets_(offsets),
        place_(place) {}
  [[nodiscard]] uint32_t tasks(const Step&) const override { return 1; }
  [[nodiscard]] size_t scratch_bytes() const override { return at(experts_) * sizeof(int32_t); }
  void run(const Step& step, uint32_t, char* scratch) const override {
    int32_t* offset = integers(offsets_);
    std::fill_n(offset, experts_ + 1, 0);
    const size_t pairs = index_.elements();
    for (size_t i = 0; i < pairs; ++i) ++offset[expert(step, i) + 1];
    for (int64_t e = 0; e < experts_; ++e) offset[e + 1] += offset[e];
    auto* next = reinterpret_cast<int32_t*>(scratch);
    std::copy_n(offset, experts_, next);
    for (size_t i = 0; i < pairs; ++i) integers(place_)[i] = next[expert(step, i)]++;
  }

 private:
  [[nodiscard]] size_t expert(const Step& step, size_t pair) const {
    return step.bad_index->checked(integers(index_)[pair], experts_, number_);
  }
  uint32_t number_;
  int64_t experts_;
  const Slot& index_;
  Slot &offsets_, &place_;
};

}  // namespace

size_t BadIndex::checked(int64_t value, int64_t bound, uint32_t where) {
  if (value >= 0 && value < bound) return at(value);
  if (!found.exchange(true)) {
    index = value;
    rows = bound;
    op = where;
  }
  return 0;
}

void add_router_topk(Plan& plan, const Op& op) {
  plan.stages.push_back(std::make_unique<RouterStage>(plan, op, plan.slots[op.out[0]], plan.slots[op.out[1]]));
}

void add_moe_dispatch(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  Slot& y = plan.slots[op.out[0]];
  Slot& place = plan.slots[op.out[2]];
  plan.stages.push_back(std::make_unique<PlacingStage>(op, plan.slots[op.in[1]], plan.slots[op.out[1]], place));
  const size_t h = at(x.cols);
  const size_t k = at(place.cols);
  push_rows(plan, x.rows, x.cols * place.cols, [=, &x, &y, &place](const Step&, size_t row) {
    for (size_t j = 0; j < k; ++j) {
      const auto to = static_cast<size_t>(integers(place)[row * k + j]);
      std::memcpy(y.f32() + to * h, x.f32() + row * h, h * sizeof(float));
    }
  });
}

void add_moe_combine(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  const Slot& place = plan.slots[op.in[1]];
  const Slot& weight = plan.slots[op.in[2]];
  Slot& y = plan.slots[op.out[0]];
  const Kernels& kernels = *plan.kernels;
  const size_t h = at(x.cols);
  const size_t k = at(place.cols);
  const uint32_t number = op.index;
  push_rows(plan, y.rows, x.cols * place.cols, [=, &kernels, &x, &place, &weight, &y](const Step& step, size_t row) {
    float* to = y.f32() + row * h;
    std::fill_n(to, h, 0.0f);
    for (size_t j = 0; j < k; ++j) {
      const size_t from = step.bad_index->checked(integers(place)[row * k + j], x.rows, number);
      kernels.axpy(weight.f32()[row * k + j], x.f32() + from * h, to, h);
    }
  });
}

}  // namespace assay::cpu
