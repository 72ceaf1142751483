// The replay adapter: plays recorded step times on a clock of its own, so that everything behind the adapter is
// deterministic. Option "samples": a JSON file {"host_ns": [...], "device_ns": [...]}, as `assay show RECORD
// --samples` prints it; device_ns may be absent. Played round and round, one step straight after the other.
#include <cstring>

#include "adapters/replay/recording.h"
#include "adapters/sdk/adapter.h"

namespace {

using assay::replay::Recording;

class Player {
 public:
  explicit Player(Recording recording) : recording_(std::move(recording)) {}
  [[nodiscard]] uint64_t now_ns() const { return now_ns_; }
  // Plays one step; the device's time for it, if the recording has one.
  uint64_t step() {
    const size_t i = next_;
    next_ = (next_ + 1) % recording_.host_ns.size();
    now_ns_ += recording_.host_ns[i];
    return recording_.device_ns.empty() ? 0 : recording_.device_ns[i];
  }
  [[nodiscard]] bool device_clock() const { return !recording_.device_ns.empty(); }

 private:
  Recording recording_;
  size_t next_ = 0;
  uint64_t now_ns_ = 0;
};

class ReplayProgram : public assay::sdk::Program {
 public:
  explicit ReplayProgram(Player& player) : player_(player) {}
  void write(uint32_t, uint64_t, const void*, uint64_t) override {}
  void read(uint32_t, uint64_t, void* dst, uint64_t bytes) override { std::memset(dst, 0, bytes); }
  void submit(const assay_run_args& args) override { repeat_ = args.repeat; }
  void wait(assay_run_result& result) override {
    for (uint32_t i = 0; i < repeat_; ++i) result.device_ns += player_.step();
    if (!player_.device_clock()) return;
    result.device_clock = ASSAY_CLOCK_DEVICE_EVENT;
    result.device_clock_step_ns = 1;
  }
  assay::sdk::ProgramInfo info() override { return {0, 0, "replay", "nothing: recorded times are played"}; }

 private:
  Player& player_;
  uint32_t repeat_ = 1;
};

class ReplayAdapter : public assay::sdk::Adapter {
 public:
  // Read here: a bad recording is refused before anything is planned or written.
  explicit ReplayAdapter(const assay::sdk::Host& host) : player_(assay::replay::read(host.option("samples"))) {}
  std::vector<assay::sdk::Device> devices() override {
    assay::sdk::Device device;
    device.product = "recorded times";
    device.dtypes = ~uint64_t{0};
    device.basis = ASSAY_BASIS_SIMULATED;
    device.support = ASSAY_SUPPORT_CHECKED_AGAINST_API;
    return {device};
  }
  std::string unsupported(const assay_program_desc& graph) override {
    // One op alone is a ceiling, and the recording is of steps.
    return graph.n_ops == 1 ? "plays recorded steps and has no peaks of its own" : "";
  }
  std::unique_ptr<assay::sdk::Program> prepare(const assay_program_desc&) override {
    return std::make_unique<ReplayProgram>(player_);
  }
  [[nodiscard]] bool keeps_time() const override { return true; }
  [[nodiscard]] uint64_t now_ns() const override { return player_.now_ns(); }

 private:
  Player player_;
};

}  // namespace

ASSAY_SDK_ADAPTER(ReplayAdapter, "replay", "Assay project", "0.1.0", "{}")
