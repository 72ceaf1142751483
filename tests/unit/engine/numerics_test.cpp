// Wrong numbers are found and named; right ones pass; what could not be checked says so.
#include "harness/run/numerics_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "harness/run/load.h"
#include "harness/run/timed_loop.h"
#include "suites/base/rng.h"
#include "tests/unit/engine/fake_adapter.h"
#include "tests/unit/suites/plain_model.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr uint64_t kSeed = 3;

class NumericsRun : public testing::Test {
 protected:
  NumericsRun() : pulse_(&page_) {}
  Bench bench() { return {adapter_, 0, threads_, pulse_, kSeed}; }
  Result<TraceRun> trace(const Case& c, bool check = true) { return run_trace(bench(), c, check); }

  FakeAdapter adapter_;
  SharedPage page_{};
  Pulse pulse_;
  HostThreads threads_{2};
};

TEST(Numerics, TheWholeModelsCheckMayTakeAsLongAsTheTimingInTheFullForm) {
  RunPolicy policy;
  policy.time_limit_s = 1.5;  // of one launch
  policy.launches = 3;
  EXPECT_DOUBLE_EQ(whole_check_budget_s("full", policy), 4.5);
  EXPECT_DOUBLE_EQ(whole_check_budget_s("quick", policy), 1.5);
  policy.time_limit_s = 20;
  EXPECT_DOUBLE_EQ(whole_check_budget_s("full", policy), 30);
  policy.time_limit_s = 0.1;
  EXPECT_DOUBLE_EQ(whole_check_budget_s("full", policy), 1.5);
}

TEST_F(NumericsRun, EveryOpOfARightAdapterPasses) {
  for (const Case& c : {tiny_case(StepKind::kPrefill, 2, 6, 3), tiny_case(StepKind::kDecode, 3, 1, 9)}) {
    const Result<TraceRun> run = trace(c);
    ASSERT_TRUE(run.ok()) << run.error().message;
    EXPECT_EQ(run->numerics.verdict, "pass") << run->numerics.reason;
    EXPECT_EQ(run->numerics.seed, kSeed);
    EXPECT_EQ(run->numerics.ops.size(), lower(c, {.layers = 1})->ops.size());
    for (const OpNumerics& op : run->numerics.ops) EXPECT_TRUE(op.pass && op.elements > 0) << op.op;
    EXPECT_EQ(run->measured.layers, 1);
    EXPECT_GT(run->measured.step_s, 0);
  }
}

TEST_F(NumericsRun, TheWrongOpIsNamedWithItsError) {
  for (const char* name : {"embedding", "layer0.qkv_proj", "layer0.rope", "layer0.attention", "layer0.gated_act",
                           "layer0.down_proj", "final_norm", "logits_proj"}) {
    adapter_.behaviour.spoil = scaled(name, 1.001);
    const Result<TraceRun> run = trace(tiny_case(StepKind::kPrefill, 2, 6, 3));
    ASSERT_TRUE(run.ok());
    EXPECT_EQ(run->numerics.verdict, "fail") << name;
    EXPECT_THAT(run->numerics.reason, StartsWith(std::string("op ") + name + " ("))
        << "the first wrong op, not a later one";
    EXPECT_THAT(run->numerics.reason, HasSubstr("relative error 0.001"));
    EXPECT_THAT(run->numerics.reason, HasSubstr("limit 0.00001"));
  }
}

TEST_F(NumericsRun, AStateThatIsNotWrittenIsFound) {
  adapter_.behaviour.spoil = scaled("layer0.kv_append", 0);
  const Result<TraceRun> run = trace(tiny_case(StepKind::kDecode, 3, 1, 9));
  ASSERT_TRUE(run.ok());
  EXPECT_THAT(run->numerics.reason, StartsWith("op layer0.kv_append ("));
}

TEST_F(NumericsRun, WhatCannotBeReadBackIsAFailureWithItsReason) {
  adapter_.behaviour.read = [](uint32_t) { return ASSAY_INTERNAL; };
  const Result<TraceRun> run = trace(tiny_case(StepKind::kDecode, 1, 1, 4));
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->numerics.verdict, "fail");
  EXPECT_EQ(run->numerics.reason, "program.read: status 4");
}

TEST_F(NumericsRun, SwitchedOffSaysSo) {
  adapter_.behaviour.spoil = scaled("embedding", 2);
  const Result<TraceRun> run = trace(tiny_case(StepKind::kDecode, 1, 1, 4), false);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->numerics.verdict, "not-run");
  EXPECT_EQ(run->numerics.reason, "switched off");
}

TEST_F(NumericsRun, AFailedStepIsTheAdaptersError) {
  adapter_.behaviour.submit = [](uint64_t) { return ASSAY_DEVICE_LOST; };
  const Result<TraceRun> run = trace(tiny_case(StepKind::kDecode, 1, 1, 4));
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().message, "program.submit: status 4");
}

// Sequences are halved first, then tokens, down to 16.
TEST(TraceCase, ShrinksToTheMemoryGiven) {
  const Case whole = tiny_case(StepKind::kPrefill, 8, 40, 0);
  const auto bytes_of = [&](int64_t batch, int64_t tokens) {
    Case c = whole;
    c.batch = batch;
    c.tokens = tokens;
    return graph_memory(*lower(c, {.layers = 1, .expose_intermediates = true})).total();
  };
  const auto shrunk = [&](uint64_t bytes) {
    const Result<Case> c = trace_case(whole, bytes, Rates{}, 1);
    EXPECT_TRUE(c.ok());
    return std::pair(c->batch, c->tokens);
  };
  EXPECT_EQ(shrunk(bytes_of(8, 40)), std::pair(int64_t{8}, int64_t{40}));
  EXPECT_EQ(shrunk(bytes_of(8, 40) - 1), std::pair(int64_t{4}, int64_t{40}));
  EXPECT_EQ(shrunk(bytes_of(1, 40)), std::pair(int64_t{1}, int64_t{40}));
  EXPECT_EQ(shrunk(bytes_of(1, 40) - 1), std::pair(int64_t{1}, int64_t{20}));
  EXPECT_EQ(shrunk(1), std::pair(int64_t{1}, int64_t{16})) << "no smaller, even if it does not fit";
}

class WholeCheck : public NumericsRun {
 protected:
  WholeCheck() : WholeCheck(tiny_case(StepKind::kPrefill, 2, 6, 0)) {}
  explicit WholeCheck(const Case& c) { use(c); }
  void use(const Case& c) {
    case_ = c;
    graph_ = *lower(case_, {});
    numerics_ = {};
    numerics_.verdict = "pass";
    steps_ = 0;
  }
  // As the engine does it: load, one step, check.
  Status check(double budget_s) {
    program_ = std::make_unique<FakeProgram>(graph_, adapter_.behaviour);
    const std::vector<int64_t> scalars = scalars_of(case_, graph_);
    const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
    Status loaded = load_tensors(graph_, *program_, kSeed, threads_, pulse_);
    if (!loaded.ok()) return loaded;
    Step step;
    if (run_step(*program_, args, pulse_, &step).status != ASSAY_OK) return Error{ErrorKind::kAdapter, "step"};
    return check_whole(bench(), case_, graph_, *program_, budget_s, &numerics_, &steps_);
  }
  // What op `name` of the second layer writes becomes `value`.
  void constant(double value) {
    adapter_.behaviour.spoil = [value](const Graph& graph, std::vector<Values>* values) {
      for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
        if (graph.tensors[t].name == "hidden") std::fill((*values)[t].begin(), (*values)[t].end(), value);
      }
    };
  }

  Case case_;
  Graph graph_;
  std::unique_ptr<FakeProgram> program_;
  Numerics numerics_;
  uint64_t steps_ = 0;
};

TEST_F(WholeCheck, TheWholeModelIsComparedAtFullDepth) {
  ASSERT_TRUE(check(1000).ok());
  EXPECT_EQ(numerics_.verdict, "pass") << numerics_.reason;
  ASSERT_TRUE(numerics_.whole);
  EXPECT_TRUE(numerics_.whole->pass);
  EXPECT_EQ(numerics_.whole->elements, 2u * 24) << "two rows";
  EXPECT_LT(numerics_.whole->error, numerics_.whole->limit);
  EXPECT_EQ(steps_, 0u);
}

// A fault that only the deeper layer has: the check of single ops on one layer can't see it.
TEST_F(WholeCheck, AFaultOfADeeperLayerIsFound) {
  adapter_.behaviour.spoil = scaled("hidden", 1.01);
  ASSERT_TRUE(check(1000).ok());
  EXPECT_EQ(numerics_.verdict, "fail");
  EXPECT_THAT(numerics_.reason, StartsWith("hidden rows of the timed program: relative error 0.01"));
  ASSERT_TRUE(numerics_.whole);
  EXPECT_FALSE(numerics_.whole->pass);
}

TEST_F(WholeCheck, NotANumberIsNamedWithItsPlace) {
  constant(std::numeric_limits<double>::quiet_NaN());
  ASSERT_TRUE(check(1000).ok());
  EXPECT_EQ(numerics_.verdict, "fail");
  EXPECT_THAT(numerics_.reason, HasSubstr("hidden[0,0]: expected "));
}

TEST_F(WholeCheck, WithoutTimeForTheReferenceItSaysSo) {
  ASSERT_TRUE(check(0).ok());
  EXPECT_EQ(numerics_.verdict, "pass");
  EXPECT_FALSE(numerics_.whole);
  EXPECT_THAT(numerics_.reason, StartsWith("whole model not compared with the reference: it would take about "));
  EXPECT_EQ(steps_, 1u) << "one more step, with other inputs";
  // The inputs of the run's seed are there again.
  for (uint32_t t = 0; t < graph_.tensors.size(); ++t) {
    if (graph_.tensors[t].role != ASSAY_ROLE_INPUT) continue;
    std::vector<uint8_t> raw(graph_.bytes(t));
    fill_elements(graph_.tensors[t], t, kSeed, 0, static_cast<uint64_t>(graph_.elements(t)), raw.data());
    EXPECT_EQ(program_->data(t), raw) << graph_.tensors[t].name;
  }
}

TEST_F(WholeCheck, OutputsThatIgnoreTheInputsAreFound) {
  constant(1);
  ASSERT_TRUE(check(0).ok());
  EXPECT_EQ(numerics_.verdict, "fail");
  EXPECT_EQ(numerics_.reason, "hidden rows do not change when other inputs are written");
}

TEST_F(WholeCheck, OutputsThatAreNotFiniteAreFound) {
  constant(std::numeric_limits<double>::infinity());
  ASSERT_TRUE(check(0).ok());
  EXPECT_EQ(numerics_.reason, "hidden rows are not finite");
}

// Video steps: every row of the result depends on all others.
class WholeVideo : public WholeCheck {
 protected:
  static Case dit(TextStream stream) { return plain::small_case(plain::small_shape(stream), StepKind::kDit); }
  static Case long_clip() {  // 9 x 8 x 8 = 576 tokens: 2 x 2 x 576^2 x 24 multiply-adds in attention alone
    Case c = dit(TextStream::kCross);
    c.frames = 33;
    c.height = c.width = 128;
    complete_video_case(&c);
    return c;
  }
};

TEST_F(WholeVideo, AllRowsAreComparedWhereThereIsTime) {
  const VideoShape shape = plain::small_shape(TextStream::kCross);
  for (const Case& c :
       {dit(TextStream::kCross), dit(TextStream::kJoint), dit(TextStream::kDual),
        plain::small_case(shape, StepKind::kTextEncoder), plain::small_case(shape, StepKind::kVaeTile)}) {
    use(c);
    ASSERT_TRUE(check(1000).ok()) << c.id();
    EXPECT_EQ(numerics_.verdict, "pass") << c.id() << ": " << numerics_.reason;
    ASSERT_TRUE(numerics_.whole) << c.id();
    EXPECT_LT(numerics_.whole->error, numerics_.whole->limit) << c.id();
    EXPECT_GT(numerics_.whole->error, 0) << c.id() << ": the program rounds to f32, the reference does not";
  }
  use(dit(TextStream::kCross));
  ASSERT_TRUE(check(1000).ok());
  EXPECT_EQ(numerics_.whole->op, "denoised");
  EXPECT_EQ(numerics_.whole->elements, 3u * 3 * 2 * 6) << "the whole latent";
  EXPECT_EQ(steps_, 1u) << "and one step more, with other inputs";
}

TEST_F(WholeVideo, AWrongResultIsFound) {
  use(dit(TextStream::kCross));
  adapter_.behaviour.spoil = scaled("unpatchify", 1.01);
  ASSERT_TRUE(check(1000).ok());
  EXPECT_EQ(numerics_.verdict, "fail");
  EXPECT_THAT(numerics_.reason, StartsWith("whole step: relative error 0.01"));
}

TEST_F(WholeVideo, ALongStepIsComparedAsASmallerOne) {
  use(long_clip());
  ASSERT_TRUE(check(0.004).ok());
  EXPECT_EQ(numerics_.verdict, "pass") << numerics_.reason;
  ASSERT_TRUE(numerics_.whole);
  EXPECT_LT(numerics_.whole->elements, static_cast<uint64_t>(3 * 9 * 16 * 16));
  EXPECT_THAT(numerics_.reason, StartsWith("whole step compared with the reference as "));
  EXPECT_THAT(numerics_.reason, HasSubstr("dit/small/f32/b1/"));
  EXPECT_THAT(numerics_.reason, HasSubstr(", 1 of 2 layers: at its own size the reference would take about "));
  use(long_clip());
  adapter_.behaviour.spoil = scaled("unpatchify", 1.01);
  ASSERT_TRUE(check(0.004).ok());
  EXPECT_EQ(numerics_.verdict, "fail");
  EXPECT_THAT(numerics_.reason, HasSubstr("relative error 0.01"));
}

TEST_F(WholeVideo, WithoutTimeForTheSmallestItSaysSo) {
  use(dit(TextStream::kJoint));
  ASSERT_TRUE(check(0).ok());
  EXPECT_EQ(numerics_.verdict, "pass");
  EXPECT_FALSE(numerics_.whole);
  EXPECT_THAT(numerics_.reason, StartsWith("whole step not compared with the reference: at its own size"));
}

}  // namespace
}  // namespace assay
