// The command as a user meets it: what it says, its exit code, and what it leaves on disk.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "results/record.h"
#include "tests/support/command_line.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kAssay = ASSAY_BINARY_DIR "/bin/assay";
constexpr const char* kFaulty = " --adapter " ASSAY_BINARY_DIR "/tests/adapters/faulty.adapter.json --device faulty:0";

class Cli : public CommandLine {
 protected:
  // Bad input: exit code 2, a message with these words, nothing written.
  void refused(const std::string& arguments, const std::vector<std::string>& words) const {
    (void)refuses(arguments + " --out made", words);
    EXPECT_FALSE(fs::exists(dir_ / "made")) << arguments;
  }
  // Two cases on the faulty adapter; both end as records with this status and reason.
  void faulted(const std::string& options, const std::string& status, const std::string& reason) const {
    const Outcome out =
        assay("run decode --case f32/b1 --time-limit 0.2 --seed 7 --out made" + std::string(kFaulty) + " " + options);
    EXPECT_EQ(out.code, 1) << out.text;
    const Result<std::vector<Record>> records = read_records(dir_ / "made");
    ASSERT_TRUE(records.ok()) << records.error().message;
    ASSERT_EQ(records->size(), 2U) << "the run goes on after a fault\n" << out.text;
    for (const Record& r : *records) {
      EXPECT_EQ(r.status, status);
      EXPECT_THAT(r.reason, HasSubstr(reason));
      EXPECT_EQ(r.seed, 7U);
    }
  }
};

TEST_F(Cli, UnknownNamesSuggestTheNearest) {
  refused("run prefil", {"prefil", "did you mean 'prefill'"});
  refused("run decode --model smolm2-135m", {"smolm2-135m", "smollm2-135m"});
  refused("run decode --device cpuu:0", {"cpuu:0", "did you mean 'cpu'"});
  refused("run decode --device cpu:7", {"cpu:7: adapter cpu has no such device; it has 1 (cpu:0)"});
  refused("run decode --dtype f23", {"f23", "f32"});
  refused("run decode --bacth 1", {"--bacth", "--batch"});
  EXPECT_EQ(assay("rum decode").code, 2);
  EXPECT_THAT(assay("rum decode").text, HasSubstr("did you mean 'run'"));
}

TEST_F(Cli, ValuesOutOfRangeAreRefused) {
  refused("run decode --batch -1", {"--batch", "positive", "-1"});
  refused("run decode --time-limit soon", {"--time-limit", "seconds", "soon"});
  refused("run decode --threads 0", {"--threads"});
  refused("run decode --case nothing-like-it", {"--case", "nothing-like-it"});
  refused("run decode --quick --full", {"--quick", "--full"});
}

// 4096 sequences of 32000 tokens: 24 layers x 2 x 2 heads x 64 x 4 bytes = 24576 bytes of f32 KV a token, 2.93 TiB in
// all, beside which weights and activations are a few GiB.
TEST_F(Cli, WhatCannotFitIsRefusedWithTheMemoryItNeeds) {
  const Outcome out = assay("run decode --model qwen2.5-0.5b --dtype f32 --batch 4096 --context 32000 --out made");
  EXPECT_EQ(out.code, 2) << out.text;
  EXPECT_THAT(out.text, HasSubstr("needs 2.9 TiB, "));
  EXPECT_THAT(out.text, HasSubstr(" free"));
  EXPECT_FALSE(fs::exists(dir_ / "made"));
}

TEST_F(Cli, ATypoInASuiteNamesTheFieldAndTheNearOne) {
  std::ifstream in(ASSAY_SOURCE_DIR "/suites/defs/decode.json");
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const size_t at = text.find("\"question\"");
  ASSERT_NE(at, std::string::npos);
  file("typo.json", text.replace(at, 10, "\"quesstion\""));
  refused("run ./typo.json", {"typo.json", "quesstion", "question"});
}

TEST_F(Cli, OutputThatCannotBeWrittenEndsBeforeAnythingRuns) {
  file("plain", "");
  const Outcome out = assay("run decode --out plain/inside");
  EXPECT_EQ(out.code, 2);
  EXPECT_THAT(out.text, HasSubstr("plain/inside"));
}

// A limit on file sizes stands for the full disk: the write fails half way.
TEST_F(Cli, AFullDiskBehindStandardOutputIsNoSuccess) {
  for (const char* command : {"list models", "list models --json", "doctor --json"}) {
    const Outcome out = shell(std::string(kAssay) + " " + command + " >/dev/full");
    EXPECT_EQ(out.code, 1) << command;
    EXPECT_THAT(out.text, HasSubstr("standard output")) << command;
  }
}

// The adapter that is named is the one that is measured, or nothing is.
TEST_F(Cli, ANamedAdapterIsNeverReplacedByAnother) {
  refused("run prefill --adapter nosuch.adapter.json", {"nosuch.adapter.json"});
  refused("run prefill --adapter " ASSAY_BINARY_DIR "/tests/adapters/future.adapter.json", {"ABI major 2"});
  const Outcome out = assay(
      "run decode --case smollm2-135m/f32/b1 --time-limit 0.2 --launches 1 --no-check --out made "
      "--adapter " ASSAY_BINARY_DIR "/tests/adapters/faulty.adapter.json");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_EQ(read_records(dir_ / "made")->front().device, "faulty:0");
}

TEST_F(Cli, AFullDiskLeavesNothingHalfWritten) {
  fs::create_directories(dir_ / "old");
  for (const char* folder : {"made/inside", "old"}) {
    const Outcome out = shell(std::string("trap '' XFSZ; ulimit -f 8; ") + kAssay +
                              " run decode prefill ceilings --full --no-check --device null --out " + folder);
    EXPECT_EQ(out.code, 2) << out.text;
    EXPECT_THAT(out.text, HasSubstr("campaign.json"));
  }
  EXPECT_FALSE(fs::exists(dir_ / "made"));
  EXPECT_TRUE(fs::is_empty(dir_ / "old")) << "what was there before stays";
}

// 2 KiB hold the campaign and not the record.
TEST_F(Cli, ADiskThatFillsWhileItRunsKeepsWhatIsThere) {
  const std::string run =
      " run decode --case smollm2-135m/f32/b1 --time-limit 0.2 --launches 1 --no-check --device null --out made";
  const Outcome full = shell(std::string("trap '' XFSZ; ulimit -f 4; ") + kAssay + run);
  EXPECT_EQ(full.code, 1) << full.text;
  EXPECT_THAT(full.text, HasSubstr(".record.json: can't write: "));
  EXPECT_THAT(full.text, HasSubstr("the same command with --out made --resume goes on"));
  for (const auto& entry : fs::directory_iterator(dir_ / "made")) EXPECT_EQ(entry.path().filename(), "campaign.json");
  EXPECT_EQ(shell(std::string(kAssay) + run + " --resume").code, 0);
  EXPECT_EQ(read_records(dir_ / "made")->size(), 1U);
}

TEST_F(Cli, ATamperedRecordIsRefused) {
  ASSERT_EQ(assay("run decode --case smollm2-135m/f32/b1 --time-limit 0.2 --launches 1 --no-check --out made" +
                  std::string(kFaulty))
                .code,
            0);
  fs::path record;
  for (const auto& entry : fs::directory_iterator(dir_ / "made")) {
    if (entry.path().string().ends_with(".record.json")) record = entry.path();
  }
  EXPECT_EQ(assay("show " + record.string()).code, 0);
  ASSERT_EQ(shell("sed -i 's/\"batch\": *1/\"batch\":2/' '" + record.string() + "'").code, 0);
  const Outcome out = assay("show " + record.string());
  EXPECT_EQ(out.code, 2);
  EXPECT_THAT(out.text, HasSubstr(record.filename().string()));
}

TEST_F(Cli, AdaptersThatCannotServeAreNamedWithTheReason) {
  const std::string folder = ASSAY_BINARY_DIR "/tests/adapters/";
  refused("run decode --device future --adapter " + folder + "future.adapter.json", {"ABI major 2"});
  refused("run decode --device missing --adapter " + folder + "missing.adapter.json",
          {"libassay_not_there.so.1 not found"});
  const Outcome out = assay("devices --adapter " + folder + "missing.adapter.json");
  EXPECT_EQ(out.code, 0);
  EXPECT_THAT(out.text, HasSubstr("libassay_not_there.so.1 not found"));
  EXPECT_THAT(out.text, HasSubstr("cpu:0"));
}

TEST_F(Cli, CrashIsAFailedRecord) {
  faulted("--no-check --adapter-option fault=crash_in_wait", "failed", "SIGSEGV in program.wait");
}
TEST_F(Cli, AbortIsAFailedRecord) {
  faulted("--no-check --adapter-option fault=abort_in_submit", "failed", "SIGABRT (abort) in program.submit");
}
TEST_F(Cli, ExitIsAFailedRecord) {
  faulted("--no-check --adapter-option fault=exit_in_submit", "failed", "exit code 0 in program.submit");
}
TEST_F(Cli, HangIsAFailedRecord) {
  faulted("--no-check --hang-timeout 2 --adapter-option fault=hang_in_wait", "failed", "adapter hung for");
}
TEST_F(Cli, LostDeviceIsAFailedRecord) {
  faulted("--no-check --adapter-option fault=device_lost", "failed", "the device fell off the bus");
}
TEST_F(Cli, OutOfMemoryIsAFailedRecord) {
  faulted("--no-check --adapter-option fault=oom_in_prepare", "failed", "out of memory");
}
TEST_F(Cli, ALieAboutTimeIsAFailedRecord) {
  faulted("--no-check --adapter-option fault=lie_time", "failed", "lies about time");
}
TEST_F(Cli, WrongNumbersNameTheOpAndTheError) { faulted("", "failed", "numerics: op embedding"); }
TEST_F(Cli, NotANumberIsAWrongNumber) {
  faulted("--adapter-option fault=nan_numbers", "failed", "numerics: op embedding");
}
TEST_F(Cli, UnsupportedIsAResult) { faulted("--adapter-option fault=unsupported", "unsupported", "no such op here"); }

TEST_F(Cli, KilledMidCaseGoesOnByResume) {
  const std::string arguments =
      "run decode --case f32 --time-limit 1 --launches 2 --no-check --out made" + std::string(kFaulty);
  const std::string command = std::string("exec ") + kAssay + " " + arguments + " >/dev/null 2>&1";
  const pid_t child = ::fork();
  if (child == 0) {
    if (::chdir(dir_.c_str()) == 0) ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  const auto count = [&] {
    size_t n = 0;
    std::error_code code;
    for (fs::directory_iterator it(dir_ / "made", code), end; !code && it != end; it.increment(code)) {
      n += it->path().string().ends_with(".record.json") ? 1 : 0;
    }
    return n;
  };
  for (int i = 0; i < 600 && count() == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const size_t before = count();
  ASSERT_GE(before, 1U);
  ASSERT_LT(before, 3U) << "the run was over before it was killed";
  const Outcome other = assay(arguments + " --seed 7 --resume");
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.text, HasSubstr("seed"));
  EXPECT_EQ(assay(arguments).code, 2) << "a folder that holds a run is not overwritten";
  const Outcome out = assay(arguments + " --resume");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_EQ(count(), 3U) << "finished cases are not run again\n" << out.text;
  const Result<std::vector<Record>> whole = read_records(dir_ / "made");
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  for (const Record& r : *whole) {
    ASSERT_TRUE(r.run_launches && r.run_launches->between) << r.case_id;
    EXPECT_EQ(r.run_launches->each.size(), 2U) << "launches before and after the kill are one record";
    EXPECT_EQ(r.seed, whole->front().seed) << "drawn once for the run";
    EXPECT_EQ(r.run_launches->between->dof, 3) << "pooled over the three cases";
  }
}

// Ctrl-C, and what a batch system sends: to the run and to its worker alike.
TEST_F(Cli, InterruptKeepsWhatWasMeasured) {
  for (const std::string signal : {"INT", "TERM"}) {
    // On a busy machine the first step is timed later; a run interrupted before has nothing to keep.
    Outcome out;
    std::optional<Result<std::vector<Record>>> kept;
    for (int seconds = 2; seconds <= 32 && (!kept || !kept->ok() || (*kept)->empty()); seconds *= 2) {
      const std::string folder = "made" + signal + std::to_string(seconds);
      out = shell("timeout --preserve-status -s " + signal + " " + std::to_string(seconds) + " " + kAssay +
                  " run decode --case smollm2-135m/f32/b1 --launches 1 --time-limit 60 --no-check --out " + folder +
                  kFaulty);
      ASSERT_EQ(out.code, 130) << out.text;
      kept.emplace(read_records(dir_ / folder));
    }
    const Result<std::vector<Record>>& records = *kept;
    ASSERT_TRUE(records.ok());
    ASSERT_EQ(records->size(), 1U);
    EXPECT_EQ((*records)[0].status, "interrupted") << (*records)[0].reason;
    EXPECT_THAT(out.text, HasSubstr("--resume goes on"));
  }
}

// 99 steps of 10 ms and one of 30 ms, round and round: a mean step of 10.2 ms, 98.04 tokens/s at batch 1. Whatever the
// machine does meanwhile, two runs give the same times and the same figures.
TEST_F(Cli, ReplayedTimesGiveTheSameRunEveryTime) {
  std::string times = "{\"host_ns\":[30000000";
  for (int i = 0; i < 99; ++i) times += ",10000000";
  file("times.json", times + "]}");
  const std::string run =
      "run decode --case smollm2-135m/f32/b1 --full --launches 2 --no-check --device replay --adapter-option "
      "samples=times.json "
      "--out ";
  ASSERT_EQ(assay(run + "one").code, 0);
  ASSERT_EQ(assay(run + "two").code, 0);
  const Result<std::vector<Record>> one = read_records(dir_ / "one"), two = read_records(dir_ / "two");
  ASSERT_TRUE(one.ok() && two.ok());
  ASSERT_FALSE(one->empty());
  const Record& r = one->front();
  EXPECT_EQ(r.basis, "simulated");
  EXPECT_EQ(r.adapter_options, (std::map<std::string, std::string>{{"samples", "times.json"}}));
  EXPECT_EQ(r.samples.host_ns, two->front().samples.host_ns);
  EXPECT_EQ(r.samples.start_ns, two->front().samples.start_ns);
  EXPECT_EQ(r.stop.reason, two->front().stop.reason);
  ASSERT_GE(r.samples.host_ns.size(), 1000U);
  const double total = static_cast<double>(r.samples.start_ns.back() + r.samples.host_ns.back());
  EXPECT_NEAR(static_cast<double>(r.samples.host_ns.size()) / total * 1e9, 98.04, 0.2);
  const std::string table = assay("show one --format md").text;
  EXPECT_EQ(table, assay("show two --format md").text);
  EXPECT_EQ(r.run_launches->each.size(), 2U) << "in two processes";
  EXPECT_THAT(table, HasSubstr("contains what launches differ by, 0.0 %"));
  EXPECT_THAT(table, HasSubstr("adapter options samples=times.json: decode/smollm2-135m/f32/b1"));
  EXPECT_THAT(table, HasSubstr("simulated"));
}

// Played steps are those of the whole model, however long they are.
TEST_F(Cli, LongReplayedStepsAreNotTakenForALayers) {
  file("times.json", "{\"host_ns\":[500000000,510000000,505000000]}");
  const Outcome out = assay(
      "run prefill --case smollm2-135m/f32/b1/t128 --launches 1 --no-check --device replay --adapter-option "
      "samples=times.json "
      "--out made");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_FALSE(read_records(dir_ / "made")->front().extrapolation);
}

// Scales of quantised activations must outlive the op that wrote them: only the whole program shows it.
TEST_F(Cli, AQuantisedStepIsRightAtFullDepthOnOneThread) {
  const Outcome out = assay(
      "run prefill --model smollm2-135m --dtype int8_w8a8 --tokens 64 --threads 1 --time-limit 0.2 --launches 1 --out "
      "made");
  EXPECT_EQ(out.code, 0) << out.text;
  const Record record = read_records(dir_ / "made")->front();
  EXPECT_EQ(record.threads, 1);
  // Where the reference would take too long, the record says so and nothing is compared.
  if (!record.numerics.whole) GTEST_SKIP() << record.numerics.reason;
  EXPECT_TRUE(record.numerics.whole->pass) << record.numerics.whole->error;
}

TEST_F(Cli, OneLaunchSaysWhatItsIntervalCannotKnow) {
  file("times.json", "{\"host_ns\":[10000000,11000000]}");
  const Outcome out = assay(
      "run decode --case smollm2-135m/f32/b1 --launches 1 --no-check --device replay "
      "--adapter-option samples=times.json --out made");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, HasSubstr("it knows nothing of what changes between launches"));
  EXPECT_THAT(shell(std::string(kAssay) + " show made/*.record.json").text, HasSubstr("1 of 1: "));
  (void)refuses("run decode --launches 0 --out none", {"--launches", "0"});
}

TEST_F(Cli, ABadRecordingIsRefused) {
  const std::string run = "run decode --case smollm2-135m/f32/b1 --no-check --device replay";
  refused(run, {"replay:0: needs a recording: --adapter-option samples=FILE"});
  refused(run + " --adapter-option samples=none.json", {"none.json: can't be read: No such file"});
  const std::string given = run + " --adapter-option samples=bad.json";
  for (const auto& [text, complaint] :
       {std::pair{"[10]", "expected a JSON object with host_ns"},
        {"{}", "host_ns: expected at least one time, found none"},
        {"{\"host_ns\":[]}", "host_ns: expected at least one time, found none"},
        {"{\"host_ns\":[10, -1]}", "host_ns[1]: expected nanoseconds, 1 to an hour, found -1"},
        {"{\"host_ns\":[10], \"device_ns\":[9, 9]}", "device_ns: expected as many times as host_ns, 1, found 2"}}) {
    file("bad.json", text);
    refused(given, {"replay:0: bad.json: ", complaint});
  }
}

TEST_F(Cli, OptionsThatTheAdapterDoesNotTakeAreRefused) {
  refused("run decode --device null --adapter-option speed=9", {"adapter null takes no option 'speed'; it takes none"});
  refused("run decode --device replay --adapter-option sample=x",
          {"takes no option 'sample'; did you mean 'samples'?"});
  const Outcome devices = assay("devices --adapter-option speed=9");
  EXPECT_EQ(devices.code, 2) << devices.text;
  EXPECT_THAT(devices.text, HasSubstr("no adapter here takes an option 'speed'"));
}

TEST_F(Cli, WhatIsNotThereIsNamedWithWhatWasExpected) {
  refused("run decode --resume", {"--resume: --out made: expected the folder of a run, found no such folder"});
  fs::create_directories(dir_ / "empty");
  const Outcome resumed = assay("run decode --resume --out empty");
  EXPECT_EQ(resumed.code, 2);
  EXPECT_THAT(resumed.text, HasSubstr("empty: expected the folder of a run, found one without campaign.json"));
  const Outcome store = assay("store nosuch.db");
  EXPECT_EQ(store.code, 2);
  EXPECT_THAT(store.text, HasSubstr("nosuch.db: expected a store, found no such file"));
  EXPECT_FALSE(fs::exists(dir_ / "nosuch.db"));
}

TEST_F(Cli, ListsAndHelpAreForPeopleAndScripts) {
  EXPECT_EQ(assay("list suites --names").text,
            "ceilings\ndecode\nlong-context\nmoe-routing\nprefill\nvideo-diffusion\n");
  EXPECT_THAT(assay("list models").text, testing::AllOf(HasSubstr("qwen2.5-72b"), HasSubstr("wan2.1-14b")));
  EXPECT_THAT(assay("list cases --suite decode --json").text, HasSubstr("\"decode/smollm2-135m/f32/b1/c512\""));
  EXPECT_THAT(assay("run --help").text, HasSubstr("--resume"));
  EXPECT_EQ(assay("--help").code, 0);
  EXPECT_EQ(shell(std::string(kAssay) + " completion bash | bash -n").code, 0);
  const Outcome doctor = assay("doctor --json");
  EXPECT_THAT(doctor.text, HasSubstr("\"governor\""));
  EXPECT_THAT(assay("devices --json").text, HasSubstr("\"cpu:0\""));
}

TEST_F(Cli, VideoPassesOnTheNullAdapterBecomeClips) {
  const Outcome run =
      assay("run video-diffusion --device null:0 --no-check --case 9f128x256 --time-limit 0.2 --out made");
  EXPECT_EQ(run.code, 0) << run.text;
  const Outcome shown = assay("show made --format md");
  EXPECT_THAT(shown.text, HasSubstr("chips for <30 s"));
  EXPECT_THAT(shown.text, HasSubstr("no record with the time of a whole text encoder: left out of the sum"));
  EXPECT_THAT(shown.text, HasSubstr("simulated"));
}

}  // namespace
}  // namespace assay
