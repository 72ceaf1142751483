#include "adapters/cpu/task_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace assay::cpu {
namespace {

// Two threads share five tasks as [0, 2) and [2, 5).
TEST(TaskQueue, OwnNeighboursFirstThenOthersFromTheirEnd) {
  TaskQueue queue(true, 5, 2);
  EXPECT_EQ(queue.first_of(0), 0u);
  EXPECT_EQ(queue.first_of(1), 2u);
  std::vector<uint32_t> taken;
  for (int i = 0; i < 5; ++i) taken.push_back(queue.take(1, 5));
  EXPECT_EQ(taken, (std::vector<uint32_t>{2, 3, 4, 1, 0}));
  EXPECT_GE(queue.take(0, 5), 5u);
  EXPECT_GE(queue.take(1, 5), 5u);
  queue.reset(0);
  queue.reset(1);
  EXPECT_EQ(queue.take(0, 5), 0u);
  EXPECT_EQ(queue.take(1, 5), 2u);
  EXPECT_EQ(queue.take(0, 5), 1u);
  EXPECT_EQ(queue.take(0, 5), 4u);
}

TEST(TaskQueue, WithoutAnOrderTheNextOneWhoeverAsks) {
  TaskQueue queue(false, 0, 2);
  EXPECT_EQ(queue.take(1, 2), 0u);
  EXPECT_EQ(queue.take(0, 2), 1u);
  EXPECT_GE(queue.take(0, 2), 2u);
}

TEST(TaskQueue, EveryTaskOnceAmongThreads) {
  constexpr uint32_t kTasks = 997;
  constexpr unsigned kThreads = 4;
  for (const bool in_order : {true, false}) {
    TaskQueue queue(in_order, kTasks, kThreads);
    std::vector<std::atomic<int>> times(kTasks);
    std::vector<std::thread> threads;
    for (unsigned id = 0; id < kThreads; ++id) {
      threads.emplace_back([&, id] {
        for (uint32_t task = queue.take(id, kTasks); task < kTasks; task = queue.take(id, kTasks)) ++times[task];
      });
    }
    for (auto& thread : threads) thread.join();
    for (uint32_t task = 0; task < kTasks; ++task) ASSERT_EQ(times[task], 1) << task;
  }
}

}  // namespace
}  // namespace assay::cpu
