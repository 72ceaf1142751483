// Progress and the time to go, by hand; and silence where no terminal listens.
#include "harness/cli/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

namespace assay {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

// Before any case has ended: the limit and half of it again. 10, 20, 30 s: 15 + 30 + 45 = 90 s.
TEST(Eta, BeginsWithTheLimits) {
  const Eta eta({10, 20, 30});
  EXPECT_EQ(eta.remaining_s(0, 0), 90);
  EXPECT_EQ(eta.remaining_s(0, 5), 85);
  EXPECT_EQ(eta.remaining_s(0, 1000), 75) << "a case that is late is about to end";
  EXPECT_EQ(eta.remaining_s(2, 45), 0);
  EXPECT_EQ(eta.remaining_s(3, 0), 0);
}

// 10 s of limit took 4: the others take two fifths of theirs, 8 and 12 s.
TEST(Eta, LearnsFromWhatHasEnded) {
  Eta eta({10, 20, 30});
  eta.finished(0, 4);
  EXPECT_DOUBLE_EQ(eta.expected_s(1), 8);
  EXPECT_DOUBLE_EQ(eta.remaining_s(1, 3), 5 + 12);
  eta.finished(1, 20);  // 24 s for 30: 0.8
  EXPECT_DOUBLE_EQ(eta.remaining_s(2, 0), 24);
}

// 10 s of timed part and six steps of 5 s beside it: 40 s; then 30 and 45 s. A short step changes nothing.
TEST(Eta, ALongStepIsCounted) {
  const Eta eta({10, 20, 30});
  EXPECT_DOUBLE_EQ(eta.remaining_s(0, 0, 5), 40 + 30 + 45);
  EXPECT_DOUBLE_EQ(eta.remaining_s(0, 0, 0.5), 90);
}

TEST(Duration, ReadsAsPeopleSayIt) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(-5), "0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(59.6), "1 min 00 s");
  EXPECT_EQ(duration_text(185), "3 min 05 s");
  EXPECT_EQ(duration_text(7500), "2 h 05 min");
}

// What stands on stderr while `f` runs; at a terminal of 60 columns or not.
template <typename F>
std::string stderr_of(bool terminal, F f) {
  int ours = -1, theirs = -1;
  winsize size{};
  size.ws_col = 60;
  if (terminal) {
    EXPECT_EQ(openpty(&ours, &theirs, nullptr, nullptr, &size), 0);
  } else {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    ours = ends[0];
    theirs = ends[1];
  }
  std::fflush(stderr);
  const int former = ::dup(STDERR_FILENO);
  ::dup2(theirs, STDERR_FILENO);
  f();
  std::fputs("end", stderr);
  std::fflush(stderr);
  ::dup2(former, STDERR_FILENO);
  ::close(former);
  std::string text;
  char buffer[4096];
  while (text.size() < 3 || text.compare(text.size() - 3, 3, "end") != 0) {
    const ssize_t n = ::read(ours, buffer, sizeof buffer);
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  ::close(theirs);
  ::close(ours);
  text.resize(text.size() - 3);
  return text;
}

Progress timed() {
  Progress p;
  p.phase = Phase::kTimed;
  p.steps = 37;
  p.phase_share = 0.5;
  p.elapsed_s = 5;
  return p;
}

TEST(ProgressLine, SaysNothingToAPipe) {
  EXPECT_EQ(stderr_of(false,
                      [] {
                        ProgressLine line({10, 20}, 2);
                        line.show(0, "decode/m", timed());
                        line.clear();
                      }),
            "");
}

// 20 s and six steps of 95 s are 590 s.
TEST(ProgressLine, SaysALongStepOnceEvenToAPipe) {
  Progress slow = timed();
  slow.step_s = 95;
  EXPECT_EQ(stderr_of(false,
                      [&] {
                        ProgressLine line({10, 20}, 2);
                        line.show(0, "decode/m", timed());
                        line.show(1, "decode/n", slow);
                        line.show(1, "decode/n", slow);
                      }),
            "decode/n: a step takes about 1 min 35 s, the case about 9 min 50 s\n");
}

TEST(ProgressLine, SaysWhatAnInterruptWaitsFor) {
  Progress stopping = timed();
  stopping.stopping = true;
  EXPECT_THAT(stderr_of(true,
                        [&] {
                          ProgressLine line({10}, 1);
                          line.show(0, "d", stopping);
                        }),
              HasSubstr("ending after this step"));
}

TEST(ProgressLine, NamesCasePhaseAndTimeToGoAndClearsItself) {
  const std::string text = stderr_of(true, [] {
    ProgressLine line({10, 20}, 2);
    line.show(0, "decode/m", timed());
  });
  EXPECT_THAT(text, HasSubstr("[1/2] decode/m  timed 37 steps 50 %  about 40 s to go"));
  EXPECT_THAT(text, EndsWith("\r\033[K"));
}

TEST(ProgressLine, SaysWhatIsPlannedBeforeItIsAllocated) {
  Progress preparing;
  preparing.phase = Phase::kPrepare;
  preparing.planned_bytes = uint64_t{3} << 30;
  EXPECT_THAT(stderr_of(true,
                        [&] {
                          ProgressLine line({10}, 1);
                          line.show(0, "decode/m", preparing);
                        }),
              HasSubstr("decode/m  prepare, 3.0 GiB planned"));
}

TEST(ProgressLine, NamesTheLaunch) {
  const std::string text = stderr_of(true, [] {
    ProgressLine line({10, 20, 10, 20}, 2);
    line.show(3, "decode/m", timed());
  });
  EXPECT_THAT(text, HasSubstr("[2/2, launch 2/2] decode/m  timed"));
}

TEST(ProgressLine, IsCutToTheTerminal) {
  const std::string text = stderr_of(true, [] {
    ProgressLine line({10, 20}, 2);
    line.show(0, "decode/a-model-with-quite-a-long-name/int8/b1/c512", timed());
  });
  EXPECT_THAT(text, AllOf(HasSubstr("…"), testing::Not(HasSubstr("to go"))));
}

}  // namespace
}  // namespace assay
