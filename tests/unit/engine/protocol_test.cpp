// Jobs and answers as lines, and every way in which a line can be neither; what is said of a worker that died.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>

#include "harness/run/worker_death.h"
#include "harness/worker_protocol.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Job job() {
  Job j;
  j.kind = Job::Kind::kRun;
  j.adapter_library = "/x/lib \"quoted\".so";
  j.device = "cpu:1";
  j.basis = "simulated";
  j.case_json = "{\"kind\":\"read\"}";
  j.form = "full";
  j.policy.percentiles = {0.5, 0.999};
  j.policy.time_limit_s = 2.5;
  j.seed = UINT64_MAX;
  j.threads = 3;
  j.check_numerics = false;
  j.counted_ops = "qkv_proj,lm_head";
  j.options = {{"key", "value\nwith a line feed"}, {"key", "again"}};
  return j;
}

TEST(JobLine, SurvivesTheWay) {
  const std::string line = job_to_json(job());
  EXPECT_EQ(line.find('\n'), std::string::npos) << "one line";
  const Result<Job> back = job_from_json(line);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->adapter_library, job().adapter_library);
  EXPECT_EQ(back->device, "cpu:1");
  EXPECT_EQ(back->basis, "simulated");
  EXPECT_EQ(back->policy.percentiles, job().policy.percentiles);
  EXPECT_EQ(back->policy.time_limit_s, 2.5);
  EXPECT_EQ(back->seed, UINT64_MAX);
  EXPECT_FALSE(back->check_numerics);
  EXPECT_EQ(back->counted_ops, "qkv_proj,lm_head");
  EXPECT_EQ(back->options, job().options);
  EXPECT_EQ(job_to_json(*back), line);
}

TEST(JobLine, EveryFieldIsDemandedAndNamed) {
  for (const char* field : {"kind", "adapter_library", "device", "basis", "case", "form", "policy", "seed", "threads",
                            "check_numerics", "counted_ops", "options", "percentiles", "max_step_s"}) {
    std::string line = job_to_json(job());
    const std::string quoted = std::string("\"") + field + "\":";
    const size_t at = line.find(quoted);
    ASSERT_NE(at, std::string::npos) << field;
    const Result<Job> renamed = job_from_json(line.replace(at + 1, 1, "X"));
    ASSERT_FALSE(renamed.ok()) << field;
    EXPECT_EQ(renamed.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(renamed.error().message, StartsWith("job: "));
    EXPECT_THAT(renamed.error().message, HasSubstr(std::string(field).substr(1))) << field;
  }
}

TEST(JobLine, WrongTypesAreErrors) {
  const std::pair<const char*, const char*> edits[] = {{"\"kind\":\"run\"", "\"kind\":\"fly\""},
                                                       {"\"threads\":3", "\"threads\":\"3\""},
                                                       {"\"seed\":18446744073709551615", "\"seed\":[]"},
                                                       {"\"check_numerics\":false", "\"check_numerics\":0"},
                                                       {"\"percentiles\":[0.5,0.999]", "\"percentiles\":0.5"}};
  for (const auto& [from, to] : edits) {
    std::string line = job_to_json(job());
    const size_t at = line.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    EXPECT_FALSE(job_from_json(line.replace(at, std::string(from).size(), to)).ok()) << to;
  }
}

TEST(Lines, GarbageIsAnErrorAndNothingElse) {
  for (const char* garbage :
       {"", "x", "{", "[]", "null", "3", "\"text\"", "{}", "{\"record\":3}", "{\"record\":\"{}\"}", "{\"devices\":7}",
        "{\"devices\":[{}]}", "{\"devices\":[3]}", "{\"error\":{}}", "{\"error\":\"x\"}",
        "{\"error\":{\"kind\":3,\"message\":\"\"}}", "\xff\xfe"}) {
    EXPECT_FALSE(job_from_json(garbage).ok()) << garbage;
    EXPECT_FALSE(job_result_from_json(garbage).ok()) << garbage;
  }
  EXPECT_FALSE(job_from_json(std::string(100'000, '[')).ok()) << "deep nesting must not end the stack";
}

TEST(ResultLine, DevicesSurviveTheWay) {
  DeviceInfo d;
  d.index = 2;
  d.product = "a \"b\"\n\xc3\xa9\xff";  // a byte that is not UTF-8 comes back as a replacement
  d.memory_bytes = UINT64_MAX;
  d.board_power_limit_w = 1.5;
  JobResult result;
  result.devices = {d};
  const std::string line = job_result_to_json(result);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Result<JobResult> back = job_result_from_json(line);
  ASSERT_TRUE(back.ok()) << back.error().message;
  ASSERT_TRUE(back->devices);
  EXPECT_EQ(back->devices->front().product, "a \"b\"\n\xc3\xa9\xef\xbf\xbd");
  EXPECT_EQ(back->devices->front().memory_bytes, UINT64_MAX);
  EXPECT_FALSE(back->record || back->error);
}

// A worker gone mad must not become device 4294967295.
TEST(ResultLine, IntegersOutOfRangeAreErrors) {
  JobResult result;
  result.devices = {DeviceInfo{}};
  const std::string line = job_result_to_json(result);
  for (const char* value : {"-1", "4294967296", "1e300", "0.5", "18446744073709551616", "\"0\"", "null"}) {
    std::string bad = line;
    const std::string index = "\"index\":0";
    const size_t at = bad.find(index);
    ASSERT_NE(at, std::string::npos);
    const auto back = job_result_from_json(bad.replace(at, index.size(), std::string("\"index\":") + value));
    ASSERT_FALSE(back.ok()) << value;
    EXPECT_THAT(back.error().message, HasSubstr("index")) << value;
  }
}

TEST(ResultLine, ErrorsKeepTheirKind) {
  for (const ErrorKind kind : {ErrorKind::kBadInput, ErrorKind::kUnsupported, ErrorKind::kOutOfMemory, ErrorKind::kIo,
                               ErrorKind::kAdapter, ErrorKind::kTimeout, ErrorKind::kInternal}) {
    JobResult result;
    result.error = Error{kind, "why"};
    const Result<JobResult> back = job_result_from_json(job_result_to_json(result));
    ASSERT_TRUE(back.ok() && back->error);
    EXPECT_EQ(back->error->kind, kind);
    EXPECT_EQ(back->error->message, "why");
  }
  EXPECT_EQ(job_result_from_json(job_result_to_json({}))->error->message, "empty answer");
}

TEST(PhaseName, OfAPageThatWasOverwritten) {
  EXPECT_STREQ(phase_name(Phase::kTimed), "timed");
  EXPECT_STREQ(phase_name(static_cast<Phase>(4'000'000'000u)), "?");
}

class Death : public testing::Test {
 protected:
  Death() { page_.phase.store(static_cast<uint32_t>(Phase::kTimed)), page_.steps.store(37); }
  std::string reason(const WorkerEnd& end, const std::string& tail = "") const {
    return death_reason(end, page_, tail);
  }
  static WorkerEnd ended(int status) {
    WorkerEnd end;
    end.known = true;
    end.wait_status = status;
    return end;
  }
  SharedPage page_{};
};

TEST_F(Death, NamesSignalAndCall) {
  page_.in_adapter.store(kInWait);
  EXPECT_EQ(reason(ended(SIGSEGV)), "adapter died with SIGSEGV in program.wait (phase timed, 37 steps)");
  page_.in_adapter.store(kInSubmit);
  EXPECT_EQ(reason(ended(SIGABRT)), "adapter died with SIGABRT (abort) in program.submit (phase timed, 37 steps)");
  page_.in_adapter.store(kNotInAdapter);
  EXPECT_THAT(reason(ended(SIGKILL)),
              StartsWith("worker died with SIGKILL (not by the harness: most likely the kernel"));
}

TEST_F(Death, SaysWhatWasPlanned) {
  page_.planned.store(uint64_t{3} << 30);
  EXPECT_EQ(reason(ended(SIGSEGV)), "worker died with SIGSEGV (phase timed, 37 steps), 3.0 GiB planned");
}

TEST_F(Death, NamesExitHangAndSilence) {
  page_.in_adapter.store(kInLastCall);
  std::snprintf(page_.last_call, sizeof page_.last_call, "program.prepare");
  EXPECT_THAT(reason(ended(3 << 8)), StartsWith("adapter ended the process with exit code 3 in program.prepare"));
  WorkerEnd hung = ended(SIGKILL);
  hung.killed_hung = true;
  hung.silent_s = 120.4;
  EXPECT_THAT(reason(hung), StartsWith("adapter hung for 120 s in program.prepare"));
  WorkerEnd stubborn = ended(SIGKILL);
  stubborn.killed_stop = true;
  EXPECT_THAT(reason(stubborn), StartsWith("adapter did not stop when asked and was killed"));
  WorkerEnd garbled = ended(SIGKILL);
  garbled.garbled = "bad line";
  EXPECT_THAT(reason(garbled), StartsWith("worker answered nonsense (bad line) and was killed"));
  EXPECT_THAT(reason(WorkerEnd{}, "last words"),
              HasSubstr("adapter died in program.prepare (phase timed, 37 steps); it printed: last words"));
}

// The page is shared with a process gone mad: a name without an end must not be read beyond its field.
TEST_F(Death, AnOverwrittenPageIsReadWithinItsBounds) {
  page_.in_adapter.store(kInLastCall);
  std::fill(std::begin(page_.last_call), std::end(page_.last_call), 'x');
  EXPECT_EQ(page_call(page_), std::string(sizeof page_.last_call, 'x'));
  page_.in_adapter.store(77);
  EXPECT_EQ(page_call(page_), "");
}

TEST(OutputTail, KeepsTheLastLinesPrintable) {
  const int fd = memfd_create("tail", MFD_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(output_tail(fd, 100), "");
  const std::string text = "first line\nsecond \x1b[31mline\nthird\n\n";
  ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(output_tail(fd, 1000), "first line\nsecond \\x1b[31mline\nthird");
  EXPECT_EQ(output_tail(fd, 12), "third") << "from a line's start";
  ::close(fd);
  EXPECT_EQ(output_tail(fd, 100), "");
}

}  // namespace
}  // namespace assay
