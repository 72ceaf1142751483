#include "harness/conformance/bench.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "suites/base/rng.h"

namespace assay::conformance {
namespace {

using nlohmann::json;

constexpr double kReferenceBudget = 4e6;  // multiply-adds of one op's check

std::string line_of(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::string number(const char* pattern, double value) {
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), pattern, value);
  return text.data();
}

bool Bench::begin(const std::string& name, const std::string& dtype) {
  pulse_.beat();
  open_ = next_++ >= first_;
  if (!open_) return false;
  emit_(line_of({{"begin", name}, {"dtype", dtype}, {"index", next_ - 1}}));
  return true;
}

void Bench::found(Outcome outcome, const std::string& detail) {
  pulse_.beat();
  if (!std::exchange(open_, false)) return;
  emit_(line_of({{"outcome", static_cast<int>(outcome)}, {"detail", detail}}));
}

void Bench::fail(const Error& error) {
  found(error.kind == ErrorKind::kUnsupported ? Outcome::kUnsupported : Outcome::kFail, error.message);
}

std::unique_ptr<Adapter> Bench::open() {
  InAdapter inside(pulse_, "open");
  Result<std::unique_ptr<Adapter>> adapter = Adapter::open(options_.library, options_.settings);
  if (!adapter.ok()) {
    fail(adapter.error().message);
  } else if (programs_ && (*adapter)->program_table() == nullptr) {
    unsupported("no table program/1");
  } else {
    return std::move(adapter).value();
  }
  return nullptr;
}

void Bench::close(std::unique_ptr<Adapter> adapter) {
  InAdapter inside(pulse_, "close");
  adapter.reset();
}

const char* status_text(assay_status status) {
  constexpr std::array kNames = {"OK",          "INVALID_ARGUMENT", "UNSUPPORTED", "OUT_OF_MEMORY",
                                 "DEVICE_LOST", "TIMEOUT",          "CANCELLED",   "INTERNAL"};
  return status >= 0 && static_cast<size_t>(status) < kNames.size() ? kNames[static_cast<size_t>(status)] : "unknown";
}

std::string Raw::last_error() const {
  if (!ASSAY_HAS(core, assay_adapter, last_error)) return "";
  const char* text = core->last_error(ctx);
  return text == nullptr ? "" : text;
}

std::string Raw::told(assay_status status) const {
  return std::string(status_text(status)) + " (" + last_error() + ")";
}

Status run_whole(SmallProgram& program, Adapter& adapter, uint64_t seed) {
  Status done = program.prepare(adapter);
  if (done.ok()) done = program.write(seed);
  if (done.ok()) done = program.run();
  if (done.ok()) done = program.verify();
  return done;
}

void good_program(Bench& bench, Adapter& adapter, const OpCase& c) {
  SmallProgram program(bench, c);
  const Status whole = run_whole(program, adapter, bench.seed());
  whole.ok() ? bench.pass() : bench.fail(whole.error().message);
}

std::optional<OpCase> supported_case(Bench& bench, Adapter& adapter, uint32_t kind, size_t skip) {
  for (OpCase& c : op_cases(kind, true)) {
    InAdapter inside(bench.pulse(), "program.supports");
    if (adapter.supports(c.graph, bench.device()).ok() && skip-- == 0) return std::move(c);
  }
  return std::nullopt;
}

bool host_fills(const Tensor& t) { return t.role != ASSAY_ROLE_OUTPUT && t.role != ASSAY_ROLE_SCRATCH; }

Status SmallProgram::prepare(Adapter& adapter) {
  {
    InAdapter inside(bench_.pulse(), "program.supports");
    if (Status s = adapter.supports(case_.graph, bench_.device()); !s.ok()) return s;
  }
  InAdapter inside(bench_.pulse(), "program.prepare");
  Result<std::unique_ptr<Program>> prepared = adapter.prepare(case_.graph, bench_.device());
  if (!prepared.ok()) return prepared.error();
  program_ = std::move(prepared).value();
  return ok_status();
}

Status SmallProgram::load(uint32_t tensor) {
  const std::vector<uint8_t>& raw = host_[tensor];
  InAdapter inside(bench_.pulse(), "program.write");
  return program_->write(tensor, 0, raw.data(), raw.size());
}

Status SmallProgram::write(uint64_t seed, bool inputs_only) {
  for (uint32_t t = 0; t < case_.graph.tensors.size(); ++t) {
    const Tensor& tensor = case_.graph.tensors[t];
    if (!host_fills(tensor) || (inputs_only && tensor.role != ASSAY_ROLE_INPUT)) continue;
    std::vector<uint8_t>& raw = host_[t];
    raw.resize(case_.graph.bytes(t));
    const auto given = case_.fixed.find(t);
    if (given == case_.fixed.end()) {
      fill_elements(tensor, t, seed, 0, static_cast<uint64_t>(case_.graph.elements(t)), raw.data());
    } else {
      for (size_t i = 0; i < given->second.size(); ++i) {
        Tensor one = tensor;
        one.fill = {Fill::Kind::kConstant, given->second[i], 0, 0};
        fill_elements(one, t, seed, i, 1, raw.data() + i * dtype_bits(tensor.dtype) / 8);
      }
    }
    if (Status s = load(t); !s.ok()) return s;
  }
  return ok_status();
}

Status SmallProgram::run(uint32_t repeat, Step* taken) {
  Step step;
  const assay_run_args args{sizeof(assay_run_args), repeat, scalars_.data()};
  const StepFailure failure = run_step(*program_, args, bench_.pulse(), &step);
  if (failure.status != ASSAY_OK) return program_->last_error(failure.call, failure.status);
  bench_.pulse().beat();
  if (taken != nullptr) *taken = step;
  return ok_status();
}

Status SmallProgram::count(const std::vector<uint64_t>& ops, const std::function<void(const assay_op_counter&)>& emit) {
  InAdapter inside(bench_.pulse(), "trace.count");
  const assay_run_args args{sizeof(assay_run_args), 1, scalars_.data()};
  return program_->count(args, ops, emit);
}

Result<std::vector<uint8_t>> SmallProgram::read(uint32_t tensor) {
  std::vector<uint8_t> raw(case_.graph.bytes(tensor), 0xcd);  // what is not written shows
  InAdapter inside(bench_.pulse(), "program.read");
  if (Status s = program_->read(tensor, 0, raw.data(), raw.size()); !s.ok()) return s.error();
  return raw;
}

Values SmallProgram::values_of(uint32_t tensor, const std::vector<uint8_t>& raw) const {
  const Tensor& t = case_.graph.tensors[tensor];
  Values values(static_cast<size_t>(case_.graph.elements(tensor)));
  unpack(t.dtype, raw.data(), 0, values.size(), values.data());
  return values;
}

Result<std::vector<OpCheck>> SmallProgram::check() {
  const Graph& graph = case_.graph;
  std::vector<bool> written(graph.tensors.size());
  for (const Op& op : graph.ops) {
    for (const uint32_t t : op.out) written[t] = true;
  }
  std::vector<Values> values(graph.tensors.size());
  for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
    if (host_fills(graph.tensors[t]) && !written[t]) {
      values[t] = values_of(t, host_[t]);
      continue;
    }
    Result<std::vector<uint8_t>> raw = read(t);
    if (!raw.ok()) return raw.error();
    values[t] = values_of(t, *raw);
  }
  for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
    const Tensor& tensor = graph.tensors[t];
    if (tensor.scale < 0) continue;
    const Values& scales = values[static_cast<size_t>(tensor.scale)];
    for (size_t i = 0; i < values[t].size(); ++i) values[t][i] *= scales[i / static_cast<size_t>(tensor.scale_block)];
  }
  const Source source = [&](uint32_t t, uint64_t first, uint64_t count, double* out) {
    std::copy_n(values[t].begin() + static_cast<std::ptrdiff_t>(first), count, out);
  };
  std::vector<OpCheck> checks;
  for (const Op& op : graph.ops) {
    checks.push_back(check_op(graph, op, scalars_, source, bench_.seed(), kReferenceBudget));
    bench_.pulse().beat();
  }
  return checks;
}

Status SmallProgram::verify() {
  Result<std::vector<OpCheck>> checks = check();
  if (!checks.ok()) return checks.error();
  for (const OpCheck& c : *checks) {
    if (c.pass) continue;
    return Error{ErrorKind::kAdapter, number("relative error %.3g, ", c.error) + number("limit %.0e", c.limit) +
                                          (c.detail.empty() ? "" : "; " + c.detail)};
  }
  return ok_status();
}

void SmallProgram::destroy() {
  if (program_ == nullptr) return;
  InAdapter inside(bench_.pulse(), "program.destroy");
  program_.reset();
}

}  // namespace assay::conformance
