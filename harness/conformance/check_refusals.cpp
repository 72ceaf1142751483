// Bad programs and bad calls: refused by status and text, never taken and never fatal.
#include <algorithm>
#include <array>
#include <cstring>

#include "harness/conformance/bench.h"

namespace assay::conformance {
namespace {

struct BadGraph {
  const char* name;
  void (*spoil)(Graph& g);
};

// Of a program of one op whose first output has rank 2 or more.
constexpr BadGraph kBadGraphs[] = {
    {"op kind 0", [](Graph& g) { g.ops[0].kind = 0; }},
    {"op kind 9999", [](Graph& g) { g.ops[0].kind = 9999; }},
    {"dtype 99", [](Graph& g) { g.tensors[0].dtype = 99; }},
    {"a dimension of 0", [](Graph& g) { g.tensors[0].dims[0] = 0; }},
    {"a dimension of -4", [](Graph& g) { g.tensors[0].dims[0] = -4; }},
    {"output and inputs that do not match", [](Graph& g) { ++g.tensors[g.ops[0].out[0]].dims.back(); }},
    {"a tensor index outside", [](Graph& g) { g.ops[0].in[0] = 1000; }},
    {"an output index outside", [](Graph& g) { g.ops[0].out[0] = 1000; }},
    {"no inputs", [](Graph& g) { g.ops[0].in.clear(); }},
    {"no outputs", [](Graph& g) { g.ops[0].out.clear(); }},
    {"elements beyond 64 bits",
     [](Graph& g) {
       for (const uint32_t t : g.ops[0].in) g.tensors[t].dims = {int64_t{1} << 40, int64_t{1} << 40};
       g.tensors[g.ops[0].out[0]].dims = {int64_t{1} << 40, int64_t{1} << 40};
     }},
    {"a scale tensor outside", [](Graph& g) {
       g.tensors[0].scale = 1000;
       g.tensors[0].scale_block = 1;
     }}};

// Of attention with two heads or more over a cache.
constexpr BadGraph kBadAttention[] = {
    {"heads no multiple of KV heads", [](Graph& g) { g.ops[0].attr[ASSAY_ATTENTION_KV_HEADS] = 5; }},
    {"KV heads 0", [](Graph& g) { g.ops[0].attr[ASSAY_ATTENTION_KV_HEADS] = 0; }},
    {"a batch that does not divide the rows", [](Graph& g) { g.ops[0].attr[ASSAY_ATTENTION_BATCH] = 1000; }},
    {"query columns outside", [](Graph& g) { g.ops[0].attr[ASSAY_ATTENTION_Q_COL] = 1e6; }},
    {"attributes missing", [](Graph& g) { g.ops[0].attr.clear(); }}};

// Refused by prepare with a text, leaving no program; supports agrees.
void must_refuse(Bench& bench, const Raw& raw, const assay_program_desc* desc) {
  std::array<char, 512> why{};
  if (ASSAY_HAS(raw.table, assay_program_table, supports)) {
    InAdapter inside(bench.pulse(), "program.supports");
    (void)raw.table->supports(raw.ctx, desc, why.data(), why.size());
    if (std::memchr(why.data(), '\0', why.size()) == nullptr) return bench.fail("supports: why is not NUL-terminated");
  }
  assay_program* program = nullptr;
  assay_status status = ASSAY_OK;
  {
    InAdapter inside(bench.pulse(), "program.prepare");
    status = raw.table->prepare(raw.ctx, desc, &program);
    if (status == ASSAY_OK && program != nullptr) raw.table->destroy(program);
  }
  if (status == ASSAY_OK) return bench.fail("prepare took it");
  if (raw.last_error().empty()) return bench.fail(std::string(status_text(status)) + " without a text in last_error");
  if (status == ASSAY_INTERNAL) return bench.advise("refused as INTERNAL; INVALID_ARGUMENT or UNSUPPORTED says more");
  bench.pass(raw.told(status));
}

void try_graphs(Bench& bench, const Raw& raw, const OpCase& good, const BadGraph* first, const BadGraph* last) {
  for (; first != last; ++first) {
    if (!bench.begin(first->name)) continue;
    Graph graph = good.graph;
    first->spoil(graph);
    const ProgramView view(graph, bench.device());
    must_refuse(bench, raw, view.desc());
  }
}

struct BadDesc {
  const char* name;
  void (*spoil)(assay_program_desc& d, assay_tensor& first);
};
constexpr BadDesc kBadDescs[] = {
    {"device 9999", [](assay_program_desc& d, assay_tensor&) { d.device = 9999; }},
    {"NULL tensors", [](assay_program_desc& d, assay_tensor&) { d.tensors = nullptr; }},
    {"NULL ops", [](assay_program_desc& d, assay_tensor&) { d.ops = nullptr; }},
    {"rank 0", [](assay_program_desc&, assay_tensor& t) { t.rank = 0; }},
    {"rank 7", [](assay_program_desc&, assay_tensor& t) { t.rank = 7; }},
    {"rank 4294967295", [](assay_program_desc&, assay_tensor& t) { t.rank = UINT32_MAX; }}};

void try_descs(Bench& bench, const Raw& raw, const OpCase& good) {
  for (const BadDesc& bad : kBadDescs) {
    if (!bench.begin(bad.name)) continue;
    const ProgramView view(good.graph, bench.device());
    assay_program_desc desc = *view.desc();
    std::vector<assay_tensor> tensors(desc.tensors, desc.tensors + desc.n_tensors);
    desc.tensors = tensors.data();
    bad.spoil(desc, tensors[0]);
    must_refuse(bench, raw, &desc);
  }
}

// A prepared program by its bare handle.
class RawProgram {
 public:
  RawProgram(Bench& bench, const Raw& raw, const OpCase& c) : bench_(bench), raw_(raw) {
    const ProgramView view(c.graph, bench.device());
    InAdapter inside(bench.pulse(), "program.prepare");
    if (raw.table->prepare(raw.ctx, view.desc(), &handle) != ASSAY_OK) handle = nullptr;
  }
  ~RawProgram() {
    InAdapter inside(bench_.pulse(), "program.destroy");
    if (handle != nullptr) raw_.table->destroy(handle);
  }
  RawProgram(const RawProgram&) = delete;
  RawProgram& operator=(const RawProgram&) = delete;
  assay_program* handle = nullptr;

 private:
  Bench& bench_;
  const Raw& raw_;
};

using Call = std::function<assay_status()>;

void try_call(Bench& bench, const Raw& raw, const std::string& name, const Call& call) {
  if (!bench.begin(name)) return;
  assay_status status = ASSAY_OK;
  {
    InAdapter inside(bench.pulse(), name.c_str());
    status = call();
  }
  if (status == ASSAY_OK) return bench.fail("answered OK");
  if (raw.last_error().empty()) return bench.fail(std::string(status_text(status)) + " without a text in last_error");
  bench.pass(raw.told(status));
}

void core_calls(Bench& bench, const Raw& raw) {
  try_call(bench, raw, "device_count(NULL)", [&] { return raw.core->device_count(raw.ctx, nullptr); });
  try_call(bench, raw, "device_info(NULL)", [&] { return raw.core->device_info(raw.ctx, bench.device(), nullptr); });
  try_call(bench, raw, "device_info of device 9999", [&] {
    assay_device_info info{};
    info.struct_size = sizeof info;
    return raw.core->device_info(raw.ctx, 9999, &info);
  });
  const auto* telemetry = static_cast<const assay_telemetry_table*>(raw.core->table(raw.ctx, "telemetry/1"));
  if (!ASSAY_HAS(telemetry, assay_telemetry_table, read)) return;
  try_call(bench, raw, "telemetry of device 9999", [&] {
    assay_telemetry t{};
    t.struct_size = sizeof t;
    return telemetry->read(raw.ctx, 9999, &t);
  });
}

void program_calls(Bench& bench, const Raw& raw, const OpCase& good, assay_program* p) {
  const auto& api = *raw.table;
  const uint32_t in = good.graph.ops[0].in[0], out = good.graph.ops[0].out[0];
  const uint64_t size = good.graph.bytes(in), out_size = good.graph.bytes(out);
  std::vector<uint8_t> bytes(std::max(size, out_size) + 64);
  const ProgramView view(good.graph, bench.device());
  const assay_run_args args{sizeof(assay_run_args), 1, good.scalars.data()};
  assay_run* run = nullptr;
  assay_program* other = nullptr;
  try_call(bench, raw, "prepare(NULL)", [&] { return api.prepare(raw.ctx, nullptr, &other); });
  try_call(bench, raw, "prepare(.., NULL)", [&] { return api.prepare(raw.ctx, view.desc(), nullptr); });
  try_call(bench, raw, "write(NULL program)", [&] { return api.write(nullptr, in, 0, bytes.data(), 4); });
  try_call(bench, raw, "write(NULL source)", [&] { return api.write(p, in, 0, nullptr, size); });
  try_call(bench, raw, "read(NULL destination)", [&] { return api.read(p, out, 0, nullptr, out_size); });
  try_call(bench, raw, "submit(NULL arguments)", [&] { return api.submit(p, nullptr, &run); });
  try_call(bench, raw, "submit(.., NULL)", [&] { return api.submit(p, &args, nullptr); });
  try_call(bench, raw, "write of tensor 1000", [&] { return api.write(p, 1000, 0, bytes.data(), 4); });
  try_call(bench, raw, "read of tensor 1000", [&] { return api.read(p, 1000, 0, bytes.data(), 4); });
  try_call(bench, raw, "write past the end", [&] { return api.write(p, in, 0, bytes.data(), size + 4); });
  try_call(bench, raw, "read past the end", [&] { return api.read(p, out, out_size, bytes.data(), 4); });
  try_call(bench, raw, "write at offset 2^64 - 4", [&] { return api.write(p, in, UINT64_MAX - 3, bytes.data(), 8); });
}

assay_status run_raw(const Raw& raw, assay_program* p, const int64_t* scalars) {
  const assay_run_args args{sizeof(assay_run_args), 1, scalars};
  assay_run* run = nullptr;
  assay_run_result result{};
  result.struct_size = sizeof result;
  const assay_status status = raw.table->submit(p, &args, &run);
  return status == ASSAY_OK ? raw.table->wait(run, &result) : status;
}

void position_calls(Bench& bench, const Raw& raw, Adapter& adapter) {
  const std::optional<OpCase> c = supported_case(bench, adapter, ASSAY_OP_ATTENTION);
  if (!c) return;
  const RawProgram program(bench, raw, *c);
  if (program.handle == nullptr) return;
  const std::array<int64_t, 1> beyond{1 << 20}, negative{-1};
  try_call(bench, raw, "a position beyond the KV cache", [&] { return run_raw(raw, program.handle, beyond.data()); });
  try_call(bench, raw, "a position of -1", [&] { return run_raw(raw, program.handle, negative.data()); });
  try_call(bench, raw, "NULL scalars", [&] { return run_raw(raw, program.handle, nullptr); });
}

// op_spec.md: INVALID_ARGUMENT at wait, or row 0.
void embedding_index(Bench& bench, Adapter& adapter) {
  std::optional<OpCase> c = supported_case(bench, adapter, ASSAY_OP_EMBEDDING);
  if (!c) return;
  for (const double index : {1e6, -1.0}) {
    if (!bench.begin(number("embedding of row %.0f", index))) continue;
    c->fixed.begin()->second.assign(1, index);
    OpCase zero = *c;
    zero.fixed.begin()->second.assign(1, 0);
    SmallProgram bad(bench, *c), good(bench, zero);
    Status done = bad.prepare(adapter);
    if (done.ok()) done = bad.write(bench.seed());
    if (!done.ok()) {
      bench.fail(done.error().message);
      continue;
    }
    if (const Status ran = bad.run(); !ran.ok()) {
      bench.pass(ran.error().message);
      continue;
    }
    const uint32_t out = c->graph.ops[0].out[0];
    const Status whole = run_whole(good, adapter, bench.seed());
    const Result<std::vector<uint8_t>> found = bad.read(out), expected = good.read(out);
    const bool row_0 = whole.ok() && found.ok() && expected.ok() && *found == *expected;
    row_0 ? bench.pass("reads row 0") : bench.fail("neither refused nor row 0");
  }
}

}  // namespace

void check_refused_programs(Bench& bench) {
  (void)bench.begin("a good program first");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const std::optional<OpCase> good = plain_case(bench, *adapter);
  if (!good) return bench.unsupported("no op of the kit is supported");
  good_program(bench, *adapter, *good);
  const Raw raw(*adapter);
  try_graphs(bench, raw, *good, std::begin(kBadGraphs), std::end(kBadGraphs));
  try_descs(bench, raw, *good);
  if (const std::optional<OpCase> attention = supported_case(bench, *adapter, ASSAY_OP_ATTENTION, 2)) {
    try_graphs(bench, raw, *attention, std::begin(kBadAttention), std::end(kBadAttention));
  }
  if (bench.begin("a good program still runs")) good_program(bench, *adapter, *good);
  bench.close(std::move(adapter));
}

void check_refused_calls(Bench& bench) {
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const Raw raw(*adapter);
  core_calls(bench, raw);
  const std::optional<OpCase> good = plain_case(bench, *adapter);
  if (!good) return;
  {
    const RawProgram program(bench, raw, *good);
    if (program.handle != nullptr) program_calls(bench, raw, *good, program.handle);
  }
  position_calls(bench, raw, *adapter);
  embedding_index(bench, *adapter);
  if (bench.begin("a good program still runs")) good_program(bench, *adapter, *good);
  bench.close(std::move(adapter));
}

}  // namespace assay::conformance
