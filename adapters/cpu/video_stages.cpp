#include <algorithm>
#include <cmath>
#include <cstring>

#include "adapters/cpu/row_stage.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

// Mean and sum of squared deviations of each group over blocks of places, then of all together: a sum of squares of
// everything at once would lose what small deviations from a large mean are.
class GroupMoments : public Stage {
 public:
  GroupMoments(const Kernels& kernels, const Slot& x, int64_t groups)
      : kernels_(kernels), x_(x), groups_(at(groups)), channels_(at(x.cols)) {
    block_ = std::max<int64_t>(1, kElements / x.cols);
    blocks_ = (x.rows + block_ - 1) / block_;
    moments_.resize(at(blocks_) * groups_);
  }
  struct Moments {
    double n = 0, mean = 0, squares = 0;
    // The moments of both together (Chan, Golub and LeVeque 1983).
    void join(const Moments& o) {
      const double total = n + o.n;
      const double delta = o.mean - mean;
      mean += delta * o.n / total;
      squares += o.squares + delta * delta * n * o.n / total;
      n = total;
    }
  };
  [[nodiscard]] uint32_t tasks(const Step&) const override { return static_cast<uint32_t>(blocks_); }
  [[nodiscard]] size_t scratch_bytes() const override { return 5 * channels_ * sizeof(float); }
  void run(const Step&, uint32_t task, char* scratch) const override {
    auto* sums = reinterpret_cast<float*>(scratch);
    float* mean = sums + channels_;
    float* deviation = mean + channels_;
    float* ones = deviation + channels_;
    float* zeros = ones + channels_;
    const int64_t first = task * block_;
    const int64_t last = std::min(x_.rows, first + block_);
    std::fill_n(sums, channels_, 0.0f);
    for (int64_t row = first; row < last; ++row) kernels_.add(sums, x_.f32() + row * x_.cols, sums, channels_);
    const size_t size = channels_ / groups_;
    Moments* moments = moments_.data() + task * groups_;
    for (size_t g = 0; g < groups_; ++g) {
      moments[g] = {static_cast<double>(last - first) * static_cast<double>(size), 0, 0};
      for (size_t c = g * size; c < (g + 1) * size; ++c) moments[g].mean += static_cast<double>(sums[c]) / moments[g].n;
      std::fill_n(mean + g * size, size, static_cast<float>(moments[g].mean));
    }
    std::fill_n(sums, channels_, 0.0f);
    std::fill_n(ones, channels_, 1.0f);
    std::fill_n(zeros, channels_, 0.0f);
    for (int64_t row = first; row < last; ++row) {
      kernels_.channel_norm(x_.f32() + row * x_.cols, mean, ones, zeros, deviation, channels_);
      kernels_.multiply_add(sums, deviation, deviation, sums, channels_);
    }
    for (size_t c = 0; c < channels_; ++c) moments[c / size].squares += static_cast<double>(sums[c]);
  }
  [[nodiscard]] Moments total(size_t g) const {
    Moments all = moments_[g];
    for (int64_t b = 1; b < blocks_; ++b) all.join(moments_[at(b) * groups_ + g]);
    return all;
  }

 private:
  static constexpr int64_t kElements = 16384;
  const Kernels& kernels_;
  const Slot& x_;
  size_t groups_, channels_;
  int64_t block_ = 0, blocks_ = 0;
  mutable std::vector<Moments> moments_;  // written by run, each block by one task
};

// What each channel is normalised by, from the moments of its group; one task per group.
class ChannelFactors : public Stage {
 public:
  ChannelFactors(const GroupMoments& moments, int64_t channels, int64_t groups, const float* gamma, double eps)
      : moments_(moments), groups_(groups), gamma_(gamma), eps_(eps), mean_(at(channels)), factor_(at(channels)) {}
  [[nodiscard]] uint32_t tasks(const Step&) const override { return static_cast<uint32_t>(groups_); }
  void run(const Step&, uint32_t task, char*) const override {
    const GroupMoments::Moments all = moments_.total(task);
    const double factor = 1.0 / std::sqrt(all.squares / all.n + eps_);
    const size_t size = mean_.size() / at(groups_);
    for (size_t c = task * size; c < (task + 1) * size; ++c) {
      mean_[c] = static_cast<float>(all.mean);
      factor_[c] = static_cast<float>(factor * static_cast<double>(gamma_[c]));
    }
  }
  [[nodiscard]] const float* mean() const { return mean_.data(); }
  [[nodiscard]] const float* factor() const { return factor_.data(); }

 private:
  const GroupMoments& moments_;
  int64_t groups_;
  const float* gamma_;
  double eps_;
  mutable std::vector<float> mean_, factor_;  // written by run, each group by one task
};

}  // namespace

void add_group_norm(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  Slot& y = plan.slots[op.out[0]];
  const float* beta = plan.slots[op.in[2]].f32();
  const Kernels& kernels = *plan.kernels;
  const int64_t groups = op.integer(ASSAY_GROUP_NORM_GROUPS);
  auto moments = std::make_unique<GroupMoments>(kernels, x, groups);
  auto factors = std::make_unique<ChannelFactors>(*moments, x.cols, groups, plan.slots[op.in[1]].f32(),
                                                  op.attr[ASSAY_GROUP_NORM_EPS]);
  const ChannelFactors& f = *factors;
  plan.stages.push_back(std::move(moments));
  plan.stages.push_back(std::move(factors));
  const size_t n = at(x.cols);
  push_rows(plan, x.rows, x.cols, [=, &kernels, &x, &y, &f](const Step&, size_t row) {
    kernels.channel_norm(x.f32() + row * n, f.mean(), f.factor(), beta, y.f32() + row * n, n);
  });
}

void add_patchify3d(Plan& plan, const Op& op) {
  const bool inverse = op.attr[ASSAY_PATCHIFY3D_INVERSE] != 0;
  Slot& image = plan.slots[inverse ? op.out[0] : op.in[0]];
  Slot& rows = plan.slots[inverse ? op.in[0] : op.out[0]];
  const size_t pt = at(op.integer(ASSAY_PATCHIFY3D_T));
  const size_t ph = at(op.integer(ASSAY_PATCHIFY3D_H));
  const size_t pw = at(op.integer(ASSAY_PATCHIFY3D_W));
  const size_t channels = at(image.dims[1]);
  const size_t t = at(image.dims[2]);
  const size_t h = at(image.dims[3]);
  const size_t w = at(image.dims[4]);
  const size_t patch = channels * pt * ph * pw;
  const auto n = static_cast<int64_t>(rows.elements() / patch);
  push_rows(plan, n, static_cast<int64_t>(patch), [=, &image, &rows](const Step&, size_t row) {
    const size_t c0 = row % (w / pw) * pw;
    const size_t b0 = row / (w / pw) % (h / ph) * ph;
    const size_t a0 = row / (w / pw) / (h / ph) % (t / pt) * pt;
    const size_t batch = row / (w / pw) / (h / ph) / (t / pt);
    float* flat = rows.f32() + row * patch;
    for (size_t c = 0; c < channels; ++c) {
      for (size_t i = 0; i < pt * ph; ++i, flat += pw) {
        float* place = image.f32() + (((batch * channels + c) * t + a0 + i / ph) * h + b0 + i % ph) * w + c0;
        std::memcpy(inverse ? place : flat, inverse ? flat : place, pw * sizeof(float));
      }
    }
  });
}

}  // namespace assay::cpu
