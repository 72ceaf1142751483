// An engine that answers requests from a thread of its own, a token every 2 ms, and cheats by the adapter's option
// "crooked". "requests" and "requests_alone", which has no programs, are honest; a mode that is not listed has no
// engine.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "adapters/abi/assay_adapter.h"

namespace crooked {

inline std::string engine_mode;

class Engine {
 public:
  explicit Engine(const assay_sink& sink) : sink_(sink), thread_([this] { serve(); }) {}
  ~Engine() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
    for (Request& r : waiting_) r.cancelled = true;
    for (auto r = waiting_.begin(); engine_mode != "forgets_at_unload" && r != waiting_.end();) r = end(r);
    if (engine_mode != "calls_behind_unload") return;
    std::thread([sink = sink_] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      sink.on_output(sink.ctx, 102, 1);
    }).detach();
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void submit(const assay_request& r) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({r.id, r.n_prompt, r.max_new_tokens, 0, false});
    changed_.notify_all();
  }
  bool drain(uint64_t timeout_ns) {
    std::unique_lock lock(mutex_);
    const auto idle = [this] { return waiting_.empty(); };
    if (engine_mode == "drains_for_ever") changed_.wait(lock, idle);
    return changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), idle);
  }
  bool cancel(uint64_t id) {
    const std::lock_guard lock(mutex_);
    for (Request& r : waiting_) {
      if (r.id != id) continue;
      r.cancelled = engine_mode != "ignores_cancel";
      return true;
    }
    return false;
  }

 private:
  struct Request {
    uint64_t id;
    uint32_t prompt, wanted, made;
    bool cancelled;
    bool ended = false;  // and goes on all the same
  };

  void serve() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      if (waiting_.empty()) {
        changed_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
        continue;
      }
      for (auto r = waiting_.begin(); r != waiting_.end();) {
        if (!r->cancelled && r->made < r->wanted) {
          ++r->made;
          sink_.on_output(sink_.ctx, r->id, 1);
        }
        r = r->cancelled || r->made == r->wanted ? end(r) : std::next(r);
      }
      changed_.notify_all();
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      lock.lock();
    }
  }
  std::list<Request>::iterator end(std::list<Request>::iterator r) {
    const uint64_t counted = engine_mode == "miscounts" ? r->made + 1 : r->made;
    const assay_usage usage{sizeof usage, 0, r->prompt, 0, counted};
    const int times = engine_mode == "answers_twice" ? 2 : r->ended && engine_mode != "ends_again" ? 0 : 1;
    for (int i = 0; i < times; ++i) sink_.on_done(sink_.ctx, r->id, r->cancelled ? ASSAY_CANCELLED : ASSAY_OK, &usage);
    const bool goes_on = engine_mode == "speaks_after_cancel" || engine_mode == "ends_again";
    if (!goes_on || r->ended || !std::exchange(r->cancelled, false)) return waiting_.erase(r);
    r->ended = true;
    r->wanted = r->made + 5;
    return std::next(r);
  }

  const assay_sink sink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Request> waiting_;
  bool stop_ = false;
  std::thread thread_;
};

inline Engine& of(assay_engine* engine) { return *reinterpret_cast<Engine*>(engine); }

// nullptr where the mode has no engine.
inline const assay_request_table* request_table() {
  static const char* const kModes[] = {
      "requests",        "requests_alone",      "ignores_cancel", "answers_twice",       "miscounts",
      "drains_for_ever", "speaks_after_cancel", "ends_again",     "calls_behind_unload", "forgets_at_unload"};
  static const assay_request_table kTable{
      sizeof(assay_request_table),
      0,
      [](assay_ctx*, const assay_engine_desc*, const assay_sink* sink, assay_engine** out) -> assay_status {
        *out = reinterpret_cast<assay_engine*>(new Engine(*sink));
        return ASSAY_OK;
      },
      [](assay_engine* engine, const assay_request* request) -> assay_status {
        if (request == nullptr) return ASSAY_INVALID_ARGUMENT;
        of(engine).submit(*request);
        return ASSAY_OK;
      },
      [](assay_engine* engine, uint64_t ns) -> assay_status { return of(engine).drain(ns) ? ASSAY_OK : ASSAY_TIMEOUT; },
      [](assay_engine* engine) { delete &of(engine); },
      [](assay_engine* engine, uint64_t id) -> assay_status {
        return of(engine).cancel(id) ? ASSAY_OK : ASSAY_INVALID_ARGUMENT;
      }};
  const bool has = std::find(std::begin(kModes), std::end(kModes), engine_mode) != std::end(kModes);
  return has ? &kTable : nullptr;
}

}  // namespace crooked
