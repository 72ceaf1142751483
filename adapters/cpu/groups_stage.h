// The groups of rows of a grouped product, and in which order their weights are taken.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "adapters/cpu/plan.h"

namespace assay::cpu {

// Which experts have rows in this step, and which rows.
class GroupsStage : public Stage {
 public:
  GroupsStage(const Op& op, const Slot& offsets, int64_t rows, size_t fewest_in_lanes)
      : number_(op.index), offsets_(offsets), rows_(rows), fewest_in_lanes_(fewest_in_lanes) {
    groups_.reserve(offsets.elements());
    by_rows_.reserve(offsets.elements());
  }
  // Each group's weights are taken in so many tiles; before the first run. `most`: groups that there can be.
  void cut(size_t most, size_t tiles) {
    tiles_ = static_cast<uint32_t>(tiles);
    pieces_.reserve(most * tiles);
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override { return 1; }
  void run(const Step& step, uint32_t, char*) const override {
    find_groups(step);
    order_pieces();
  }
  struct Group {
    size_t expert, first, rows;
    size_t lanes;       // of its rows, how many stand in lanes where they are read from there
    size_t first_lane;  // of all groups' lanes
  };
  [[nodiscard]] const std::vector<Group>& groups() const { return groups_; }
  struct Piece {
    uint32_t group, tile;
  };
  // All tiles of all groups, in the order in which threads are to take them.
  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  void find_groups(const Step& step) const {
    const auto* offset = reinterpret_cast<const int32_t*>(offsets_.data);
    groups_.clear();
    int64_t begin = 0;
    size_t lanes = 0;
    for (size_t e = 0; e + 1 < offsets_.elements(); ++e) {
      const int64_t end = offset[e + 1];
      if (end < begin || end > rows_ || (e == 0 && offset[0] != 0)) {
        step.bad_index->checked(-1, 0, number_);
        return groups_.clear();
      }
      if (end > begin) {
        const auto rows = static_cast<size_t>(end - begin);
        groups_.push_back({e, static_cast<size_t>(begin), rows, rows_in_lanes(rows), lanes});
        lanes += (groups_.back().lanes + 7) / 8 * 8;
      }
      begin = end;
    }
  }
  // Weights of many rows keep the units busy, those of few the memory. Each piece is of the largest group left or of
  // the smallest, so that the mean of rows is always that of all: then one thread computes while another one reads.
  void order_pieces() const {
    pieces_.clear();
    by_rows_.resize(groups_.size());
    std::iota(by_rows_.begin(), by_rows_.end(), 0u);
    std::sort(by_rows_.begin(), by_rows_.end(), [this](uint32_t a, uint32_t b) {
      return groups_[a].rows != groups_[b].rows ? groups_[a].rows > groups_[b].rows : a < b;
    });
    size_t all = 0, taken = 0;
    for (const Group& group : groups_) all += group.rows;
    const size_t count = groups_.size() * tiles_;
    for (size_t large = 0, small = count; large < small;) {
      // taken / pieces so far <= all / groups, without a division
      const size_t at = taken * groups_.size() <= all * pieces_.size() ? large++ : --small;
      const uint32_t group = by_rows_[at / tiles_];
      pieces_.push_back({group, static_cast<uint32_t>(at % tiles_)});
      taken += groups_[group].rows;
    }
  }
  // Up to kApart rows behind the last whole vector cost less as dot products than a vector that they hardly fill.
  [[nodiscard]] size_t rows_in_lanes(size_t rows) const {
    constexpr size_t kApart = 4, kVector = 16;
    if (rows < fewest_in_lanes_) return 0;
    return rows % kVector <= kApart ? rows / kVector * kVector : rows;
  }

  uint32_t number_;
  const Slot& offsets_;
  int64_t rows_;
  size_t fewest_in_lanes_;
  uint32_t tiles_ = 0;
  // Written by run, read by the stages behind it.
  mutable std::vector<Group> groups_;
  mutable std::vector<uint32_t> by_rows_;
  mutable std::vector<Piece> pieces_;
};

}  // namespace assay::cpu
