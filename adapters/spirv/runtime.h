// What the adapter asks of a runtime that runs the kernels: memory, a recorded step, its time. OpenCL and Level Zero
// stand behind it. Every call throws sdk::Failure; a device is used by one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "adapters/sdk/adapter.h"

namespace assay::spirv {

// Which of the two forms of the kernels suits the device: one work-item a core, or groups of many.
enum class Form { kCpu, kGpu };

struct Traits {
  Form form = Form::kGpu;
  // Groups of one launch may wait for each other: a CPU that compiles source, whose fence orders what they write.
  bool groups_meet = false;
  uint32_t units = 1;           // compute units
  uint32_t max_group = 256;     // work-items a group may have
  uint64_t max_allocation = 0;  // bytes in one piece; 0 = no limit known
  // Work-items along a side of a product's work-group: one sub-group fills a row of it, and it fits into max_group.
  static constexpr int64_t kTile = 16, kSmallTile = 8;
  int64_t tile_side = kTile;
};

class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  virtual ~Memory() = default;
};

// Bytes from `offset` on in one of a program's buffers.
struct View {
  uint32_t buffer = 0;
  uint64_t offset = 0;
};
struct Absent {};  // a null pointer in the kernel
using Argument = std::variant<Absent, View, int32_t, uint32_t, int64_t, float>;

struct Launch {
  std::string kernel;
  std::array<size_t, 3> groups{1, 1, 1}, local{1, 1, 1};
  std::vector<Argument> arguments;
};

// A recorded step: the launches one after another.
class Step {
 public:
  Step() = default;
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  virtual ~Step() = default;
  virtual void start(uint32_t repeat) = 0;
  // Waits. Fills in the device's time where it has one.
  virtual void finish(assay_run_result& result) = 0;
};

class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;
  [[nodiscard]] virtual sdk::Device card() const = 0;
  [[nodiscard]] virtual Traits traits() const = 0;
  // Why nothing can run as the user's options ask, "" where it can. Asked before anything is prepared.
  [[nodiscard]] virtual std::string refusal() const = 0;
  [[nodiscard]] virtual std::string lowering() const = 0;        // how the kernels reach it
  virtual std::unique_ptr<Memory> allocate(uint64_t bytes) = 0;  // zeroed
  virtual void write(Memory& to, uint64_t offset, const void* from, uint64_t bytes) = 0;
  virtual void read(const Memory& from, uint64_t offset, void* to, uint64_t bytes) = 0;
  // `buffers` outlive the step.
  virtual std::unique_ptr<Step> record(const std::vector<Launch>& launches,
                                       const std::vector<std::unique_ptr<Memory>>& buffers) = 0;
};

// The kernels as they are shipped: source, and SPIR-V where the build made it (else empty).
struct KernelText {
  std::string source;
  std::vector<unsigned char> spirv;
};
KernelText kernel_text(Form form);

}  // namespace assay::spirv
