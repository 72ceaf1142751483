// A worker that breaks the protocol, as a shell script on the same descriptors: each ends as a record that says how.
#include "harness/run/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>

#include "tests/support/scratch.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class Supervisor : public Scratch {
 protected:
  // Descriptor 3 is the socket of lines, 4 the shared page.
  std::unique_ptr<WorkerProcess> worker(const std::string& script) const {
    SupervisorOptions options;
    const fs::path path = file("worker.sh", "#!/bin/bash\n" + script + "\n");
    fs::permissions(path, fs::perms::owner_all);
    options.executable = path.string();
    options.hang_timeout_s = 0.4;
    options.stop_grace_s = 0.2;
    options.poll_interval_s = 0.01;
    auto started = WorkerProcess::start(options);
    EXPECT_TRUE(started.ok()) << started.error().message;
    return std::move(started).value();
  }
  static Job job() {
    Job j;
    j.device = "fake:0";
    j.basis = "simulated";
    j.form = "quick";
    j.case_json = "{}";
    return j;
  }
  Record run(const std::string& script) const {
    auto process = worker(script);
    const Record record = process->run(job(), nullptr);
    EXPECT_EQ(record.status, "failed");
    EXPECT_EQ(record.device, "fake:0");
    EXPECT_EQ(record.basis, "simulated") << "of the device, as the parent knows it";
    return record;
  }
};

TEST_F(Supervisor, NonsenseIsAFailedRecord) {
  for (const char* answer : {"nonsense", "{\"record\":3}", "{}", "{\"record\":\"{\\\"id\\\":1}\"}"}) {
    const std::string script = std::string("read -r job <&3; printf '%s\\n' '") + answer + "' >&3; sleep 10";
    EXPECT_THAT(run(script).reason, StartsWith("worker answered nonsense (")) << answer;
  }
}

TEST_F(Supervisor, AnAnswerToAnotherQuestionIsAFailedRecord) {
  EXPECT_EQ(run("read -r job <&3; echo '{\"devices\":[]}' >&3; read -r end <&3").reason,
            "the worker answered something else than a record");
  EXPECT_EQ(
      run("read -r job <&3; echo '{\"error\":{\"kind\":\"io\",\"message\":\"no luck\"}}' >&3; read -r e <&3").reason,
      "no luck");
}

TEST_F(Supervisor, AnEarlyEndNamesItsCodeAndLastWords) {
  EXPECT_THAT(run("echo 'licence missing' >&2; exit 3").reason,
              AllOf(HasSubstr("ended the process with exit code 3"), HasSubstr("it printed: licence missing")));
  EXPECT_THAT(run("read -r job <&3; kill -SEGV $$").reason, HasSubstr("died with SIGSEGV"));
  EXPECT_THAT(run("read -r job <&3; printf '{\"rec' >&3; exit 0").reason, HasSubstr("exit code 0"));
}

TEST_F(Supervisor, AProfileSurvivesTheAdaptersDeath) {
  Job profile = job();
  profile.kind = Job::Kind::kProfile;
  auto dead = worker("read -r job <&3; kill -SEGV $$");
  const Result<std::string> none = dead->ask(profile, nullptr);
  ASSERT_FALSE(none.ok());
  EXPECT_THAT(none.error().message, HasSubstr("died with SIGSEGV"));
  auto alive = worker("read -r job <&3; echo '{\"text\":\"[1]\"}' >&3; read -r end <&3");
  const Result<std::string> text = alive->ask(profile, nullptr);
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_EQ(*text, "[1]");
}

TEST_F(Supervisor, SilenceIsAHang) { EXPECT_THAT(run("read -r job <&3; sleep 10").reason, HasSubstr("hung for 0.")); }

// A step that is expected to take a second is not hung after 0.8 s, though the limit is 0.4 s.
TEST_F(Supervisor, ALongStepIsNoHang) {
  const std::string expect_1_s = R"(printf '\0\312\232\073\0\0\0\0' | dd of=/dev/fd/4 bs=1 conv=notrunc seek=)" +
                                 std::to_string(offsetof(SharedPage, step_ns)) + " 2>/dev/null";
  const std::string answer = "echo '{\"error\":{\"kind\":\"io\",\"message\":\"late\"}}' >&3; read -r end <&3";
  double told_s = 0;
  auto process = worker("read -r job <&3; " + expect_1_s + "; sleep 0.8; " + answer);
  const Record record = process->run(job(), [&](const Progress& p) {
    told_s = std::max(told_s, p.step_s);
    return true;
  });
  EXPECT_EQ(record.reason, "late");
  EXPECT_EQ(told_s, 1);
}

// Silent for twice the limit in an adapter's call.
TEST_F(Supervisor, WhereAnAdapterMayCompileItHasLonger) {
  const auto reason = [&](const std::string& call) {
    const auto write = [](const std::string& bytes, size_t offset) {
      return "printf '" + bytes + "' | dd of=/dev/fd/4 bs=1 conv=notrunc seek=" + std::to_string(offset) +
             " 2>/dev/null; ";
    };
    const std::string answer = "echo '{\"error\":{\"kind\":\"io\",\"message\":\"late\"}}' >&3; read -r end <&3";
    return run("read -r job <&3; " + write(call + "\\0", offsetof(SharedPage, last_call)) +
               write("\\1\\0\\0\\0", offsetof(SharedPage, in_adapter)) + "sleep 0.8; " + answer)
        .reason;
  };
  for (const std::string call : {"open", "program.supports", "program.prepare"})
    EXPECT_EQ(reason(call), "late") << call;
  EXPECT_THAT(reason("program.write"), StartsWith("adapter hung for 0."));
}

TEST_F(Supervisor, AStopThatIsNotFollowedEndsTheWorker) {
  auto process = worker("read -r job <&3; sleep 10");
  const Record record = process->run(job(), [](const Progress&) { return false; });
  EXPECT_EQ(record.status, "interrupted");
  EXPECT_THAT(record.reason, HasSubstr("did not stop when asked"));
  EXPECT_FALSE(process->alive());
  EXPECT_EQ(process->run(job(), nullptr).reason, "the worker process is gone");
}

TEST_F(Supervisor, DevicesOfAMadWorkerAreAnError) {
  auto process = worker("read -r job <&3; echo '{\"devices\":[{\"index\":-1}]}' >&3; sleep 10");
  const auto devices = process->devices(job());
  ASSERT_FALSE(devices.ok());
  EXPECT_THAT(devices.error().message, HasSubstr("answered nonsense"));
}

TEST_F(Supervisor, AProgramThatIsNotThereIsAnError) {
  SupervisorOptions options;
  options.executable = (dir_ / "absent").string();
  const auto started = WorkerProcess::start(options);
  ASSERT_FALSE(started.ok());
  EXPECT_THAT(started.error().message, HasSubstr("absent"));
}

}  // namespace
}  // namespace assay
