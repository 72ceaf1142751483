// Ctrl-C and SIGTERM, each case in a process of its own.
#include "harness/cli/interrupt.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace assay {
namespace {

constexpr int kAsked = 7, kNotAsked = 8;

void signal_and_exit(int signal, int times) {
  catch_interrupts();
  for (int i = 0; i < times; ++i) std::raise(signal);
  ::_exit(interrupted() ? kAsked : kNotAsked);
}

TEST(Interrupt, NobodyAskedBeforeASignal) {
  EXPECT_EXIT(signal_and_exit(SIGTERM, 0), testing::ExitedWithCode(kNotAsked), "");
}

// timeout(1) sends the signal to its child, then to the child's group.
TEST(Interrupt, OneRequestMayArriveTwice) {
  for (const int signal : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(signal_and_exit(signal, 2), testing::ExitedWithCode(kAsked), "");
  }
}

TEST(Interrupt, ASecondRequestEndsTheProgram) {
  const auto twice = [](int signal) {
    catch_interrupts();
    std::raise(signal);
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    std::raise(signal);
    ::_exit(kAsked);
  };
  EXPECT_EXIT(twice(SIGINT), testing::KilledBySignal(SIGINT), "");
  EXPECT_EXIT(twice(SIGTERM), testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace assay
