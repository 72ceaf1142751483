// Threads, as far as the ABI promises them, and runs that are not waited for.
#include <thread>

#include "harness/conformance/bench.h"

namespace assay::conformance {
namespace {

constexpr double kLongStepNs = 3e8;

// A bench of its own for a second thread: a pulse has one writer.
struct Aside {
  explicit Aside(const Bench& main) : pulse(&page), bench(main.options(), 0, pulse, [](const std::string&) {}) {}
  SharedPage page{};
  Pulse pulse;
  Bench bench;
};

void told(Bench& bench, const Status& status) { status.ok() ? bench.pass() : bench.fail(status.error().message); }

void handed_over(Bench& bench, Adapter& adapter, const OpCase& c) {
  Aside aside(bench);
  SmallProgram program(aside.bench, c);
  Status done = program.prepare(adapter);
  InAdapter inside(bench.pulse(), "a step in another thread");
  std::thread([&] {
    if (done.ok()) done = program.write(bench.seed());
    if (done.ok()) done = program.run();
  }).join();
  // By a thread that has made nothing of the program, then by the one that prepared it.
  std::thread([&] {
    if (done.ok()) done = program.verify();
  }).join();
  if (done.ok()) done = program.verify();
  std::thread([&] { program.destroy(); }).join();
  told(bench, done);
}

void interleaved(Bench& bench, Adapter& adapter, const OpCase& c) {
  constexpr uint64_t kPrograms = 8;
  std::vector<std::unique_ptr<SmallProgram>> programs;
  Status done = ok_status();
  for (uint64_t i = 0; i < kPrograms && done.ok(); ++i) {
    programs.push_back(std::make_unique<SmallProgram>(bench, c));
    done = programs.back()->prepare(adapter);
    if (done.ok()) done = programs.back()->write(bench.seed() + i);
  }
  for (size_t i = 0; i < programs.size() && done.ok(); ++i) done = programs[programs.size() - 1 - i]->run();
  for (size_t i = 0; i < programs.size() && done.ok(); ++i) done = programs[i]->verify();
  told(bench, done);
}

// The ABI: one thread at a time for each context; nothing is said of two contexts but that each is its own.
void two_contexts(Bench& bench, Adapter& first, const OpCase& c) {
  InAdapter inside(bench.pulse(), "steps of two contexts at once");
  Result<std::unique_ptr<Adapter>> second = Adapter::open(bench.options().library, bench.options().settings);
  if (!second.ok()) return bench.unsupported("a second context is refused: " + second.error().message);
  Aside aside[2]{Aside(bench), Aside(bench)};
  Status done[2]{ok_status(), ok_status()};
  const auto work = [&](size_t i) {
    SmallProgram program(aside[i].bench, c);
    done[i] = run_whole(program, i == 0 ? first : **second, bench.seed() + i);
    for (int step = 0; step < 50 && done[i].ok(); ++step) done[i] = program.run();
    if (done[i].ok()) done[i] = program.verify();
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  second->reset();
  told(bench, done[0].ok() ? done[1] : done[0]);
}

void long_step(Bench& bench, Adapter& adapter) {
  const std::optional<Work> work = find_work(bench, adapter, 2e6);
  if (!work) return;
  const OpCase c = work->make();
  SmallProgram program(bench, c);
  Status ready = program.prepare(adapter);
  if (ready.ok()) ready = program.write(bench.seed());
  const auto repeat = static_cast<uint32_t>(std::clamp(kLongStepNs / std::max(work->step_ns, 1.0), 1.0, 1e5));
  Step step;
  if (ready.ok()) ready = program.run(repeat, &step);
  if (!ready.ok()) return bench.fail(ready.error());
  ready = program.verify();
  if (!ready.ok()) return bench.fail(ready.error().message);
  bench.pass(std::to_string(repeat) + number(" steps in %.0f ms", static_cast<double>(step.host_ns) / 1e6));
}

struct Prepared {
  Prepared(Bench& bench, const Raw& raw, const OpCase& c) {
    const ProgramView view(c.graph, bench.device());
    InAdapter inside(bench.pulse(), "program.prepare");
    if (raw.table->prepare(raw.ctx, view.desc(), &handle) != ASSAY_OK) handle = nullptr;
  }
  assay_program* handle = nullptr;
};

void second_submit(Bench& bench, const Raw& raw, const OpCase& c) {
  const Prepared program(bench, raw, c);
  if (program.handle == nullptr) return bench.fail("prepare: " + raw.last_error());
  const assay_run_args args{sizeof(assay_run_args), 1, c.scalars.data()};
  assay_run *run = nullptr, *other = nullptr;
  assay_run_result result{};
  result.struct_size = sizeof result;
  InAdapter inside(bench.pulse(), "a second program.submit");
  assay_status first = raw.table->submit(program.handle, &args, &run);
  const assay_status second = first == ASSAY_OK ? raw.table->submit(program.handle, &args, &other) : first;
  const std::string text = raw.last_error();
  if (first == ASSAY_OK) first = raw.table->wait(run, &result);
  if (second == ASSAY_OK && first == ASSAY_OK) first = raw.table->wait(other, &result);
  raw.table->destroy(program.handle);
  if (first != ASSAY_OK) return bench.fail(std::string("wait: ") + status_text(first));
  bench.pass(second == ASSAY_OK ? "both runs were waited for" : std::string(status_text(second)) + " (" + text + ")");
}

void early_destroy(Bench& bench, const Raw& raw, const OpCase& c) {
  for (int i = 0; i < 3; ++i) {
    const Prepared program(bench, raw, c);
    if (program.handle == nullptr) return bench.fail("prepare: " + raw.last_error());
    const assay_run_args args{sizeof(assay_run_args), 1, c.scalars.data()};
    assay_run* run = nullptr;
    {
      InAdapter inside(bench.pulse(), "program.submit");
      if (raw.table->submit(program.handle, &args, &run) != ASSAY_OK) return bench.fail("submit: " + raw.last_error());
    }
    InAdapter inside(bench.pulse(), "program.destroy with a run in flight");
    raw.table->destroy(program.handle);
  }
  bench.pass();
}

}  // namespace

void check_threads(Bench& bench) {
  (void)bench.begin("prepared in one thread, run, read and destroyed in others");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const std::optional<OpCase> plain = plain_case(bench, *adapter);
  if (!plain) return bench.unsupported("no op of the kit is supported");
  handed_over(bench, *adapter, *plain);
  if (bench.begin("eight programs, run in another order")) interleaved(bench, *adapter, *plain);
  if (bench.begin("two contexts, two threads, at once")) two_contexts(bench, *adapter, *plain);
  bench.close(std::move(adapter));
}

void check_wait(Bench& bench) {
  (void)bench.begin("a long step");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  long_step(bench, *adapter);
  const Raw raw(*adapter);
  const std::optional<OpCase> plain = plain_case(bench, *adapter);
  if (!plain) return;
  if (bench.begin("a second submit before wait")) second_submit(bench, raw, *plain);
  if (bench.begin("destroy before wait")) early_destroy(bench, raw, *plain);
  if (bench.begin("a good program still runs")) good_program(bench, *adapter, *plain);
  bench.close(std::move(adapter));
}

}  // namespace assay::conformance
