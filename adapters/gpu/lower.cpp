#include "adapters/gpu/lower.h"

#include <algorithm>

#include <memory>

namespace assay::gpu {

void lower_op(Plan& plan, const Op& op) { Lower(plan, op).run(); }

void Lower::run() {
  static constexpr Member kMembers[] = {nullptr,
                                        &Lower::matmul,
                                        &Lower::attention,
                                        &Lower::kv_append,
                                        &Lower::rms_norm,
                                        &Lower::rope,
                                        &Lower::gated_act,
                                        &Lower::add,
                                        &Lower::embedding,
                                        &Lower::argmax,
                                        &Lower::quantize,
                                        &Lower::grouped_matmul,
                                        &Lower::router_topk,
                                        &Lower::moe_dispatch,
                                        &Lower::moe_combine,
                                        &Lower::layer_norm_modulate,
                                        &Lower::activation,
                                        &Lower::patchify3d,
                                        &Lower::conv3d,
                                        &Lower::group_norm,
                                        &Lower::head_matmul,
                                        &Lower::kv_expand,
                                        &Lower::index_topk};
  if (plan_.done_before.count(op_.index) != 0) return;
  (this->*kMembers[op_.kind])();
  plan_.workspace_bytes = std::max(plan_.workspace_bytes, used_);
}

void Lower::floats(std::initializer_list<const Slot*> slots) const {
  for (const Slot* slot : slots) can(is_float(slot->dtype), "a tensor must be f32, bf16 or f16");
}

void Lower::readable(const Slot& w) const {
  can(w.dtype != ASSAY_I32, "a matrix of integers");
  need(is_float(w.dtype) || w.scale >= 0, "quantised elements without scales");
}

void Lower::same_shape() const {
  need(in(0).rows == out(0).rows && in(0).cols == out(0).cols, "x and y differ in shape");
  floats({&in(0), &out(0)});
}

void Lower::slice(int64_t col, int64_t cols, int64_t of) const {
  need(col >= 0 && cols >= 0 && cols <= of && col <= of - cols, "the columns lie outside the tensor");
}

void Lower::batch(int64_t rows, int64_t n) const { need(n >= 1 && rows % n == 0, "batch does not divide the rows"); }

void Lower::cache(const Slot& k, int64_t b, int64_t heads, int64_t col, int64_t dim) const {
  const int64_t blocks = op_.pages() == kAbsent ? b : in(1).dims[0];
  need(k.dims.size() == 4 && k.dims[0] == blocks && k.dims[2] == heads, "the KV cache does not fit");
  need(col >= 0 && dim >= 0 && dim <= k.dims[3] && col <= k.dims[3] - dim, "the KV cache is too narrow");
  floats({&k});
}

void Lower::page_table(int64_t b) const {
  if (op_.pages() == kAbsent) return;
  const Slot& table = plan_.slots[op_.pages()];
  need(table.dtype == ASSAY_I32 && table.role == ASSAY_ROLE_INPUT, "pages must be an INPUT of i32");
  need(table.dims.size() == 2 && table.rows == b, "pages is not [B,P]");
  need(table.elements() <= in(1).dims[0], "the table has more pages than the KV cache");
  can(capacity() <= 0x7fffffff, "more keys than an i32 counts");
}

int64_t Lower::capacity() const {
  return op_.pages() == kAbsent ? in(1).dims[1] : plan_.slots[op_.pages()].cols * in(1).dims[1];
}

assay_gpu::Pages Lower::pages() const {
  if (op_.pages() == kAbsent) return {nullptr, 0, 0};
  const Slot& table = plan_.slots[op_.pages()];
  return {reinterpret_cast<const int*>(table.data), table.cols, in(1).dims[1]};
}

void Lower::integers(const Slot& slot, int64_t n) const {
  can(slot.dtype == ASSAY_I32, "an index must be i32");
  need(slot.elements() == n, "an index does not fit");
}

void Lower::modulation(const Slot& mod, int64_t n, std::initializer_list<int64_t> cols) const {
  batch(in(0).rows, n);
  need(mod.rows == n, "mod is not [B,ld]");
  for (const int64_t col : cols) slice(col, in(0).cols, mod.cols);
  floats({&mod});
}

Data Lower::data(const Slot& slot) const {
  const float* scale =
      slot.scale < 0 ? nullptr : reinterpret_cast<const float*>(plan_.slots[static_cast<size_t>(slot.scale)].data);
  return {slot.data, scale, slot.dtype, slot.cols, slot.block};
}

char* Lower::workspace(uint64_t bytes) {
  const uint64_t at = used_;
  used_ += (bytes + 255) / 256 * 256;
  return plan_.dry ? nullptr : plan_.workspace + at;
}

int64_t Lower::shares(int64_t blocks, int64_t most) const {
  constexpr int64_t kBlocksPerProcessor = 4;
  const int64_t wanted = plan_.device->multiprocessors * kBlocksPerProcessor;
  return std::clamp<int64_t>(wanted / std::max<int64_t>(1, blocks), 1, std::clamp<int64_t>(most, 1, 65535));
}

void Lower::call(const std::string& name, std::function<void(void*)> run) {
  if (!plan_.dry) plan_.calls.push_back({op_.index, name, std::move(run), {}, {}});
}

void Lower::raw_launch(const char* kernel, const Grid& grid, const void* args, size_t bytes) {
  const auto found = plan_.device->kernels.find(kernel);
  if (found == plan_.device->kernels.end()) can(false, (std::string("no kernel ") + kernel).c_str());
  can(grid.x <= 0x7fffffff && grid.y <= 65535 && grid.z <= 65535, "more blocks than a launch can have");
  can(grid.shared <= plan_.device->shared_bytes, "more shared memory than a block can have");
  if (!plan_.dry) plan_.calls.push_back(kernel_call(plan_, op_.index, kernel, grid, args, bytes));
}

Call kernel_call(const Plan& plan, uint32_t op, const std::string& kernel, const Grid& grid, const void* args,
                 size_t bytes) {
  const Runtime* runtime = plan.runtime;
  void* function = plan.device->kernels.at(kernel);
  const auto* first = static_cast<const char*>(args);
  auto copy = std::make_shared<std::vector<char>>(first, first + bytes);
  const bool overlaps = plan.device->has("overlaps") && runtime->LaunchKernelEx != nullptr;
  const auto run = [runtime, function, grid, copy, overlaps](void* stream) {
    void* parameters[] = {copy->data()};
    if (overlaps) {
      LaunchAttribute early;
      early.id = kProgrammaticSerialization;
      early.value = 1;
      const LaunchConfig config{
          {static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z)},
          {grid.threads, 1, 1},
          static_cast<unsigned>(grid.shared),
          stream,
          &early,
          1};
      runtime->check(runtime->LaunchKernelEx(&config, function, parameters, nullptr), "launch");
      return;
    }
    runtime->check(runtime->ModuleLaunchKernel(function, static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
                                               static_cast<unsigned>(grid.z), grid.threads, 1, 1,
                                               static_cast<unsigned>(grid.shared), stream, parameters, nullptr),
                   "launch");
  };
  return {op, kernel, run, grid, *copy};
}

}  // namespace assay::gpu
