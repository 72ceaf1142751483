// Adapters that cheat or break on purpose, each by the option "crooked", around the honest template: what the kit must
// catch. "clock", "sensors", "counter_alone", "flush", "trace", "requests" and "requests_alone" are honest: what the
// template lacks.
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <mutex>
#include <set>
#include <thread>

#include "adapters/sdk/adapter.h"
#include "tests/conformance/crooked_engine.h"

// The template without its entry.
#undef ASSAY_SDK_ADAPTER
#define ASSAY_SDK_ADAPTER(...)
#include "adapters/sdk/template/template.cpp"  // NOLINT(bugprone-suspicious-include)

namespace {

std::mutex one_program;  // "deadlocks": whoever prepares a second program waits for ever
std::atomic<int> opened{0};
char* volatile leaked = nullptr;
std::atomic<bool> busy{false};
std::atomic<uint64_t> device_bytes{0};
std::vector<assay_activity> activities;  // "trace": of the steps while `tracing`
bool tracing = false;

// As a crash outside any sanitizer: their handlers would turn the signal into an exit.
void crash() {
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}

float to_bf16(float x) {
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  bits &= 0xffff0000u;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

class CrookedProgram : public TemplateProgram {
 public:
  CrookedProgram(const assay_program_desc& graph, const Host& host, std::string mode)
      : TemplateProgram(graph), host_(host), mode_(std::move(mode)) {
    if (mode_ == "deadlocks") one_program.lock();
    if (mode_ == "leaks") leaked = new char[1000];
    device_bytes += CrookedProgram::info().device_bytes;
  }
  ~CrookedProgram() override {
    if (mode_ != "leaks_device_memory" && mode_ != "blinds_its_sensor")
      device_bytes -= CrookedProgram::info().device_bytes;
    if (mode_ == "deadlocks") one_program.unlock();
  }
  CrookedProgram(const CrookedProgram&) = delete;
  CrookedProgram& operator=(const CrookedProgram&) = delete;

  void write(uint32_t t, uint64_t offset, const void* src, uint64_t bytes) override {
    TemplateProgram::write(t, offset, src, bytes);
    if (mode_ != "silent_fallback" || shapes_[t].dtype != ASSAY_F32) return;
    for (float& x : memory_[t]) x = to_bf16(x);
  }
  void read(uint32_t t, uint64_t offset, void* dst, uint64_t bytes) override {
    if (mode_ == "reads_in_one_thread" && std::this_thread::get_id() != maker_)
      throw Failure(ASSAY_INTERNAL, "no context");
    if (std::exchange(owed_, false)) TemplateProgram::wait(unread_);
    for (const uint64_t end = host_.now_ns() + std::exchange(late_ns_, 0); host_.now_ns() < end;) continue;
    TemplateProgram::read(t, offset, dst, bytes);
  }
  void count(const assay_run_args& args, const std::vector<uint64_t>& ops,
             const std::function<void(const assay_op_counter&)>& emit) override {
    if (mode_ != "trace" && mode_ != "counts_another_op") TemplateProgram::count(args, ops, emit);
    for (const uint64_t op : ops) emit({sizeof(assay_op_counter), 0, op + (mode_ == "trace" ? 0 : 1), 1, "loops", ""});
  }
  void wait(assay_run_result& result) override {
    const uint64_t begin = host_.now_ns();
    if (mode_ == "exits") std::_Exit(3);
    if (mode_ == "returns_early") {
      owed_ = true;
      return;
    }
    if (mode_ == "caches_outputs" && std::exchange(ran_, true)) return;
    if (mode_ == "ignores_repeat") repeat_ = 1;
    turn_caches(1);
    busy = true;
    TemplateProgram::wait(result);
    busy = false;
    turn_caches(-1);
    if (mode_ == "finishes_late") late_ns_ = (host_.now_ns() - begin) / 4;  // a fifth of all
    if (tracing) trace(begin, host_.now_ns());
    if (mode_ != "clock" && mode_ != "wrong_unit") return;
    const uint64_t ns = host_.now_ns() - begin;
    result.device_clock = ASSAY_CLOCK_DEVICE_EVENT;
    result.device_clock_step_ns = 1;
    result.device_ns = mode_ == "clock" ? ns : ns / 1000;
  }
  // Sweeps the caches, or not.
  void flush_caches() override {
    static std::vector<char> memory(size_t{128} << 20, 1);
    for (size_t at = 0; mode_ == "flush" && at < memory.size(); at += 64) ++memory[at];
  }

 private:
  // One activity an op, the step's time in equal parts; "wrong_trace_clock" counts from the adapter's start.
  void trace(uint64_t begin, uint64_t end) {
    const uint64_t part = (end - begin) / ops_.size(), origin = mode_ == "wrong_trace_clock" ? begin - 1000 : 0;
    for (uint64_t i = 0; i < ops_.size(); ++i) {
      const uint64_t at = begin - origin + i * part;
      activities.push_back({sizeof(assay_activity), 0, 0, 0, at, at + part, 0, i, "loop"});
    }
  }
  // "gqa_off_by_one": every query head meets the KV head behind its own.
  void turn_caches(int64_t by) {
    if (mode_ != "gqa_off_by_one") return;
    for (const Op& op : ops_) {
      for (size_t i = 1; op.kind == ASSAY_OP_ATTENTION && i < 3; ++i) {
        const int64_t heads = op.x(i).dim[2], size = heads * op.x(i).dim[3];
        const int64_t shift = (by > 0 ? 1 : heads - 1) % heads * op.x(i).dim[3];
        for (float* slot = data(op.in[i]); slot < data(op.in[i]) + elements(op.x(i)); slot += size) {
          std::rotate(slot, slot + shift, slot + size);
        }
      }
    }
  }

  Host host_;
  std::string mode_;
  bool owed_ = false, ran_ = false;
  uint64_t late_ns_ = 0;
  std::thread::id maker_ = std::this_thread::get_id();
  assay_run_result unread_{};
};

class Crooked : public Template {
 public:
  explicit Crooked(const Host& host) : Template(host), host_(host), mode_(host.option("crooked")) {
    if (mode_ == "crashes_on_second_open" && ++opened > 1) crash();
    if (mode_ == "no_driver") throw Failure(ASSAY_UNSUPPORTED, "no driver: libcrooked.so.1 is missing");
    if (mode_ == "breaks_in_open") throw Failure(ASSAY_INTERNAL, "no licence found");
    if (mode_ == "prints") (void)!::write(STDERR_FILENO, "hello\n", 6);
  }
  std::vector<assay::sdk::Device> devices() override {
    std::vector<assay::sdk::Device> all = Template::devices();
    all[0].board_power_limit_w = 150;
    if (mode_ == "claims_dtypes") all[0].dtypes |= uint64_t{1} << ASSAY_BF16 | uint64_t{1} << ASSAY_I4;
    if (mode_ == "devices_change_at_open" && ++opened % 2 == 0) all[0].product = "Plainer loops";
    return all;
  }
  void refresh(uint32_t /*index*/, assay::sdk::Device& device) override {
    if (mode_ == "memory_changes") device.memory_bytes += 1 << 20;
  }
  std::string unsupported(const assay_program_desc& graph) override {
    if (mode_ == "takes_all") return "";
    assay_program_desc in_f32 = graph;
    if (mode_ == "claims_tf32") in_f32.accumulate = "f32";
    return Template::unsupported(in_f32);
  }
  std::unique_ptr<assay::sdk::Program> prepare(const assay_program_desc& graph) override {
    if (const std::string why = unsupported(graph); !why.empty()) throw Failure(ASSAY_UNSUPPORTED, why);
    return std::make_unique<CrookedProgram>(graph, host_, mode_);
  }
  [[nodiscard]] bool flushes_caches() const override { return mode_ == "flush" || mode_ == "flushes_nothing"; }
  [[nodiscard]] bool has_telemetry() const override {
    static const std::set<std::string> kModes{
        "sensors",        "stuck_sensor", "lying_counter",       "counter_alone",
        "counter_jumps",  "counts_in_mj", "counts_mj_by_power",  "counter_goes_back",
        "negative_power", "power_is_nan", "leaks_device_memory", "blinds_its_sensor"};
    return kModes.count(mode_) > 0;
  }
  [[nodiscard]] bool has_trace() const override {
    return mode_ == "trace" || mode_ == "wrong_trace_clock" || mode_ == "tells_twice" || mode_ == "counts_another_op";
  }
  void start_trace(uint32_t /*device*/) override { tracing = true; }
  uint64_t stop_trace(uint32_t /*device*/) override {
    tracing = false;
    return 0;
  }
  void drain_trace(const std::function<void(const assay_activity&)>& emit) override {
    for (const assay_activity& a : activities) emit(a);
    if (mode_ != "tells_twice") activities.clear();
  }
  // 40 W, and 100 W while a step runs; the counter adds up what was read. As of a power that is made of two readings,
  // the first has none.
  void telemetry(uint32_t /*device*/, assay_telemetry& out) override {
    const std::lock_guard lock(sensor_);
    if (mode_ == "blinds_its_sensor" && device_bytes > size_t{128} << 20) throw Failure(ASSAY_INTERNAL, "no answer");
    const double power = busy && mode_ != "stuck_sensor" ? 100 : 40;
    if (last_ns_ != 0) energy_ += 0.5 * (power + last_power_) * static_cast<double>(out.t_ns - last_ns_) / 1e9;
    out.valid = (last_ns_ != 0 ? ASSAY_T_POWER : 0) | ASSAY_T_ENERGY | ASSAY_T_MEM_USED;
    last_ns_ = out.t_ns;
    last_power_ = power;
    out.mem_used_bytes = static_cast<double>(device_bytes.load());
    out.power_w = power;
    out.energy_j = mode_ == "lying_counter" ? energy_ / 2 : energy_;
    spoil(out);
  }

 private:
  // What no device gives, from the 10th reading on. "counter_alone" has no power that would give it away; honest.
  void spoil(assay_telemetry& out) {
    const bool alone = mode_ == "counter_alone" || mode_ == "counter_jumps" || mode_ == "counts_in_mj";
    if (alone) out.valid &= ~uint32_t{ASSAY_T_POWER};
    if (mode_ == "counts_in_mj" || mode_ == "counts_mj_by_power") out.energy_j *= 1000;
    if (++readings_ < 10) return;
    if (mode_ == "counter_jumps") out.energy_j += 5000;
    if (mode_ == "counter_goes_back" && readings_ == 10) energy_ = 0;
    if (mode_ == "negative_power") out.power_w = -out.power_w;
    if (mode_ == "power_is_nan") out.power_w = NAN;
  }

  Host host_;
  std::string mode_;
  std::mutex sensor_;
  size_t readings_ = 0;
  uint64_t last_ns_ = 0;
  double last_power_ = 0, energy_ = 0;
};

}  // namespace

extern "C" ASSAY_EXPORT const assay_adapter* assay_adapter_entry(uint32_t host_abi_major) {
  if (host_abi_major != ASSAY_ABI_MAJOR) return nullptr;
  // The SDK's base class knows no requests: their table stands beside its own.
  static const assay_adapter kBase = *assay::sdk::adapter_table<Crooked>("crooked", "Assay tests", "0.1.0", "{}");
  static assay_adapter with_requests = kBase;
  with_requests.open = [](const assay_host* host, assay_ctx** out) {
    crooked::engine_mode = assay::sdk::Host(host).option("crooked");
    return kBase.open(host, out);
  };
  with_requests.device_count = [](assay_ctx* ctx, uint32_t* out) {
    static std::atomic<int> asked{0};
    const assay_status status = kBase.device_count(ctx, out);
    if (status == ASSAY_OK && crooked::engine_mode == "count_changes" && ++asked > 2) ++*out;
    return status;
  };
  with_requests.device_info = [](assay_ctx* ctx, uint32_t device, assay_device_info* out) {
    return kBase.device_info(ctx, crooked::engine_mode == "count_changes" ? 0 : device, out);
  };
  with_requests.table = [](assay_ctx* ctx, const char* id) -> const void* {
    const bool asked = id != nullptr && std::strcmp(id, "request/1") == 0;
    if (id != nullptr && std::strcmp(id, "program/1") == 0 && crooked::engine_mode == "requests_alone") return nullptr;
    return asked ? crooked::request_table() : kBase.table(ctx, id);
  };
  return &with_requests;
}
