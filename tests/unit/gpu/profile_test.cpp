// A profiling pass: every op is seen, in order, and its times add up to the step's.
#include "harness/run/profile_run.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "adapters/gpu/activity.h"
#include "tests/unit/gpu/on_standin.h"
#include "tests/unit/gpu/small_models.h"

namespace assay::gpu_test {
namespace {

Case product_case() {
  Case c;
  c.suite = "ceilings";
  c.kind = StepKind::kGemm;
  c.m = c.n = c.k = 64;
  return c;
}

Result<ProfileRun> run_of(Adapter& adapter, const Case& c, const std::string& counted_ops) {
  SharedPage page{};
  Pulse pulse(&page);
  const HostThreads threads{1};
  const Result<std::vector<DeviceInfo>> devices = adapter.devices();
  if (!devices.ok()) return devices.error();
  return profile_run({adapter, 0, threads, pulse, 1}, c, devices->front(), nullptr, counted_ops);
}

void profiled(Adapter& adapter, const Case& c, ProfileRun* out, const std::string& counted_ops = "") {
  Result<ProfileRun> run = run_of(adapter, c, counted_ops);
  ASSERT_TRUE(run.ok()) << run.error().message;
  *out = std::move(run).value();
}

void adds_up(const ProfileRun& run) {
  ASSERT_EQ(run.op_seconds.size(), run.graph.ops.size());
  ASSERT_FALSE(run.last.empty());
  uint64_t from = 0;
  for (const ProfiledSpan& span : run.last) {
    EXPECT_GE(span.begin_ns, from);
    EXPECT_GE(span.end_ns, span.begin_ns);
    EXPECT_FALSE(span.name.empty());
    from = span.end_ns;
  }
  double sum = 0;
  for (size_t i = 0; i < run.graph.ops.size(); ++i) {
    EXPECT_GE(run.op_calls[i], 1U) << run.graph.ops[i].name;
    EXPECT_LE(run.op_calls[i], 4U) << run.graph.ops[i].name << ": calls of one step, not of all";
    sum += run.op_seconds[i];
  }
  EXPECT_NEAR(sum, run.busy_s, run.busy_s * 1e-9);
  EXPECT_GE(run.steps, 5U);
  EXPECT_EQ(run.dropped, 0U);
  // The host was looked at while both passes ran, before and after.
  for (const char* looked : {"window_s", "gap_share_before", "gap_share_after"})
    EXPECT_EQ(run.noise.values.count(looked), 1U) << looked;
  EXPECT_EQ(run.noise_reason, "");
}

void profiled_on_standin(const Case& c, const Adapter::Options& options, ProfileRun* run) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", options);
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  profiled(**adapter, c, run);
  adds_up(*run);
}

// Counters alone, without the passes that take times.
void counted_on_standin(const Case& c, const std::string& ops, ProfileRun* run, const char* vendor = "cuda") {
  *run = {};
  Result<std::unique_ptr<Adapter>> adapter = open(vendor);
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  run->graph = lower(c, {}).value();
  run->scalars = scalars_of(c, run->graph);
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(run->graph, 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  count_ops(**program, ops, run);
}

// By CUPTI kernels have their own names, also those of a graph; by events they have the adapter's.
TEST(Profile, OnAStandin) {
  ProfileRun run;
  profiled_on_standin(product_case(), {}, &run);
  ASSERT_EQ(run.last.size(), 1U);
  EXPECT_EQ(run.last.front().name, "standin_product");
  profiled_on_standin(product_case(), {{"profiler", "events"}}, &run);
  EXPECT_EQ(run.last.front().name, "product");
  const Setting busy("profiler_busy", 1);
  profiled_on_standin(product_case(), {}, &run);
  EXPECT_EQ(run.last.front().name, "product") << "the profiler refused: by events";
}

// The nodes of a graph find their ops: each op's kernels are the same by both ways.
TEST(Profile, GraphNodesFindTheirOps) {
  Case step = product_case();
  step.dtype = "int8_w8a8";
  ProfileRun by_records, by_events;
  profiled_on_standin(step, {}, &by_records);
  profiled_on_standin(step, {{"profiler", "events"}}, &by_events);
  EXPECT_EQ(by_records.op_calls, by_events.op_calls);
  ASSERT_EQ(by_records.last.size(), 2U);
  EXPECT_EQ(by_records.last[1].name, "scale_sums");
}

gpu::ActivityRecord kernel(uint64_t begin, uint64_t call, uint64_t launch, const char* name) {
  return {begin, begin + 5, call, launch, name};
}

// Op 0 runs two kernels and op 1 one, first call by call, then as four launches of a graph: one lost a node, one ran
// another kernel.
TEST(Spans, LaunchesThatAreNotWholeAreCounted) {
  const std::vector<gpu::ActivityRecord> records{
      kernel(0, 1, 0, "a"),    kernel(10, 1, 0, "b"),   kernel(20, 2, 0, "c"),   // the calls
      kernel(30, 0, 7, "a"),   kernel(40, 0, 7, "b"),   kernel(50, 0, 7, "c"),   // whole
      kernel(60, 0, 8, "a"),   kernel(70, 0, 8, "c"),                            // a node is lost
      kernel(80, 0, 9, "a"),   kernel(90, 0, 9, "x"),   kernel(100, 0, 9, "c"),  // another kernel
      kernel(110, 0, 0, "?"),                                                    // of nobody
      kernel(120, 0, 10, "a"), kernel(130, 0, 10, "b"), kernel(140, 0, 10, "c")};
  uint64_t left_out = 0;
  const std::vector<gpu::OpSpan> spans = gpu::spans_of(records, &left_out);
  EXPECT_EQ(left_out, 2U);
  ASSERT_EQ(spans.size(), 9U);
  const uint64_t begins[] = {0, 10, 20, 30, 40, 50, 120, 130, 140};
  for (size_t i = 0; i < spans.size(); ++i) {
    EXPECT_EQ(spans[i].begin_ns, begins[i]);
    EXPECT_EQ(spans[i].op, i % 3 == 2 ? 1U : 0U);
  }
}

// Of what was lost the others' times can't make up: the profile says so and gives none.
TEST(Profile, LostRecordsAreNoProfile) {
  Case step = product_case();
  step.dtype = "int8_w8a8";
  for (const char* lose : {"lose_nodes", "profiler_drops"}) {
    const Setting setting(lose, 1);
    Result<std::unique_ptr<Adapter>> adapter = open("cuda");
    ASSERT_TRUE(adapter.ok()) << adapter.error().message;
    const Result<ProfileRun> run = run_of(**adapter, step, "");
    ASSERT_FALSE(run.ok()) << lose;
    EXPECT_THAT(run.error().message, testing::HasSubstr("records or launches were lost"));
  }
}

// The device idles 10 ms before each kernel: of a step's kernels all but the first have such a gap before them.
TEST(Profile, GapsBetweenKernels) {
  const Setting idle("idle_ns", 10'000'000);
  Case step = product_case();
  step.dtype = "int8_w8a8";
  ProfileRun run;
  profiled_on_standin(step, {}, &run);
  double gaps = 0;
  for (const double gap : run.op_gap_seconds) gaps += gap;
  const double expected = 0.010 * static_cast<double>(run.last.size() - 1);
  EXPECT_GE(gaps, expected);
  EXPECT_LT(gaps, expected + 0.005) << "what runs is no gap";
  EXPECT_LT(run.busy_s, 0.010) << "a gap is not busy";
}

// Two ops a step. What is copied out after a step's ops and before the next one's start is the first step's.
TEST(Profile, ACopyIsOfTheStepInWhichItBegan) {
  const auto span = [](uint32_t op, uint64_t begin) {
    ProfiledSpan s;
    s.op = op;
    s.begin_ns = begin;
    s.end_ns = begin + 1;
    return s;
  };
  const std::vector<ProfiledSpan> spans{span(kNoOp, 101), span(0, 110), span(1, 120),    span(kNoOp, 130),
                                        span(kNoOp, 201), span(0, 210), span(1, 220),    span(kNoOp, 230),
                                        span(0, 310),     span(1, 320), span(kNoOp, 330)};
  std::vector<size_t> sizes;
  for (const auto& step : steps_of(spans, 2, {100, 200, 300})) sizes.push_back(step.size());
  EXPECT_EQ(sizes, (std::vector<size_t>{4, 4, 3}));
}

// A program's position goes to the device when it changes: a copy of 8 bytes that is of no op, before the step's ops.
TEST(Profile, CopiesOfNoOp) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda");
  ASSERT_TRUE(adapter.ok());
  const Graph graph = lower(case_of(llama(), "f32", StepKind::kDecode, 1, 1, 32), {}).value();
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(graph, 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  const assay_trace_table& table = *(*adapter)->trace_table();
  ASSERT_EQ(table.start((*adapter)->ctx(), 0), ASSAY_OK);
  for (const int64_t position : {7, 7, 8}) {
    const assay_run_args args{sizeof(assay_run_args), 1, &position};
    assay_run* run = nullptr;
    assay_run_result result{};
    result.struct_size = sizeof(result);
    ASSERT_EQ((*program)->submit(&args, &run), ASSAY_OK);
    ASSERT_EQ((*program)->wait(run, &result), ASSAY_OK);
  }
  uint64_t dropped = 0;
  ASSERT_EQ(table.stop((*adapter)->ctx(), 0, &dropped), ASSAY_OK);
  std::vector<assay_activity> told;
  const auto keep = [](void* to, const assay_activity* a) {
    EXPECT_STREQ(a->name, a->kind == ASSAY_ACTIVITY_COPY ? "copy to device" : a->name);
    static_cast<std::vector<assay_activity>*>(to)->push_back(*a);
  };
  ASSERT_EQ(table.drain((*adapter)->ctx(), keep, &told), ASSAY_OK);
  std::vector<size_t> copies;
  for (size_t i = 0; i < told.size(); ++i) {
    EXPECT_EQ(told[i].kind == ASSAY_ACTIVITY_COPY, told[i].correlation == ASSAY_NO_OP);
    if (told[i].correlation != ASSAY_NO_OP) continue;
    EXPECT_EQ(told[i].bytes, sizeof(int64_t));
    copies.push_back(i);
  }
  ASSERT_EQ(copies.size(), 2U) << "two of the three steps have a new position";
  EXPECT_EQ(copies[0], 0U);
  EXPECT_EQ((told.size() - 2) % 3, 0U) << "activities of ops in three equal steps";
  EXPECT_EQ(copies[1], 1 + (told.size() - 2) / 3 * 2);
}

// What the stand-in counts is known: its device moves 1000 bytes in and 10 out for each kernel, and an int8 product by
// codes is two kernels. Three passes, each of which must do the same.
TEST(Profile, CountersOfTheDevice) {
  const Setting in("kernel_read_bytes", 1000), out("kernel_write_bytes", 10), tensor("tensor_percent", 37),
      warps("warps_percent", 62), passes("more_passes", 2);
  Case step = product_case();
  step.dtype = "int8_w8a8";
  ProfileRun run;
  Result<std::unique_ptr<Adapter>> adapter = open("cuda");
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  profiled(**adapter, step, &run, "all");
  ASSERT_EQ(run.device_counters.size(), 4U) << run.device_counters_reason;
  const double kernels = run.op_calls[0];
  EXPECT_GE(kernels, 1);
  const std::vector<double> expected{1000 * kernels, 10 * kernels, 37, 62};
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(run.device_counters[i].by_op.count(0), 1U) << run.device_counters[i].name;
    EXPECT_DOUBLE_EQ(run.device_counters[i].by_op.at(0), expected[i]) << run.device_counters[i].name;
  }
  EXPECT_EQ(run.device_counters[0].name, "dram__bytes_read.sum");
  EXPECT_EQ(run.device_counters[0].unit, "byte");
  const Result<ProfileRun> back = profile_from_json(profile_to_json(run), step);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->device_counters[2].by_op, run.device_counters[2].by_op);
}

// One op stands for its equals in the other layer, and only what was asked for is counted.
TEST(Profile, CountersOfChosenOps) {
  const Setting in("kernel_read_bytes", 1);
  const Case step = case_of(llama(), "f32", StepKind::kDecode, 1, 1, 32);
  ProfileRun run;
  counted_on_standin(step, "down_proj,logits_proj", &run);
  ASSERT_EQ(run.device_counters.size(), 4U) << run.device_counters_reason;
  std::vector<std::string> names;
  for (const auto& [op, value] : run.device_counters[0].by_op) {
    names.push_back(run.graph.ops[op].name);
    EXPECT_EQ(value, 1) << "a product of one row is one kernel";
  }
  EXPECT_EQ(names, (std::vector<std::string>{"layer0.down_proj", "logits_proj"}));
  for (const std::string wanted : {"down_proj,up", "", "down_proj,"}) {
    const Result<std::vector<uint64_t>> unknown = ops_to_count(run.graph, run.scalars, wanted);
    ASSERT_FALSE(unknown.ok()) << wanted;
    EXPECT_EQ(unknown.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(unknown.error().message.find(wanted == "down_proj,up" ? "found 'up'" : "found ''"), std::string::npos)
        << unknown.error().message;
  }
}

TEST(Profile, CountersThatAreRefusedAreAbsentWithTheReason) {
  ProfileRun run;
  {
    const Setting refused("counters_refused", 1);
    counted_on_standin(product_case(), "all", &run);
    EXPECT_TRUE(run.device_counters.empty());
    EXPECT_NE(run.device_counters_reason.find("insufficient privileges (35): the driver gives them to its"),
              std::string::npos)
        << run.device_counters_reason;
  }
  const Setting other_chip("no_dram_counters", 1);
  counted_on_standin(product_case(), "all", &run);
  EXPECT_EQ(run.device_counters.size(), 2U) << "those that the chip has";
  counted_on_standin(product_case(), "all", &run, "hip");
  EXPECT_NE(run.device_counters_reason.find("no hardware counters"), std::string::npos);
}

TEST(Profile, OnTheCpu) {
  const std::string library = std::string(ASSAY_BINARY_DIR) + "/lib/assay/adapters/libassay_cpu.so";
  if (!std::filesystem::exists(library)) GTEST_SKIP() << "no CPU adapter here";
  Result<std::unique_ptr<Adapter>> adapter = Adapter::open(library, {{"threads", "1"}});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  ProfileRun run;
  profiled(**adapter, product_case(), &run);
  adds_up(run);
}

// The kernel's CPU time per op counts wherever processes may count at all; hardware events need a PMU.
TEST(Profile, CountersByOpOnTheCpu) {
  const std::string library = std::string(ASSAY_BINARY_DIR) + "/lib/assay/adapters/libassay_cpu.so";
  if (!std::filesystem::exists(library)) GTEST_SKIP() << "no CPU adapter here";
  const std::unique_ptr<Counters> counters = open_counters();
  Result<std::unique_ptr<Adapter>> adapter = Adapter::open(library, {{"threads", "2"}});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  SharedPage page{};
  Pulse pulse(&page);
  const HostThreads threads{1};
  const Result<std::vector<DeviceInfo>> devices = (*adapter)->devices();
  ASSERT_TRUE(devices.ok());
  Result<ProfileRun> run =
      profile_run({**adapter, 0, threads, pulse, 1}, product_case(), devices->front(), counters.get());
  ASSERT_TRUE(run.ok()) << run.error().message;
  ASSERT_FALSE(run->counters.empty()) << run->counters_reason;
  size_t counted = 0;
  for (const OpCounter& c : run->counters) {
    EXPECT_EQ(c.by_op.size(), c.reason.empty() ? run->graph.ops.size() : 0U) << c.name;
    if (c.name != "perf::TASK-CLOCK" || !c.reason.empty()) continue;
    ++counted;
    EXPECT_GT(c.by_op[0], 0) << "nanoseconds of CPU that the product took";
  }
  if (counted == 0) GTEST_SKIP() << "this process may not count";
  const Result<ProfileRun> back = profile_from_json(profile_to_json(*run), product_case());
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->op_seconds, run->op_seconds);
  EXPECT_EQ(back->counters.front().by_op, run->counters.front().by_op);
  EXPECT_EQ(back->last.size(), run->last.size());
  EXPECT_FALSE(profile_from_json("{}", product_case()).ok());
}

TEST(Profile, AStandinsOpsHaveNoCountersOfTheHost) {
  const std::unique_ptr<Counters> counters = open_counters();
  Result<std::unique_ptr<Adapter>> adapter = open("cuda");
  ASSERT_TRUE(adapter.ok());
  SharedPage page{};
  Pulse pulse(&page);
  const HostThreads threads{1};
  const Result<std::vector<DeviceInfo>> devices = (*adapter)->devices();
  Result<ProfileRun> run =
      profile_run({**adapter, 0, threads, pulse, 1}, product_case(), devices->front(), counters.get());
  ASSERT_TRUE(run.ok()) << run.error().message;
  EXPECT_TRUE(run->counters.empty());
  EXPECT_NE(run->counters_reason.find("do not run on this host"), std::string::npos);
}

TEST(Profile, TelemetryOfTheStandin) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda");
  ASSERT_TRUE(adapter.ok());
  const assay_telemetry_table* table = (*adapter)->telemetry_table();
  ASSERT_NE(table, nullptr);
  assay_telemetry first{}, second{};
  first.struct_size = second.struct_size = sizeof(first);
  ASSERT_EQ(table->read((*adapter)->ctx(), 0, &first), ASSAY_OK);
  ASSERT_EQ(table->read((*adapter)->ctx(), 0, &second), ASSAY_OK);
  EXPECT_EQ(first.valid, 0xffU);
  EXPECT_DOUBLE_EQ(first.power_w, 250);
  EXPECT_DOUBLE_EQ(first.temp_c, 40);
  EXPECT_DOUBLE_EQ(first.core_mhz, 1980);
  EXPECT_DOUBLE_EQ(first.mem_mhz, 2619);
  EXPECT_DOUBLE_EQ(first.util, 0.97);
  EXPECT_EQ(first.window_ns, 0U) << "the instant reading, not the mean of a second";
  EXPECT_EQ(first.throttle, 0U) << "idle is no throttling";
  EXPECT_GE(second.energy_j, first.energy_j);
}

}  // namespace
}  // namespace assay::gpu_test
