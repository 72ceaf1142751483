#include "adapters/spirv/program.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "adapters/sdk/graph/words.h"
#include "adapters/spirv/chain.h"
#include "adapters/spirv/plan.h"

namespace assay::spirv {

namespace {

float widen(uint32_t dtype, uint16_t code) {
  if (dtype == ASSAY_BF16) {
    const uint32_t bits = static_cast<uint32_t>(code) << 16;
    float value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  const int exponent = (code >> 10) & 31;
  const int fraction = code & 1023;
  const float sign = (code & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == 31) return sign * (fraction == 0 ? INFINITY : NAN);
  return sign * (exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                               : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25));
}

// Rounds to nearest even.
uint16_t narrow(uint32_t dtype, float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  if (dtype == ASSAY_BF16) {
    if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40u);
    return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  }
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7e00u);
  const float magnitude = std::fabs(value);
  if (magnitude >= 65520.0f) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds to infinity
  if (magnitude < 0x1p-14f)
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(std::ldexp(magnitude, 24))));
  std::memcpy(&bits, &magnitude, sizeof(bits));
  bits += 0xfffu + ((bits >> 13) & 1u);
  return static_cast<uint16_t>(sign | static_cast<uint16_t>((bits >> 13) - (112u << 10)));
}

Plan plan_of(const Traits& device, const sdk::Model& model) {
  Plan plan(device, model);
  for (size_t i = 0; i < model.ops.size(); ++i) {
    const sdk::Op& op = model.ops[i];
    try {
      if (is_gated_row(device, model, i)) {
        lower_gated_row(plan, op, model.ops[++i]);
      } else if (i + 1 < model.ops.size() && lower_add_rms_norm(plan, op, model.ops[i + 1])) {
        ++i;
      } else {
        lower(plan, op);
      }
    } catch (const sdk::Failure& failure) {
      throw sdk::Failure(failure.status(), "op " + std::to_string(op.index) + ": " + failure.what());
    }
  }
  chain(plan);
  return plan;
}

// Refuses at once what the device can't hold; many a runtime would say so only when the memory is first used.
void require_memory(const sdk::Device& card, const Traits& device, const std::vector<Plan::Buffer>& buffers) {
  uint64_t total = 0;
  for (const Plan::Buffer& buffer : buffers) {
    total += buffer.bytes;
    if (device.max_allocation != 0 && buffer.bytes > device.max_allocation) {
      throw sdk::Failure(ASSAY_OUT_OF_MEMORY, "a tensor needs " + std::to_string(buffer.bytes) +
                                                  " bytes in one piece, the device gives at most " +
                                                  std::to_string(device.max_allocation));
    }
  }
  const uint64_t there = card.memory_free_bytes != 0 ? card.memory_free_bytes : card.memory_bytes;
  if (there != 0 && total > there) {
    throw sdk::Failure(ASSAY_OUT_OF_MEMORY, "the program needs " + std::to_string(total) + " bytes, the device has " +
                                                std::to_string(there));
  }
}

}  // namespace

std::string unsupported(const Traits& device, const assay_program_desc& desc) {
  const sdk::Model model = sdk::read_model(desc);
  plan_of(device, model);
  return "";
}

Program::Program(Device& device, const assay_program_desc& desc)
    : device_(device), model_(sdk::read_model(desc)), page_tables_(model_.slots, model_.ops) {
  const Plan plan = plan_of(device.traits(), model_);
  require_memory(device.card(), device.traits(), plan.buffers);
  for (const Plan::Buffer& buffer : plan.buffers) {
    buffers_.push_back(buffer.bytes == 0 ? nullptr : device.allocate(buffer.bytes));
    for (const Plan::Contents& c : buffer.contents) {
      device.write(*buffers_.back(), c.offset, c.words.data(), c.words.size() * sizeof(uint64_t));
    }
    info_.device_bytes += buffer.bytes;
  }
  for (uint32_t t = 0; t < model_.slots.size(); ++t) views_.push_back(plan.at(t));
  scalars_at_ = plan.scalars_at();
  step_ = device.record(plan.launches, buffers_);
  // Twice the cache left parts of a step warm, measured on a CPU.
  sweep_bytes_ = std::max<uint64_t>(4 * device.card().cache_bytes, 128u << 20);
  if (const uint64_t most = device.traits().max_allocation; most > 0) sweep_bytes_ = std::min(sweep_bytes_, most);
  sweep_ = plan.sweep(sweep_bytes_);
  info_.launches = static_cast<uint32_t>(plan.launches.size());
  info_.lowering = device.lowering();
  info_.executed = std::string("kernels for a ") + (device.traits().form == Form::kCpu ? "CPU" : "GPU") + "; " +
                   sdk::kept_text(model_.slots) + "; products in f32";
  for (const std::string& note : plan.notes) info_.executed += "; " + note;
}

// Done before the step's first event and before the host's clock is read.
void Program::flush_caches() {
  if (flush_ == nullptr) {
    if (swept_.empty()) swept_.push_back(device_.allocate(sweep_bytes_));
    flush_ = device_.record({sweep_}, swept_);
  }
  assay_run_result ignored{};
  flush_->start(1);
  flush_->finish(ignored);
}

void Program::write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) {
  const sdk::Slot& slot = sdk::check_range(model_.slots, tensor, offset, bytes, "write");
  if (slot.role == ASSAY_ROLE_OUTPUT) {
    throw sdk::Failure(ASSAY_INVALID_ARGUMENT, "write of tensor " + std::to_string(tensor) + ": its role is OUTPUT");
  }
  if (bytes == 0) return;
  if (src == nullptr) throw sdk::Failure(ASSAY_INVALID_ARGUMENT, "write: null source");
  page_tables_.note(tensor, offset, src, bytes);
  const View at = views_[tensor];
  Memory& memory = *buffers_[at.buffer];
  if (slot.dtype == slot.host_dtype) return device_.write(memory, at.offset + offset, src, bytes);
  const size_t count = bytes / sizeof(uint16_t);
  widened_.resize(count);
  const char* codes = static_cast<const char*>(src);
  for (size_t i = 0; i < count; ++i) {
    uint16_t code = 0;
    std::memcpy(&code, codes + i * sizeof(code), sizeof(code));
    widened_[i] = widen(slot.host_dtype, code);
  }
  device_.write(memory, at.offset + offset * 2, widened_.data(), count * sizeof(float));
}

void Program::read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) {
  const sdk::Slot& slot = sdk::check_range(model_.slots, tensor, offset, bytes, "read");
  if (bytes == 0) return;
  if (dst == nullptr) throw sdk::Failure(ASSAY_INVALID_ARGUMENT, "read: null destination");
  const View at = views_[tensor];
  const Memory& memory = *buffers_[at.buffer];
  if (slot.dtype == slot.host_dtype) return device_.read(memory, at.offset + offset, dst, bytes);
  const size_t count = bytes / sizeof(uint16_t);
  widened_.resize(count);
  device_.read(memory, at.offset + offset * 2, widened_.data(), count * sizeof(float));
  for (size_t i = 0; i < count; ++i) {
    const uint16_t code = narrow(slot.host_dtype, widened_[i]);
    std::memcpy(static_cast<char*>(dst) + i * sizeof(code), &code, sizeof(code));
  }
}

void Program::submit(const assay_run_args& args) {
  sdk::check_scalars(model_.slots, model_.ops, model_.n_scalars, args.scalars);
  page_tables_.check();
  if (args.repeat < 1) throw sdk::Failure(ASSAY_INVALID_ARGUMENT, "submit: repeat must be at least 1");
  if (!std::equal(scalars_.begin(), scalars_.end(), args.scalars, args.scalars + model_.n_scalars)) {
    device_.write(*buffers_[scalars_at_.buffer], scalars_at_.offset, args.scalars, model_.n_scalars * sizeof(int64_t));
    scalars_.assign(args.scalars, args.scalars + model_.n_scalars);
  }
  step_->start(args.repeat);
}

}  // namespace assay::spirv
