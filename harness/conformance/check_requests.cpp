// Whole requests (request/1): every id answered once, counts that agree, drain and cancel that keep their word. Model,
// precision and config are what the user sets by --adapter-option, "" otherwise.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "harness/conformance/bench.h"

namespace assay::conformance {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kPrompt = 5, kShort = 8, kLong = 4096;  // tokens
constexpr uint64_t kDrainNs = 60'000'000'000;
constexpr double kFirstOutputS = 30, kCancelS = 2, kBriefDrainS = 1, kLateS = 0.1;

double since_s(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// What the engine said of one id.
struct Answer {
  uint64_t outputs = 0, late = 0;  // units; calls behind the end
  int ends = 0;
  assay_status status = ASSAY_OK;
  bool counted = false;  // usage came with the end
  assay_usage usage{};
};

// Takes answers from any thread.
class Sink {
 public:
  [[nodiscard]] const assay_sink* table() const { return &table_; }
  [[nodiscard]] Answer of(uint64_t id) const {
    const std::lock_guard lock(mutex_);
    const auto found = answers_.find(id);
    return found == answers_.end() ? Answer{} : found->second;
  }
  [[nodiscard]] size_t ids() const {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }
  [[nodiscard]] uint64_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  // "" or the first id that was not ended once, or was answered behind its end.
  [[nodiscard]] std::string fault() const {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, a] : answers_) {
      if (a.ends != 1) return "request " + std::to_string(id) + " was ended " + std::to_string(a.ends) + " times";
      if (a.late > 0)
        return std::to_string(a.late) + " outputs of request " + std::to_string(id) + " came behind its end";
    }
    return "";
  }

 private:
  static void on_output(void* self, uint64_t id, uint32_t n) {
    Sink& s = *static_cast<Sink*>(self);
    const std::lock_guard lock(s.mutex_);
    Answer& a = s.answers_[id];
    ++s.calls_;
    (a.ends > 0 ? a.late : a.outputs) += n;
  }
  static void on_done(void* self, uint64_t id, assay_status status, const assay_usage* usage) {
    Sink& s = *static_cast<Sink*>(self);
    const std::lock_guard lock(s.mutex_);
    Answer& a = s.answers_[id];
    ++s.calls_;
    ++a.ends;
    a.status = status;
    a.counted = usage != nullptr;
    if (a.counted) std::memcpy(&a.usage, usage, std::min<size_t>(usage->struct_size, sizeof a.usage));
  }
  mutable std::mutex mutex_;
  std::map<uint64_t, Answer> answers_;
  uint64_t calls_ = 0;
  assay_sink table_{sizeof(assay_sink), 0, this, on_output, on_done};
};

class Engine {
 public:
  Engine(Bench& bench, const Raw& raw, const assay_request_table* table) : bench_(bench), raw_(raw), table_(table) {
    const uint32_t device = bench.device();
    const auto setting = [&](const char* key) {
      for (const auto& [name, value] : bench.options().settings) {
        if (name == key) return value;
      }
      return std::string();
    };
    const std::string model = setting("model"), precision = setting("precision"), config = setting("config");
    const assay_engine_desc desc{
        sizeof desc, 1, &device, model.c_str(), precision.c_str(), config.empty() ? "{}" : config.c_str()};
    InAdapter inside(bench.pulse(), "request.load");
    status_ = table->load(raw.ctx, &desc, sink.table(), &engine_);
  }
  ~Engine() { unload(); }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // False, with a finding, where it did not load.
  bool usable() {
    if (status_ == ASSAY_OK && engine_ != nullptr) return true;
    status_ == ASSAY_UNSUPPORTED ? bench_.unsupported(raw_.told(status_)) : bench_.fail("load: " + raw_.told(status_));
    return false;
  }
  assay_status submit(uint64_t id, uint32_t max_new) {
    const int32_t prompt[kPrompt] = {1, 2, 3, 4, 5};
    const assay_request request{sizeof request, 0, id, bench_.seed(), prompt, kPrompt, max_new, "{}"};
    InAdapter inside(bench_.pulse(), "request.submit");
    return table_->submit(engine_, &request);
  }
  assay_status submit_nothing() {
    InAdapter inside(bench_.pulse(), "request.submit of NULL");
    return table_->submit(engine_, nullptr);
  }
  assay_status drain(uint64_t timeout_ns) {
    InAdapter inside(bench_.pulse(), "request.drain");
    return table_->drain(engine_, timeout_ns);
  }
  assay_status cancel(uint64_t id) {
    InAdapter inside(bench_.pulse(), "request.cancel");
    return table_->cancel(engine_, id);
  }
  void unload() {
    if (engine_ == nullptr) return;
    InAdapter inside(bench_.pulse(), "request.unload");
    table_->unload(std::exchange(engine_, nullptr));
  }
  // Until `ready` or the time is up.
  template <typename Ready>
  bool wait(double seconds, Ready ready) {
    for (const auto begin = Clock::now(); !ready();) {
      if (since_s(begin) > seconds) return false;
      bench_.pulse().beat();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  std::string told(assay_status status) const { return raw_.told(status); }
  Sink sink;

 private:
  Bench& bench_;
  const Raw& raw_;
  const assay_request_table* table_;
  assay_status status_ = ASSAY_OK;
  assay_engine* engine_ = nullptr;
};

std::string count(uint64_t n) { return std::to_string(n); }

// "" or what is wrong with the answer to a request that ran to its end.
std::string whole_fault(const Answer& a, uint32_t max_new) {
  if (a.ends != 1) return "was ended " + std::to_string(a.ends) + " times, expected once";
  if (a.status != ASSAY_OK) return std::string("ended with ") + status_text(a.status);
  if (a.late > 0) return count(a.late) + " outputs came behind its end";
  if (a.outputs < 1 || a.outputs > max_new) return count(a.outputs) + " outputs, expected 1 to " + count(max_new);
  if (!a.counted || a.usage.estimated != 0) return "";
  if (a.usage.output_tokens != a.outputs) {
    return count(a.outputs) + " outputs came, " + count(a.usage.output_tokens) + " are counted";
  }
  if (a.usage.prompt_tokens != kPrompt) return count(a.usage.prompt_tokens) + " prompt tokens counted of 5";
  return a.usage.cached_tokens > a.usage.prompt_tokens ? "more tokens cached than the prompt has" : "";
}

void answers(Bench& bench, Engine& engine, uint64_t first, uint64_t n) {
  const auto begin = Clock::now();
  for (uint64_t i = 0; i < n; ++i) {
    if (const assay_status s = engine.submit(first + i, kShort); s != ASSAY_OK) {
      return bench.fail("submit: " + engine.told(s));
    }
  }
  const double submitted_s = since_s(begin);
  const size_t before = first - 1;  // ids begin with 1
  if (const assay_status s = engine.drain(kDrainNs); s != ASSAY_OK) return bench.fail("drain: " + engine.told(s));
  const double whole_s = since_s(begin);
  for (uint64_t i = 0; i < n; ++i) {
    const std::string fault = whole_fault(engine.sink.of(first + i), kShort);
    if (!fault.empty()) return bench.fail("request " + count(first + i) + " " + fault + " when drain() returned");
  }
  if (engine.sink.ids() != before + n) return bench.fail("an id was answered that nobody asked for");
  if (submitted_s > 0.5 * whole_s && submitted_s > 0.1) {
    return bench.fail(number("submit() took %.3f s ", submitted_s) +
                      number("of %.3f s: it waits for answers", whole_s));
  }
  bench.pass(count(n) + number(" answered in %.3f s", whole_s));
}

// A long request, under way: false, with a finding, where it ends or fails before.
bool under_way(Bench& bench, Engine& engine, uint64_t id) {
  if (const assay_status s = engine.submit(id, kLong); s != ASSAY_OK) {
    bench.fail("submit: " + engine.told(s));
    return false;
  }
  engine.wait(kFirstOutputS, [&] { return engine.sink.of(id).outputs > 0 || engine.sink.of(id).ends > 0; });
  const Answer a = engine.sink.of(id);
  if (a.ends == 0 && a.outputs > 0) return true;
  a.ends > 0 ? bench.unsupported(count(a.outputs) + " outputs were all: nothing to cut short")
             : bench.fail(number("no output within %.0f s", kFirstOutputS));
  return false;
}

// False: the request goes on, and what follows would wait for it.
bool cancels(Bench& bench, Engine& engine, uint64_t id) {
  if (!under_way(bench, engine, id)) return engine.sink.of(id).ends > 0;
  const assay_status status = engine.cancel(id);
  const Answer then = engine.sink.of(id);
  if (status != ASSAY_OK && then.ends == 0) {
    bench.fail("cancel: " + engine.told(status));
    return false;
  }
  const auto begin = Clock::now();
  if (!engine.wait(kCancelS, [&] { return engine.sink.of(id).ends > 0; })) {
    const uint64_t more = engine.sink.of(id).outputs - then.outputs;
    bench.fail("cancel() is ignored: " + count(more) + number(" outputs in the %.0f s behind it", kCancelS));
    return false;
  }
  const double seconds = since_s(begin);
  (void)engine.wait(kLateS, [] { return false; });  // what follows the first end
  const Answer a = engine.sink.of(id);
  if (a.ends != 1) {
    bench.fail("ended " + std::to_string(a.ends) + " times");
  } else if (a.late > 0) {
    bench.fail(count(a.late) + " outputs came behind its end");
  } else if (then.ends == 0 && a.status != ASSAY_CANCELLED) {
    bench.fail(std::string("cancelled, but ended with ") + status_text(a.status) + " behind " + count(a.outputs) +
               " outputs");
  } else {
    bench.pass(count(a.outputs) + " of 4096 outputs" + number(", ended %.1f ms behind cancel()", seconds * 1e3));
  }
  return true;
}

void drains_in_time(Bench& bench, Engine& engine, uint64_t id, bool cancellable) {
  if (!under_way(bench, engine, id)) return;
  const auto begin = Clock::now();
  const assay_status status = engine.drain(1'000'000);
  const double seconds = since_s(begin);
  const bool over = engine.sink.of(id).ends > 0;
  if (cancellable) (void)engine.cancel(id);
  if (const assay_status s = engine.drain(kDrainNs); s != ASSAY_OK) return bench.fail("drain: " + engine.told(s));
  if (status != ASSAY_TIMEOUT && !(status == ASSAY_OK && over)) {
    return bench.fail(std::string("drain() of 1 ms gave ") + status_text(status) + " with a request under way");
  }
  seconds > kBriefDrainS ? bench.fail(number("drain() of 1 ms took %.2f s", seconds))
                         : bench.pass(number("after %.1f ms", seconds * 1e3));
}

void refuses(Bench& bench, Engine& engine, bool cancellable) {
  if (engine.submit_nothing() == ASSAY_OK) return bench.fail("a NULL request is taken");
  if (cancellable && engine.cancel(987654321) == ASSAY_OK) return bench.fail("cancel() of an unknown id is OK");
  bench.pass();
}

// Every request of the engine, also those under way, has ended once when unload() returns, and nothing is called later.
void ends_at_unload(Bench& bench, Engine& engine, uint64_t first) {
  constexpr uint64_t kRequests = 4;
  for (uint64_t i = 0; i < kRequests; ++i) {
    if (const assay_status s = engine.submit(first + i, kLong); s != ASSAY_OK) {
      return bench.fail("submit: " + engine.told(s));
    }
  }
  if (!engine.wait(kFirstOutputS, [&] { return engine.sink.of(first).outputs > 0; })) {
    return bench.fail(number("no output within %.0f s", kFirstOutputS));
  }
  engine.unload();
  const uint64_t calls = engine.sink.calls();
  (void)engine.wait(kLateS, [] { return false; });
  const uint64_t late = engine.sink.calls() - calls;
  if (late > 0) return bench.fail(count(late) + " callbacks behind unload()");
  for (uint64_t i = 0; i < kRequests; ++i) {
    if (engine.sink.of(first + i).ends == 0) return bench.fail("request " + count(first + i) + " has no end");
  }
  const std::string fault = engine.sink.fault();
  fault.empty() ? bench.pass() : bench.fail(fault);
}

}  // namespace

void check_requests(Bench& bench) {
  (void)bench.begin("one request");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const Raw raw(*adapter);
  const auto* table = static_cast<const assay_request_table*>(raw.core->table(raw.ctx, "request/1"));
  if (table == nullptr) return bench.unsupported("no table request/1");
  if (!ASSAY_HAS(table, assay_request_table, load) || !ASSAY_HAS(table, assay_request_table, submit) ||
      !ASSAY_HAS(table, assay_request_table, drain) || !ASSAY_HAS(table, assay_request_table, unload)) {
    return bench.fail("a mandatory function of request/1 is missing");
  }
  const bool cancellable = ASSAY_HAS(table, assay_request_table, cancel);
  {
    Engine engine(bench, raw, table);
    if (!engine.usable()) return;
    answers(bench, engine, 1, 1);
    if (bench.begin("sixteen at once")) answers(bench, engine, engine.sink.ids() + 1, 16);
    if (bench.begin("cancel")) {
      if (!cancellable) bench.unsupported("no cancel in request/1");
      if (cancellable && !cancels(bench, engine, 100)) return;
    }
    if (bench.begin("drain within its time")) drains_in_time(bench, engine, 101, cancellable);
    if (bench.begin("bad requests")) refuses(bench, engine, cancellable);
    if (bench.begin("unload with requests under way")) ends_at_unload(bench, engine, 102);
  }
  bench.close(std::move(adapter));
}

}  // namespace assay::conformance
