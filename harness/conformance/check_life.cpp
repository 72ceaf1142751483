// Open and close, prepare and destroy, and the memory they leave behind.
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <optional>

#include "harness/conformance/bench.h"

namespace assay::conformance {
namespace {

constexpr double kHeapBytes = 64;       // growth of a cycle that is a leak, in every stretch
constexpr double kResidentBytes = 1e6;  // of a stretch, likewise

struct Memory {
  double heap = 0, resident = 0;
};

// What is in use on the device by its own sensor. kUnsupported: it has none.
Result<double> device_bytes(Bench& bench, const Adapter& adapter) {
  const Error none{ErrorKind::kUnsupported, "the adapter's telemetry tells no mem_used_bytes"};
  const assay_telemetry_table* table = adapter.telemetry_table();
  if (table == nullptr) return none;
  assay_telemetry t{};
  t.struct_size = sizeof t;
  InAdapter inside(bench.pulse(), "telemetry.read");
  const assay_status status = table->read(adapter.ctx(), bench.device(), &t);
  if (status != ASSAY_OK) return Error{ErrorKind::kAdapter, "telemetry.read: " + Raw(adapter).told(status)};
  if ((t.valid & ASSAY_T_MEM_USED) == 0) return none;
  return t.mem_used_bytes;
}

Memory memory_now() {
  Memory m;
  const auto info = mallinfo2();
  m.heap = static_cast<double>(info.uordblks + info.hblkhd);
  std::array<unsigned long, 2> pages{};
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%lu %lu", &pages[0], &pages[1]) == 2) {
      m.resident = static_cast<double>(pages[1]) * static_cast<double>(sysconf(_SC_PAGESIZE));
    }
    std::fclose(file);
  }
  return m;
}

// Three stretches of cycles behind a first that may warm caches; a leak grows in each of the three.
template <typename Cycle>
void follow(Bench& bench, int cycles, Cycle cycle) {
  Memory at[4];
  uint64_t done = 0;
  for (int stretch = 0; stretch < 4; ++stretch) {
    for (int i = 0; i < cycles; ++i) {
      if (const Status s = cycle(); !s.ok()) return bench.fail(s.error().message);
      bench.pulse().step(++done);
    }
    at[stretch] = memory_now();
  }
  bool heap = true, resident = true;
  for (int i = 1; i < 4; ++i) {
    heap = heap && at[i].heap - at[i - 1].heap > kHeapBytes * cycles;
    resident = resident && at[i].resident - at[i - 1].resident > kResidentBytes;
  }
  const std::string text = std::to_string(4 * cycles) + " cycles; in the last " + std::to_string(3 * cycles) +
                           number(": heap %+.0f bytes a cycle, ", (at[3].heap - at[0].heap) / (3.0 * cycles)) +
                           number("resident %+.0f", (at[3].resident - at[0].resident) / (3.0 * cycles));
  heap || resident ? bench.fail("leaks: " + text) : bench.pass(text);
}

void step_leaks(Bench& bench, Adapter& adapter, const OpCase& plain) {
  const uint32_t out = plain.graph.ops[0].out[0];
  SmallProgram program(bench, plain);
  if (const Status s = run_whole(program, adapter, bench.seed()); !s.ok()) return bench.fail(s.error().message);
  follow(bench, bench.quick() ? 100 : 2000, [&] {
    Status s = program.write(bench.seed(), true);
    if (s.ok()) s = program.run();
    if (s.ok()) {
      if (const Result<std::vector<uint8_t>> raw = program.read(out); !raw.ok()) s = raw.error();
    }
    return s;
  });
}

void program_leaks(Bench& bench, Adapter& adapter, const OpCase& plain) {
  const std::optional<OpCase> wide = plain_case(bench, adapter, 64, 1024);
  follow(bench, bench.quick() ? 25 : 250, [&] {
    SmallProgram program(bench, wide ? *wide : plain);
    Status s = program.prepare(adapter);
    if (s.ok()) s = program.write(bench.seed());
    if (s.ok()) s = program.run();
    return s;
  });
}

// Programs of three large tensors come and go; a leaked one grows the device's memory in each of three stretches.
void device_leaks(Bench& bench, Adapter& adapter) {
  constexpr int64_t kRows = 1024, kCols = 1024;
  constexpr double kTensorBytes = kRows * kCols * sizeof(float);
  const std::optional<OpCase> large = plain_case(bench, adapter, kRows, kCols);
  if (!large) return bench.unsupported("no op of the kit is supported");
  if (const Result<double> first = device_bytes(bench, adapter); !first.ok()) return bench.fail(first.error());
  const int cycles = bench.quick() ? 4 : 16;
  double at[4];
  for (double& level : at) {
    for (int i = 0; i < cycles; ++i) {
      SmallProgram program(bench, *large);
      Status s = program.prepare(adapter);
      if (s.ok()) s = program.run();
      if (!s.ok()) return bench.fail(s.error().message);
    }
    const Result<double> used = device_bytes(bench, adapter);
    if (!used.ok()) return bench.fail("mem_used_bytes was there before: " + used.error().message);
    level = *used;
  }
  bool grows = true;
  for (int i = 1; i < 4; ++i) grows = grows && at[i] - at[i - 1] > 0.5 * kTensorBytes * cycles;
  const std::string text = std::to_string(4 * cycles) + " programs; in the last " + std::to_string(3 * cycles) +
                           number(": device memory %+.0f bytes a program", (at[3] - at[0]) / (3.0 * cycles));
  grows ? bench.fail("leaks: " + text) : bench.pass(text);
}

Status open_and_run(Bench& bench, const std::optional<OpCase>& plain) {
  InAdapter opening(bench.pulse(), "open");
  Result<std::unique_ptr<Adapter>> adapter = Adapter::open(bench.options().library, bench.options().settings);
  if (!adapter.ok()) return adapter.error();
  Status done = ok_status();
  if (plain) {
    SmallProgram program(bench, *plain);
    done = run_whole(program, **adapter, bench.seed());
  }
  InAdapter closing(bench.pulse(), "close");
  adapter->reset();
  return done;
}

}  // namespace

void check_reopen(Bench& bench) {
  std::optional<OpCase> plain;
  const auto once = [&](const char* name, int times) {
    if (!bench.begin(name)) return;
    uint64_t done = 0;
    for (int i = 0; i < times; ++i) {
      if (const Status s = open_and_run(bench, plain); !s.ok()) return bench.fail(s.error().message);
      bench.pulse().step(++done);
    }
    bench.pass(std::to_string(times) + (times == 1 ? " time" : " times"));
  };
  (void)bench.begin("first open");
  if (std::unique_ptr<Adapter> adapter = bench.open()) {
    plain = plain_case(bench, *adapter);
    bench.close(std::move(adapter));
    bench.pass();
  }
  once("second open", 1);
  once("many more", bench.quick() ? 8 : 50);
}

void check_leaks(Bench& bench) {
  (void)bench.begin("steps");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  if (const std::optional<OpCase> plain = plain_case(bench, *adapter)) {
    step_leaks(bench, *adapter, *plain);
    if (bench.begin("prepare and destroy")) program_leaks(bench, *adapter, *plain);
    if (bench.begin("device memory")) device_leaks(bench, *adapter);
  } else {
    bench.unsupported("no op of the kit is supported");
  }
  bench.close(std::move(adapter));
  if (bench.begin("open and close")) {
    follow(bench, bench.quick() ? 4 : 25, [&] { return open_and_run(bench, std::nullopt); });
  }
}

void check_memory(Bench& bench) {
  (void)bench.begin("128 TiB");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const OpCase absurd = add_case(int64_t{1} << 22, int64_t{1} << 23);
  const Raw raw(*adapter);
  const ProgramView view(absurd.graph, bench.device());
  {
    InAdapter inside(bench.pulse(), "program.prepare");
    assay_program* program = nullptr;
    const assay_status status = raw.table->prepare(raw.ctx, view.desc(), &program);
    if (status == ASSAY_OK) {
      bench.fail("prepare took it");
      if (program != nullptr) raw.table->destroy(program);
    } else if (status == ASSAY_OUT_OF_MEMORY && !raw.last_error().empty()) {
      bench.pass(raw.told(status));
    } else if (status == ASSAY_UNSUPPORTED) {
      bench.unsupported(raw.told(status));
    } else {
      bench.fail(raw.told(status) + ", expected OUT_OF_MEMORY with a text");
    }
  }
  const std::optional<OpCase> plain = plain_case(bench, *adapter);
  if (plain && bench.begin("a good program still runs")) good_program(bench, *adapter, *plain);
  bench.close(std::move(adapter));
}

}  // namespace assay::conformance
