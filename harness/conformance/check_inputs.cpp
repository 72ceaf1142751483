// Are the outputs those of these inputs, computed as asked?
#include <array>
#include <cmath>
#include <cstring>

#include "harness/conformance/op_cases.h"

namespace assay::conformance {
namespace {

using Bytes = std::vector<uint8_t>;

Result<Bytes> outputs_of(SmallProgram& program) {
  Bytes all;
  for (const uint32_t t : program.graph().ops[0].out) {
    Result<Bytes> one = program.read(t);
    if (!one.ok()) return one.error();
    all.insert(all.end(), one->begin(), one->end());
  }
  return all;
}

// Other inputs, other outputs, right ones; the first inputs again, right again.
void fresh(Bench& bench, Adapter& adapter, const OpCase& c) {
  SmallProgram program(bench, c);
  if (Status s = run_whole(program, adapter, bench.seed()); !s.ok()) return bench.fail(s.error().message);
  const Result<Bytes> first = outputs_of(program);
  Status again = program.write(bench.seed() + 1, true);
  if (again.ok()) again = program.run();
  if (!first.ok() || !again.ok()) return bench.fail((first.ok() ? again.error() : first.error()).message);
  const Result<Bytes> second = outputs_of(program);
  if (!second.ok()) return bench.fail(second.error().message);
  if (*first == *second) return bench.fail("the outputs did not change with the inputs: cached");
  if (Status s = program.verify(); !s.ok()) return bench.fail("with other inputs: " + s.error().message);
  again = program.write(bench.seed(), true);
  if (again.ok()) again = program.run();
  if (again.ok()) again = program.verify();
  again.ok() ? bench.pass() : bench.fail("with the first inputs again: " + again.error().message);
}

void moved(Bench& bench, Adapter& adapter, const OpCase& c) {
  SmallProgram program(bench, c);
  if (Status s = run_whole(program, adapter, bench.seed()); !s.ok()) return bench.fail(s.error().message);
  const Result<Bytes> first = outputs_of(program);
  program.set_scalars({c.scalars[0] - 1});
  const Status again = program.run();
  if (!first.ok() || !again.ok()) return bench.fail((first.ok() ? again.error() : first.error()).message);
  const Result<Bytes> second = outputs_of(program);
  if (!second.ok()) return bench.fail(second.error().message);
  if (*first == *second) return bench.fail("the outputs did not change with the position: cached");
  const Status right = program.verify();
  right.ok() ? bench.pass() : bench.fail("at another position: " + right.error().message);
}

struct Probe {
  const char* dtype;
  int bits;  // of 1 + 2^-k that its limit in op_spec.md demands
};
constexpr Probe kProbes[] = {{"f32", 16}, {"f16", 10}, {"bf16", 7}, {"tf32", 0}};
constexpr int kTf32Bits = 10;
constexpr int64_t kProbeSize = 24;

// The row 1 + 2^-1, 1 + 2^-2 ... passed through a product with the identity, once as x and once as w.
OpCase probe_case(const DtypePlan& plan, bool through_w) {
  Maker m(plan);
  const int64_t n = kProbeSize;
  const uint32_t x = m.input({1, n});
  const uint32_t w = m.weight({n, n});
  m.op(ASSAY_OP_MATMUL, {x, w}, {m.out({1, n})});
  OpCase c = m.take(through_w ? "weights" : "activations");
  Values row(static_cast<size_t>(n)), matrix(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) {
    const double value = 1 + std::ldexp(1.0, -static_cast<int>(i) - 1);
    row[static_cast<size_t>(i)] = through_w ? (i == 0 ? 1 : 0) : value;
    matrix[static_cast<size_t>(through_w ? i * n : i * n + i)] = through_w ? value : 1;
  }
  c.fixed = {{x, row}, {w, matrix}};
  return c;
}

// How many of 1 + 2^-k, k = 1, 2, ... come through unchanged.
int surviving(const std::vector<double>& y) {
  int bits = 0;
  while (bits < static_cast<int>(y.size()) && y[static_cast<size_t>(bits)] == 1 + std::ldexp(1.0, -bits - 1)) ++bits;
  return bits;
}

// info() names a narrower dtype than the one asked for.
bool says_so(const std::string& executed, const std::string& asked) {
  for (const char* name : {"tf32", "bf16", "f16", "fp8", "f8"}) {
    if (asked != name && executed.find(name) != std::string::npos) return true;
  }
  return false;
}

void probe(Bench& bench, Adapter& adapter, const OpCase& c, const Probe& wanted) {
  SmallProgram program(bench, c);
  Status done = program.prepare(adapter);
  if (done.ok()) done = program.write(bench.seed());
  if (done.ok()) done = program.run();
  if (!done.ok()) return bench.fail(done.error());
  const uint32_t out = c.graph.ops[0].out[0];
  const Result<Bytes> raw = program.read(out);
  if (!raw.ok()) return bench.fail(raw.error().message);
  std::vector<double> y(static_cast<size_t>(kProbeSize));
  unpack(c.graph.tensors[out].dtype, raw->data(), 0, y.size(), y.data());
  const int bits = surviving(y);
  const char* executed = program.program().info().executed;
  if (c.dtype == "tf32") {
    const bool told = executed != nullptr && std::string(executed).find("f32") != std::string::npos;
    const std::string found = std::to_string(bits) + " bits survive";
    if (bits <= kTf32Bits || told) return bench.pass(found);
    return bench.fail(found + " where TF32 has " + std::to_string(kTf32Bits) +
                      ": it is computed in f32, and info() does not say so");
  }
  std::string text = std::to_string(bits) + " bits survive, " + std::to_string(wanted.bits) + " needed";
  if (bits >= wanted.bits) return bench.pass(text);
  if (executed != nullptr && says_so(executed, c.dtype)) {
    return bench.advise(text + "; info() says so: " + executed);
  }
  bench.fail(text + ": a silent fallback");
}

// Dtypes that the device claims must be those of some op that the adapter takes. A dtype that no case of the kit has is
// not judged.
void claimed_dtypes(Bench& bench, Adapter& adapter) {
  const Result<DeviceInfo> device = adapter.device(bench.device());
  if (!device.ok()) return bench.fail(device.error());
  uint64_t tried = 0, taken = 0;
  for (uint32_t kind = 1; kind <= ASSAY_OP_INDEX_TOPK; ++kind) {
    for (const OpCase& c : op_cases(kind, true)) {
      uint64_t has = 0;
      for (const Tensor& t : c.graph.tensors) has |= uint64_t{1} << t.dtype;
      tried |= has;
      if ((device->dtypes & has & ~taken) == 0) continue;
      InAdapter inside(bench.pulse(), "program.supports");
      if (adapter.supports(c.graph, bench.device()).ok()) taken |= has;
    }
  }
  std::string left, all;
  for (uint32_t dtype = 0; dtype <= ASSAY_I64; ++dtype) {
    const uint64_t bit = uint64_t{1} << dtype;
    if ((device->dtypes & tried & bit) == 0) continue;
    std::string& list = (taken & bit) == 0 ? left : all;
    list += (list.empty() ? "" : ", ") + std::string(dtype_name(dtype));
  }
  left.empty() ? bench.pass(all) : bench.fail("claims " + left + ", and takes no op with it");
}

}  // namespace

void check_fresh_inputs(Bench& bench) {
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  bool any = false;
  for (const uint32_t kind : {ASSAY_OP_ADD, ASSAY_OP_MATMUL, ASSAY_OP_ATTENTION, ASSAY_OP_RMS_NORM, ASSAY_OP_CONV3D,
                              ASSAY_OP_GROUPED_MATMUL}) {
    const std::optional<OpCase> c = supported_case(bench, *adapter, kind, 1);
    if (!c) continue;
    any = true;
    if (bench.begin(std::string(op_kind_name(kind)) + ": " + c->name)) fresh(bench, *adapter, *c);
  }
  if (const std::optional<OpCase> c = any ? std::nullopt : plain_case(bench, *adapter)) {
    if (bench.begin(c->name)) fresh(bench, *adapter, *c);
  }
  for (const uint32_t kind : {ASSAY_OP_ATTENTION, ASSAY_OP_ROPE}) {
    const std::optional<OpCase> c = supported_case(bench, *adapter, kind, 1);
    if (!c || c->scalars[0] < 1) continue;
    if (bench.begin(std::string(op_kind_name(kind)) + " at another position")) moved(bench, *adapter, *c);
  }
  bench.close(std::move(adapter));
}

void check_dtype(Bench& bench) {
  std::unique_ptr<Adapter> adapter;
  for (const Probe& wanted : kProbes) {
    const Result<DtypePlan> plan = dtype_plan(wanted.dtype);
    for (const bool through_w : {false, true}) {
      const OpCase c = probe_case(*plan, through_w);
      if (!bench.begin(c.name, c.dtype)) continue;
      if (adapter == nullptr) adapter = bench.open();
      if (adapter == nullptr) return;
      probe(bench, *adapter, c, wanted);
    }
  }
  if (bench.begin("dtypes that the device claims")) {
    if (adapter == nullptr) adapter = bench.open();
    if (adapter == nullptr) return;
    claimed_dtypes(bench, *adapter);
  }
  if (adapter != nullptr) bench.close(std::move(adapter));
}

}  // namespace assay::conformance
