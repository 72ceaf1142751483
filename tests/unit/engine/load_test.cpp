// What is written before a run: every element of every tensor that the host fills, and nothing else.
#include "harness/run/load.h"

#include <gtest/gtest.h>

#include <thread>

#include "harness/measure/affinity.h"
#include "harness/run/tensor_source.h"
#include "suites/base/rng.h"
#include "tests/unit/engine/fake_adapter.h"

namespace assay {
namespace {

constexpr uint64_t kSeed = 11;

class Load : public testing::Test {
 protected:
  explicit Load(Graph graph = *lower(tiny_case(StepKind::kPrefill, 2, 6, 3), LowerOptions{}))
      : graph_(std::move(graph)), pulse_(&page_) {}

  std::vector<uint8_t> expected(uint32_t t) const {
    std::vector<uint8_t> raw(graph_.bytes(t));
    if (graph_.tensors[t].fill.kind != Fill::Kind::kNone) {
      fill_elements(graph_.tensors[t], t, kSeed, 0, static_cast<uint64_t>(graph_.elements(t)), raw.data());
    }
    return raw;
  }
  bool filled(uint32_t t) const { return graph_.tensors[t].fill.kind != Fill::Kind::kNone; }

  FakeBehaviour behaviour_;
  Graph graph_;
  FakeProgram program_{graph_, behaviour_};
  SharedPage page_{};
  Pulse pulse_;
  HostThreads threads_{3};
};

TEST_F(Load, WritesEveryElementThatTheHostFills) {
  ASSERT_TRUE(load_tensors(graph_, program_, kSeed, threads_, pulse_).ok());
  size_t some = 0;
  for (uint32_t t = 0; t < graph_.tensors.size(); ++t) {
    EXPECT_EQ(program_.data(t), expected(t)) << graph_.tensors[t].name;
    some += filled(t) ? 1 : 0;
  }
  EXPECT_GT(some, 10u);
  EXPECT_EQ(page_.phase_share.load(), 1000u);
  EXPECT_EQ(page_.in_adapter.load(), kNotInAdapter);
}

TEST_F(Load, InputsAloneLeaveTheRestAlone) {
  ASSERT_TRUE(load_inputs(graph_, program_, kSeed, threads_, pulse_).ok());
  for (uint32_t t = 0; t < graph_.tensors.size(); ++t) {
    const bool input = graph_.tensors[t].role == ASSAY_ROLE_INPUT;
    EXPECT_EQ(program_.data(t), input ? expected(t) : std::vector<uint8_t>(graph_.bytes(t))) << graph_.tensors[t].name;
  }
}

TEST_F(Load, AnotherSeedGivesOtherValues) {
  ASSERT_TRUE(load_tensors(graph_, program_, kSeed + 1, threads_, pulse_).ok());
  for (uint32_t t = 0; t < graph_.tensors.size(); ++t) {
    if (graph_.tensors[t].role == ASSAY_ROLE_WEIGHT) {
      EXPECT_NE(program_.data(t), expected(t)) << graph_.tensors[t].name;
    }
  }
}

TEST_F(Load, AFailedWriteEndsIt) {
  behaviour_.write = [&](uint32_t t) {
    return graph_.tensors[t].role == ASSAY_ROLE_STATE ? ASSAY_DEVICE_LOST : ASSAY_OK;
  };
  const Status status = load_tensors(graph_, program_, kSeed, threads_, pulse_);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "program.write: status 4");
}

TEST_F(Load, AStopRequestEndsIt) {
  page_.stop.store(1);
  const Status status = load_tensors(graph_, program_, kSeed, threads_, pulse_);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kTimeout);
}

// 20 MiB: more than two chunks, the last one shorter.
class LoadLarge : public Load {
 protected:
  static Graph reading() {
    Case c;
    c.kind = StepKind::kRead;
    c.buffer_bytes = 20 << 20;
    return *lower(c, LowerOptions{});
  }
  LoadLarge() : Load(reading()) {}
};

TEST_F(LoadLarge, InChunksOfAtMost8MiB) {
  ASSERT_TRUE(load_tensors(graph_, program_, kSeed, threads_, pulse_).ok());
  EXPECT_EQ(program_.largest_write(), uint64_t{8} << 20);
  EXPECT_TRUE(program_.data(0) == expected(0));
}

TEST_F(LoadLarge, RepeatedIsOneBlockOverAndOver) {
  ASSERT_TRUE(load_repeated(graph_, program_, kSeed, pulse_).ok());
  const std::vector<uint8_t> once = expected(0);
  const size_t block = size_t{8} << 20;
  for (size_t i = 0; i < once.size(); i += 4096 - 4) ASSERT_EQ(program_.data(0)[i], once[i % block]) << i;
}

// Weights of two elements a byte, in more than one chunk: 5000 x 4096 elements are 10 MB.
class LoadPacked : public Load {
 protected:
  static Graph product() {
    Case c;
    c.kind = StepKind::kGemm;
    c.dtype = "int4";
    c.m = 2;
    c.n = 5000;
    c.k = 4096;
    return *lower(c, LowerOptions{});
  }
  LoadPacked() : Load(product()) {}
};

TEST_F(LoadPacked, EveryNibbleIsWritten) {
  ASSERT_TRUE(load_tensors(graph_, program_, kSeed, threads_, pulse_).ok());
  for (const uint32_t t : {0u, 1u, 2u}) EXPECT_TRUE(program_.data(t) == expected(t)) << graph_.tensors[t].name;
}

// Made again from the seed, from odd elements on and over several pieces, with the scale of each block.
TEST_F(LoadPacked, AnySliceCanBeMadeAgain) {
  ASSERT_EQ(graph_.tensors[1].scale, 2);
  const std::vector<uint8_t> raw = expected(1), scales = expected(2);
  const Values whole = dequantise(graph_.tensors[1], raw.data(), reinterpret_cast<const float*>(scales.data()));
  TensorSource source(graph_, kSeed, nullptr, nullptr);
  for (const auto& [first, count] : {std::pair<uint64_t, uint64_t>{1, 1}, {4095, 3}, {777, 9001}, {20'479'999, 1}}) {
    Values slice(count);
    source.get(1, first, count, slice.data());
    const auto begin = whole.begin() + static_cast<std::ptrdiff_t>(first);
    EXPECT_TRUE(std::equal(slice.begin(), slice.end(), begin)) << first;
  }
}

// Adapters pin the thread that opens them; helpers must not inherit that.
TEST(HostThreads, AreNotPinnedWithTheCaller) {
  const Result<std::vector<int>> all = allowed_cpus();
  ASSERT_TRUE(all.ok());
  const HostThreads threads(0);
  EXPECT_EQ(threads.count(), static_cast<int>(all->size()));
  const ScopedPin pin(all->front());
  ASSERT_TRUE(pin.status().ok());
  std::vector<int> inherited, adopted;
  std::thread([&] {
    inherited = *allowed_cpus();
    threads.adopt();
    adopted = *allowed_cpus();
  }).join();
  EXPECT_EQ(inherited, std::vector<int>{all->front()}) << "the trap";
  EXPECT_EQ(adopted, *all);
  std::vector<int> unpinned;
  threads.run_unpinned([&] { unpinned = *allowed_cpus(); });
  EXPECT_EQ(unpinned, *all);
  EXPECT_EQ(HostThreads(5).count(), 5);
}

}  // namespace
}  // namespace assay
