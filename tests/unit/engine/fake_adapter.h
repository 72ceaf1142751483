// An adapter inside the test: computes graphs with the double-precision reference, or what a test makes of them.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/loader/adapter.h"
#include "harness/measure/clock.h"
#include "suites/reference/reference.h"
#include "suites/suite.h"

namespace assay {

// A decoder of a few thousand parameters.
inline Case tiny_case(StepKind kind, int64_t batch, int64_t tokens, int64_t context, int64_t layers = 2) {
  Case c;
  c.suite = step_kind_name(kind);
  c.suite_hash = std::string(32, '0');
  c.kind = kind;
  c.dtype = "f32";
  c.batch = batch;
  c.tokens = tokens;
  c.context = context;
  c.model.name = "tiny";
  c.model.family = "llama";
  c.model.source = "made up";
  c.model.layers = layers;
  c.model.hidden = 24;
  c.model.ffn = 40;
  c.model.heads = 4;
  c.model.kv_heads = 2;
  c.model.head_dim = 8;
  c.model.vocab = 50;
  c.model.max_context = 64;
  return c;
}

// What a test makes of an adapter. Empty functions: an honest one.
struct FakeBehaviour {
  std::function<void(const Graph&, std::vector<Values>*)> spoil;                     // of the values after a step
  std::function<void(const Graph&, const assay_run_args&, assay_run_result*)> time;  // instead of computing
  std::function<assay_status(uint64_t call)> submit, wait;                           // nth call, from 1
  std::function<std::string(const Graph&)> unsupported;
  std::function<assay_status(uint32_t tensor)> write, read;
  std::function<Status(const Graph&)> prepare;
  bool computes = true;
  mutable uint64_t flushed = 0;  // calls of flush_caches
  uint64_t flush_ns = 0;         // that each takes
  uint64_t memory_bytes = 0;
};

class FakeProgram : public Program {
 public:
  FakeProgram(const Graph& graph, const FakeBehaviour& behaviour) : graph_(graph), behaviour_(behaviour) {
    for (uint32_t t = 0; t < graph.tensors.size(); ++t) data_.emplace_back(graph.bytes(t));
  }

  Status write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) override {
    if (behaviour_.write && behaviour_.write(tensor) != ASSAY_OK) return last_error("program.write", ASSAY_DEVICE_LOST);
    if (tensor >= data_.size() || offset + bytes > data_[tensor].size()) {
      return Error{ErrorKind::kAdapter, "program.write: outside the tensor"};
    }
    std::memcpy(data_[tensor].data() + offset, src, bytes);
    largest_write_ = std::max(largest_write_, bytes);
    return ok_status();
  }
  Status read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) override {
    if (behaviour_.read && behaviour_.read(tensor) != ASSAY_OK) return last_error("program.read", ASSAY_DEVICE_LOST);
    if (tensor >= data_.size() || offset + bytes > data_[tensor].size()) {
      return Error{ErrorKind::kAdapter, "program.read: outside the tensor"};
    }
    std::memcpy(dst, data_[tensor].data() + offset, bytes);
    return ok_status();
  }
  assay_status submit(const assay_run_args* args, assay_run** run) override {
    args_ = *args;
    scalars_.assign(args->scalars, args->scalars + graph_.scalars.size());
    *run = nullptr;
    return behaviour_.submit ? behaviour_.submit(++submits_) : ASSAY_OK;
  }
  assay_status wait(assay_run* /*run*/, assay_run_result* result) override {
    if (behaviour_.wait) {
      const assay_status status = behaviour_.wait(++waits_);
      if (status != ASSAY_OK) return status;
    }
    if (behaviour_.time) behaviour_.time(graph_, args_, result);
    if (behaviour_.computes) compute();
    return ASSAY_OK;
  }
  assay_status flush_caches() override {
    ++behaviour_.flushed;
    if (behaviour_.flush_ns > 0) wait_until_ns(now_ns() + behaviour_.flush_ns);
    return ASSAY_OK;
  }
  [[nodiscard]] Error last_error(const char* call, assay_status status) const override {
    return {ErrorKind::kAdapter, std::string(call) + ": status " + std::to_string(status)};
  }
  [[nodiscard]] assay_program_info info() const override { return {sizeof(assay_program_info), 3, 1000, "fake", ""}; }

  [[nodiscard]] const std::vector<uint8_t>& data(uint32_t tensor) const { return data_[tensor]; }
  [[nodiscard]] uint64_t largest_write() const { return largest_write_; }

 private:
  void compute() {
    std::vector<Values> values(graph_.tensors.size());
    for (uint32_t t = 0; t < values.size(); ++t) values[t] = dequantise(graph_.tensors[t], data_[t].data(), nullptr);
    Result<std::vector<Values>> done = reference_graph(graph_, values, scalars_);
    if (!done.ok()) return;
    if (behaviour_.spoil) behaviour_.spoil(graph_, &*done);
    for (const Op& op : graph_.ops) {
      for (const uint32_t t : op.out) store(t, (*done)[t]);
    }
  }
  // F32 and I32 are what f32 cases write.
  void store(uint32_t tensor, const Values& values) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (graph_.tensors[tensor].dtype == ASSAY_I32) {
        const auto value = static_cast<int32_t>(values[i]);
        std::memcpy(data_[tensor].data() + i * 4, &value, 4);
      } else {
        const auto value = static_cast<float>(values[i]);
        std::memcpy(data_[tensor].data() + i * 4, &value, 4);
      }
    }
  }

  Graph graph_;
  const FakeBehaviour& behaviour_;
  assay_run_args args_{};
  std::vector<int64_t> scalars_;
  std::vector<std::vector<uint8_t>> data_;
  uint64_t submits_ = 0, waits_ = 0, largest_write_ = 0;
};

class FakeAdapter : public Adapter {
 public:
  [[nodiscard]] const assay_adapter* core() const override {
    static const assay_adapter kCore{sizeof(assay_adapter),
                                     1,
                                     1,
                                     "fake",
                                     "Assay tests",
                                     "1",
                                     "{}",
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr,
                                     nullptr};
    return &kCore;
  }
  [[nodiscard]] assay_ctx* ctx() const override { return nullptr; }
  [[nodiscard]] Result<std::vector<DeviceInfo>> devices() override {
    DeviceInfo device;
    device.product = "fake";
    device.basis = "simulated";
    device.support = "planned";
    device.memory_bytes = device.memory_free_bytes = behaviour.memory_bytes;
    return std::vector<DeviceInfo>{device};
  }
  [[nodiscard]] const assay_program_table* program_table() const override {
    static const assay_program_table kTable{};
    static assay_program_table flushing{};
    flushing.struct_size = sizeof(flushing);
    flushing.flush_caches = [](assay_program*) -> assay_status { return ASSAY_OK; };
    return !has_programs ? nullptr : flushes ? &flushing : &kTable;
  }
  [[nodiscard]] const assay_telemetry_table* telemetry_table() const override { return nullptr; }
  [[nodiscard]] Status supports(const Graph& graph, uint32_t /*device*/) override {
    const std::string why = behaviour.unsupported ? behaviour.unsupported(graph) : "";
    return why.empty() ? ok_status() : Status(Error{ErrorKind::kUnsupported, why});
  }
  [[nodiscard]] Result<std::unique_ptr<Program>> prepare(const Graph& graph, uint32_t /*device*/) override {
    if (behaviour.prepare) {
      const Status status = behaviour.prepare(graph);
      if (!status.ok()) return status.error();
    }
    return std::unique_ptr<Program>(std::make_unique<FakeProgram>(graph, behaviour));
  }

  FakeBehaviour behaviour;
  bool has_programs = true, flushes = false;
};

// Multiplies what the op named so wrote.
inline std::function<void(const Graph&, std::vector<Values>*)> scaled(std::string op_name, double factor) {
  return [op_name = std::move(op_name), factor](const Graph& graph, std::vector<Values>* values) {
    for (const Op& op : graph.ops) {
      if (op.name != op_name) continue;
      for (double& v : (*values)[op.out[0]]) v *= factor;
    }
  };
}

}  // namespace assay
