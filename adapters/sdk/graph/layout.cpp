#include <algorithm>
#include <utility>

#include "adapters/sdk/graph/graph.h"

namespace assay::sdk {

namespace {

constexpr uint64_t kAlign = 4096;

// These may write where they read: each element depends on its own row only, and rows are done by one task.
bool works_in_place(uint32_t kind) {
  return kind == ASSAY_OP_ROPE || kind == ASSAY_OP_RMS_NORM || kind == ASSAY_OP_ADD ||
         kind == ASSAY_OP_LAYER_NORM_MODULATE || kind == ASSAY_OP_ACTIVATION;
}

}  // namespace

void share_in_place(const std::vector<uint64_t>& scratch_bytes, const std::vector<Op>& ops, std::vector<Life>& lives) {
  for (size_t i = 0; i < ops.size(); ++i) {
    const Op& op = ops[i];
    if (!works_in_place(op.kind)) continue;
    const uint32_t from = op.in[0];
    const uint32_t to = op.out[0];
    const bool alike = scratch_bytes[from] > 0 && scratch_bytes[from] == scratch_bytes[to];
    if (!alike || lives[from].last != i || from == to) continue;
    if (std::count(op.in.begin(), op.in.end(), from) > 1) continue;
    lives[to].root = lives[from].root;
    Life& root = lives[lives[from].root];
    root.last = std::max(root.last, lives[to].last);
  }
}

std::vector<Life> lives_of(const std::vector<int32_t>& scales, const std::vector<Op>& ops) {
  std::vector<Life> lives(scales.size());
  for (size_t i = 0; i < ops.size(); ++i) {
    for (const auto* list : {&ops[i].in, &ops[i].out}) {
      for (const uint32_t t : *list) {
        if (t == kAbsent) continue;
        lives[t].first = std::min(lives[t].first, i);
        lives[t].last = std::max(lives[t].last, i);
      }
    }
  }
  // Who reads a quantised tensor reads its scales, too, though the op does not list them.
  for (size_t t = 0; t < lives.size(); ++t) {
    lives[t].root = t;
    if (scales[t] < 0) continue;
    Life& its = lives[static_cast<size_t>(scales[t])];
    its.first = std::min(its.first, lives[t].first);
    its.last = std::max(its.last, lives[t].last);
  }
  return lives;
}

uint64_t place(std::vector<size_t> tensors, std::vector<Life>& lives) {
  std::sort(tensors.begin(), tensors.end(), [&](size_t a, size_t b) {
    return lives[a].bytes != lives[b].bytes ? lives[a].bytes > lives[b].bytes : a < b;
  });
  uint64_t total = 0;
  std::vector<size_t> placed;  // by offset
  for (const size_t t : tensors) {
    uint64_t offset = 0;
    for (const size_t other : placed) {
      const bool together = lives[t].first <= lives[other].last && lives[other].first <= lives[t].last;
      if (together && offset < lives[other].offset + lives[other].bytes &&
          lives[other].offset < offset + lives[t].bytes) {
        offset = lives[other].offset + lives[other].bytes;
      }
    }
    lives[t].offset = offset;
    total = std::max(total, offset + lives[t].bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), t,
                                   [&](size_t a, size_t b) { return lives[a].offset < lives[b].offset; }),
                  t);
  }
  return total;
}

Layout lay_out(const Model& model, bool in_place) {
  std::vector<int32_t> scales;
  for (const Slot& slot : model.slots) scales.push_back(slot.scale);
  std::vector<Life> lives = lives_of(scales, model.ops);
  std::vector<uint64_t> scratch_bytes(model.slots.size(), 0);
  for (size_t t = 0; t < lives.size(); ++t) {
    lives[t].bytes = (model.slots[t].bytes() + kAlign - 1) / kAlign * kAlign;
    if (model.slots[t].role == ASSAY_ROLE_SCRATCH) scratch_bytes[t] = model.slots[t].bytes();
  }
  if (in_place) share_in_place(scratch_bytes, model.ops, lives);
  Layout layout;
  layout.scratch_offset.assign(model.slots.size(), Layout::kOwn);
  std::vector<size_t> scratch;
  for (size_t t = 0; t < lives.size(); ++t) {
    if (model.slots[t].role != ASSAY_ROLE_SCRATCH) {
      layout.own_bytes += lives[t].bytes;
    } else if (lives[t].root == t) {
      scratch.push_back(t);
    }
  }
  layout.scratch_bytes = place(std::move(scratch), lives);
  for (size_t t = 0; t < lives.size(); ++t) {
    if (model.slots[t].role == ASSAY_ROLE_SCRATCH) layout.scratch_offset[t] = lives[lives[t].root].offset;
  }
  return layout;
}

}  // namespace assay::sdk
