// A stage of work per row.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "adapters/cpu/plan.h"

namespace assay::cpu {

// Work per row; a task takes rows enough to be worth a thread's while.
template <typename F>
class RowStage : public Stage {
 public:
  RowStage(int64_t rows, int64_t cols, F f) : rows_(rows), f_(std::move(f)) {
    constexpr int64_t kElementsPerTask = 16384;
    per_task_ = std::max<int64_t>(1, kElementsPerTask / std::max<int64_t>(cols, 1));
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((rows_ + per_task_ - 1) / per_task_);
  }
  void run(const Step& step, uint32_t task, char*) const override {
    const int64_t end = std::min(rows_, (task + 1) * per_task_);
    for (int64_t row = task * per_task_; row < end; ++row) f_(step, static_cast<size_t>(row));
  }

 private:
  int64_t rows_, per_task_ = 1;
  F f_;
};

template <typename F>
void push_rows(Plan& plan, int64_t rows, int64_t cols, F f) {
  plan.stages.push_back(std::make_unique<RowStage<F>>(rows, cols, std::move(f)));
}

}  // namespace assay::cpu
