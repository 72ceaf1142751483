// Each cheat is caught by the check that is meant for it; honest adapters pass.
#include <fstream>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "adapters/abi/assay_adapter.h"
#include "suites/base/hash.h"
#include "suites/base/json_input.h"
#include "tests/support/command_line.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kFolder = ASSAY_BINARY_DIR "/tests/adapters/";

// "" or the first thing that the published schema does not allow.
std::string schema_fault(const json& report) {
  std::ifstream in(ASSAY_SOURCE_DIR "/adapters/sdk/conformance.schema.json");
  const json document = json::parse(in);
  valijson::Schema schema;
  valijson::SchemaParser().populateSchema(valijson::adapters::NlohmannJsonAdapter(document), schema);
  valijson::ValidationResults results;
  if (valijson::Validator().validate(schema, valijson::adapters::NlohmannJsonAdapter(report), &results)) return "";
  valijson::ValidationResults::Error error;
  results.popError(error);
  for (const std::string& part : error.context) error.description += " " + part;
  return error.description;
}

struct Judged {
  int code = -1;
  std::string text;
  json report;
};

class Conformance : public CommandLine {
 protected:
  Judged kit(const std::string& arguments) const {
    const Outcome out = assay("conformance --quick --json report.json " + arguments);
    std::ifstream stream(dir_ / "report.json");
    return {out.code, out.text, stream ? json::parse(stream, nullptr, false) : json()};
  }

  // The one finding of `check` called `name` that failed, "" where it did not.
  static std::string failure(const json& report, const std::string& check, const std::string& name) {
    for (const json& c : report.value("checks", json::array())) {
      if (c.at("id") != check) continue;
      for (const json& f : c.at("findings")) {
        const std::string found = f.at("name");
        if (f.at("outcome") == "fail" && found.find(name) != std::string::npos) return f.at("detail");
      }
    }
    return "";
  }

  // The cheat fails at this finding of this check, with these words. Its honest form is the template, which passes all.
  void caught(const std::string& mode, const std::string& check, const std::string& name,
              const std::string& words) const {
    const std::string adapter =
        "--hang-timeout 3 --adapter " + std::string(kFolder) + "crooked.adapter.json --only " + check;
    const Judged crooked = kit(adapter + " --adapter-option crooked=" + mode);
    EXPECT_EQ(crooked.code, 1) << crooked.text;
    EXPECT_THAT(failure(crooked.report, check, name), HasSubstr(words)) << crooked.text;
  }
};

TEST_F(Conformance, CatchesCachedOutputs) {
  caught("caches_outputs", "truth.fresh_inputs", "matmul", "did not change with the inputs");
}
TEST_F(Conformance, CatchesWorkDoneAfterWait) {
  caught("returns_early", "timing.return", "reading right after wait()", "% of the work is done after wait()");
}
TEST_F(Conformance, CatchesAFifthOfTheWorkDoneAfterWait) {
  caught("finishes_late", "timing.return", "reading right after wait()", "% of the work is done after wait()");
}
TEST_F(Conformance, CatchesRepeatsThatAreNotRun) {
  caught("ignores_repeat", "timing.work", "four steps in one submission", "times one step");
}
TEST_F(Conformance, CatchesSilentFallback) {
  caught("claims_tf32", "truth.dtype", "f32 activations", "23 bits survive where TF32 has 10");
  caught("silent_fallback", "truth.dtype", "f32 activations", "7 bits survive, 16 needed: a silent fallback");
}
TEST_F(Conformance, CatchesTheWrongKvHead) { caught("gqa_off_by_one", "ops.attention", "GQA 3", "relative error"); }
TEST_F(Conformance, CatchesLeaks) { caught("leaks", "life.leaks", "prepare and destroy", "leaks"); }
TEST_F(Conformance, CatchesLeaksOfDeviceMemory) {
  caught("leaks_device_memory", "life.leaks", "device memory", "leaks: 16 programs");
  caught("blinds_its_sensor", "life.leaks", "device memory", "mem_used_bytes was there before");
}
TEST_F(Conformance, CatchesDeadlocks) { caught("deadlocks", "threads", "eight programs", "hung for 3"); }
TEST_F(Conformance, CatchesReadingInOneThreadAlone) {
  caught("reads_in_one_thread", "threads", "prepared in one thread", "no context");
}
TEST_F(Conformance, CatchesACrashOnTheSecondOpen) {
  caught("crashes_on_second_open", "life.reopen", "second open", "died with SIGSEGV in open");
}
TEST_F(Conformance, CatchesAnExit) {
  caught("exits", "ops.add", "f32 [1,1]", "adapter ended the process with exit code 3 in program.wait");
}
TEST_F(Conformance, CatchesPrinting) { caught("prints", "abi.entry", "prints nothing", "printed 6 bytes"); }
TEST_F(Conformance, CatchesDevicesThatChange) {
  const char* const kStay = "devices stay the same";
  caught("count_changes", "abi.entry", kStay, "device_count was 1, is 2 when it is asked again");
  caught("memory_changes", "abi.entry", kStay, "device 0: memory_bytes was '");
  caught("devices_change_at_open", "abi.entry", kStay, " loops' when the adapter is opened again");
}
TEST_F(Conformance, CatchesDtypesThatNoOpTakes) {
  caught("claims_dtypes", "truth.dtype", "dtypes that the device claims", "claims bf16, i4, and takes no op with it");
}
TEST_F(Conformance, CatchesWhatTakesEveryProgram) {
  caught("takes_all", "refusals.programs", "op kind 9999", "prepare took it");
}

// The template has neither clock nor sensors: their honest forms are modes of their own.
TEST_F(Conformance, CatchesAWrongUnitOfTime) {
  const std::string adapter =
      "--adapter " + std::string(kFolder) + "crooked.adapter.json --only timing.device_clock --adapter-option crooked=";
  const Judged wrong = kit(adapter + "wrong_unit");
  EXPECT_EQ(wrong.code, 1) << wrong.text;
  EXPECT_THAT(failure(wrong.report, "timing.device_clock", "grows as the host's"), HasSubstr("another unit than ns"));
  const Judged right = kit(adapter + "clock");
  EXPECT_EQ(right.code, 0) << right.text;
  EXPECT_EQ(right.report["score"]["passed"], 1) << right.text;
}

TEST_F(Conformance, CatchesStuckSensorsAndLyingCounters) {
  const std::string adapter =
      "--adapter " + std::string(kFolder) + "crooked.adapter.json --only telemetry --adapter-option crooked=";
  const Judged stuck = kit(adapter + "stuck_sensor");
  EXPECT_EQ(stuck.code, 1) << stuck.text;
  EXPECT_THAT(failure(stuck.report, "telemetry", "moves with the load"), HasSubstr("stuck"));
  const Judged lying = kit(adapter + "lying_counter");
  EXPECT_EQ(lying.code, 1) << lying.text;
  EXPECT_THAT(failure(lying.report, "telemetry", "energy counter against power"), HasSubstr("power samples"));
  const Judged right = kit(adapter + "sensors");
  EXPECT_EQ(right.code, 0) << right.text;
  EXPECT_EQ(right.report["score"]["passed"], 1) << right.text;
  for (const json& f : right.report["checks"][0]["findings"]) EXPECT_EQ(f["outcome"], "pass") << f;
}

TEST_F(Conformance, CatchesEnergyThatNoDeviceGives) {
  const char* const kDraw = "energy that the device can draw";
  caught("counter_jumps", "telemetry", kDraw, "the counter jumped by 500");
  caught("counts_in_mj", "telemetry", kDraw, "W on average, over 2 times the power limit of 150 W: another unit?");
  caught("counts_mj_by_power", "telemetry", "energy counter against power", "in another unit than J or W");
  caught("counter_goes_back", "telemetry", "plausible values", "energy_j goes back");
  caught("negative_power", "telemetry", "plausible values", "power_w is -");
  caught("power_is_nan", "telemetry", "plausible values", "power_w is ");
  const Judged right = kit("--adapter " + std::string(kFolder) +
                           "crooked.adapter.json --only telemetry --adapter-option crooked=counter_alone");
  EXPECT_EQ(right.code, 0) << right.text;
  for (const json& f : right.report["checks"][0]["findings"]) EXPECT_NE(f["outcome"], "fail") << f;
}

TEST_F(Conformance, CatchesTracesThatAreNotTrue) {
  caught("wrong_trace_clock", "trace", "times and ops", "lies outside of its steps");
  caught("tells_twice", "trace", "told once", "4 activities were told again");
  caught("counts_another_op", "trace", "counters", "a counter of op 1, which was not asked for");
  const Judged right = kit("--adapter " + std::string(kFolder) +
                           "crooked.adapter.json --only trace --adapter-option "
                           "crooked=trace");
  EXPECT_EQ(right.code, 0) << right.text;
  EXPECT_EQ(right.report["score"]["passed"], 1) << right.text;
}

TEST_F(Conformance, CatchesAFlushThatFlushesNothing) {
  caught("flushes_nothing", "timing.flush", "makes the next step cold", "leaves the caches warm");
  const Judged right = kit("--adapter " + std::string(kFolder) +
                           "crooked.adapter.json --only timing.flush --adapter-option crooked=flush");
  EXPECT_EQ(right.code, 0) << right.text;
  EXPECT_EQ(right.report["score"]["passed"], 1) << right.text;
}

TEST_F(Conformance, CatchesEnginesThatDoNotKeepTheirWord) {
  caught("ignores_cancel", "requests", "cancel", "cancel() is ignored");
  caught("speaks_after_cancel", "requests", "cancel", "5 outputs came behind its end");
  caught("ends_again", "requests", "cancel", "ended 2 times");
  caught("forgets_at_unload", "requests", "unload with requests under way", "has no end");
  caught("answers_twice", "requests", "one request", "was ended 2 times, expected once");
  caught("miscounts", "requests", "sixteen at once", "8 outputs came, 9 are counted");
  caught("drains_for_ever", "requests", "drain within its time", "hung for 3");
  caught("calls_behind_unload", "requests", "unload with requests under way", "1 callbacks behind unload()");
  const Judged right = kit("--adapter " + std::string(kFolder) +
                           "crooked.adapter.json --only requests --adapter-option "
                           "crooked=requests");
  EXPECT_EQ(right.code, 0) << right.text;
  EXPECT_EQ(right.report["score"]["passed"], 1) << right.text;
}

// Whole requests are enough: what needs programs is unsupported, not failed.
TEST_F(Conformance, AnEngineWithoutProgramsConforms) {
  const Judged out = kit("--adapter " + std::string(kFolder) +
                         "crooked.adapter.json --adapter-option crooked=requests_alone --adapter-option "
                         "model=/home/a/model.bin");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_EQ(out.report["settings"], json::parse(R"([["crooked", "requests_alone"], ["model", "model.bin"]])"));
  for (const json& c : out.report["checks"]) {
    const std::string id = c["id"];
    const bool passes = id.rfind("abi", 0) == 0 || id == "requests" || id == "life.reopen" || id == "life.leaks";
    EXPECT_EQ(c["verdict"], passes ? "pass" : "unsupported") << c;
  }
}

// What is missing on this machine is no verdict on the adapter; what breaks in its open is.
TEST_F(Conformance, AnAdapterThatCannotBeOpenedHereIsNotJudged) {
  const std::string crooked = "--adapter " + std::string(kFolder) + "crooked.adapter.json --adapter-option crooked=";
  for (const auto& [arguments, words] :
       {std::pair{crooked + "no_driver",
                  "crooked can't be opened here: open: UNSUPPORTED (2): no driver: libcrooked.so.1"},
        std::pair{"--adapter " + std::string(kFolder) + "missing.adapter.json",
                  "missing can't be opened here: libassay_not_there.so.1 not found; nothing was checked"}}) {
    const Judged out = kit(arguments);
    EXPECT_EQ(out.code, 3) << out.text;
    EXPECT_THAT(out.text, HasSubstr(words));
    EXPECT_THAT(out.text, testing::Not(HasSubstr("does not conform")));
    EXPECT_FALSE(fs::exists(dir_ / "report.json"));
  }
  const Judged broken = kit(crooked + "breaks_in_open");
  EXPECT_EQ(broken.code, 1) << broken.text;
  EXPECT_THAT(broken.text, HasSubstr("open: INTERNAL (7): no licence found"));
  EXPECT_THAT(broken.text, testing::Not(HasSubstr("open: open:")));
  EXPECT_THAT(broken.text, HasSubstr("does not conform"));
}

TEST_F(Conformance, TheTemplatePassesAndSaysWhatItLacks) {
  const fs::path page = dir_ / "report.html";
  const Judged out = kit("--adapter " + std::string(kFolder) + "template.adapter.json --html '" + page.string() + "'");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_EQ(out.report["schema_version"], 2);
  EXPECT_EQ(schema_fault(out.report), "");
  EXPECT_EQ(out.report["score"]["failed"], 0) << out.text;
  for (const json& c : out.report["checks"]) {
    if (c["id"] == "ops.attention" || c["id"] == "ops.matmul") {
      EXPECT_EQ(c["verdict"], "pass") << c;
    }
    if (c["id"] == "ops.conv3d") {
      EXPECT_EQ(c["verdict"], "unsupported") << c;
    }
  }
  std::ifstream stream(page);
  const std::string html{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_THAT(html, HasSubstr("全部强制检查通过"));
  EXPECT_THAT(html, testing::Not(HasSubstr("http")));  // asks nothing of a network
  const std::string id = out.report["id"];
  for (const std::string& fact : {id, std::string(out.report["environment"]["adapter_library_hash"]),
                                  std::string(out.report["environment"]["kernel"])}) {
    EXPECT_THAT(html, HasSubstr(fact));
  }
  const Outcome valid = assay("validate report.json");
  EXPECT_EQ(valid.code, 0) << valid.text;
  EXPECT_THAT(valid.text, HasSubstr("report.json: valid: conformance report " + id + ": adapter template "));
  EXPECT_THAT(valid.text, HasSubstr(" checks passed, 0 failed, "));
}

// The id is what the canonical JSON without it hashes to; what the options, the ABI and the machine were stands there.
TEST_F(Conformance, AReportSaysWhatWasJudgedAndWhere) {
  const Judged out = kit("--adapter " + std::string(kFolder) +
                         "crooked.adapter.json --only abi --adapter-option crooked=requests_alone --html page.html");
  json body = out.report;
  body.erase("id");
  EXPECT_EQ(out.report["id"], xxh3_128_hex(body.dump()));
  EXPECT_THAT(out.text, HasSubstr("report " + std::string(out.report["id"])));
  const std::string host = std::to_string(ASSAY_ABI_MAJOR) + "." + std::to_string(ASSAY_ABI_MINOR);
  EXPECT_EQ(out.report["abi"], json({{"host", host}, {"adapter", host}})) << "the crooked one is built beside it";
  for (const char* name : {"os", "kernel", "hostname_hash", "cpu_model"}) {
    EXPECT_NE(out.report["environment"].value(name, ""), "") << name;
  }
  const std::string library = read_text_file(std::string(kFolder) + "libassay_crooked.so").value();
  EXPECT_EQ(out.report["environment"]["adapter_library_hash"], xxh3_128_hex(library));
  EXPECT_THAT(read_text_file((dir_ / "page.html").string()).value(), HasSubstr("<td>crooked=requests_alone</td>"));
}

TEST_F(Conformance, WhatCouldNotBeOpenedHasNoAbi) {
  const Judged out = kit("--adapter " + std::string(kFolder) +
                         "crooked.adapter.json --only abi --adapter-option crooked=breaks_in_open");
  EXPECT_EQ(out.code, 1) << out.text;
  EXPECT_EQ(out.report["abi"]["adapter"], "");
  EXPECT_EQ(schema_fault(out.report), "");
  EXPECT_THAT(assay("validate report.json").text,
              HasSubstr("1 failed, 0 not offered: does not conform (of the checks that were run)"));
}

// A report is held against its schema, its own findings and its hash; the hash that it should have is not told.
TEST_F(Conformance, AChangedReportIsRefused) {
  const json good = kit("--adapter " + std::string(kFolder) +
                        "crooked.adapter.json --only abi --adapter-option crooked=requests_alone")
                        .report;
  const auto hashed = [](json report) {
    report.erase("id");
    report["id"] = xxh3_128_hex(report.dump());
    return report;
  };
  const auto refused = [&](const json& report, const std::string& words) {
    file("changed.json", report.dump());
    const Outcome out = assay("validate changed.json");
    EXPECT_EQ(out.code, 2) << out.text;
    EXPECT_THAT(out.text, HasSubstr("changed.json:1: " + words));
    EXPECT_THAT(out.text, testing::Not(HasSubstr(std::string(hashed(report)["id"]))));
  };
  json other = good;
  other["adapter"]["version"] = "9.9";
  refused(other, "id: expected the hash of the content, found ");
  other = good;
  other["stars"] = 5;
  refused(hashed(other), "unknown field 'stars'");
  other = good;
  other["adapter"]["name"] = "";
  refused(hashed(other), "adapter.name: expected a text that is not empty");
  other = good;
  other["passed"] = !good["passed"];
  refused(hashed(other), "passed: expected ");
  other = good;
  other["checks"][0]["verdict"] = good["checks"][0]["verdict"] == "pass" ? "fail" : "pass";
  refused(hashed(other), "checks[0].verdict: expected ");
  other = good;
  other["score"]["failed"] = 7;
  refused(hashed(other), "score.failed: expected 0");
}

// One of before has nothing to be checked by: it says so, not what a record would lack.
TEST_F(Conformance, AReportOfBeforeIsRefused) {
  file("old.json", R"({"schema_version": 1, "kind": "assay-conformance", "tool_version": "0.1.0", "checks": []})");
  const Outcome out = refuses("validate old.json", {"old.json:1: schema_version: expected the version 2 of reports",
                                                    "run assay conformance again", "found 1"});
  EXPECT_THAT(out.text, testing::Not(HasSubstr("suite")));
}

TEST_F(Conformance, TheCpuAdapterPasses) {
  const Judged out = kit("--device cpu:0");
  EXPECT_EQ(out.code, 0) << out.text;
}

TEST(ConformanceSchema, RefusesWhatTheKitNeverWrites) {
  json report = json::parse(R"({"schema_version": 2, "kind": "assay-conformance", "tool_version": "0.1.0",
    "id": "0123456789abcdef0123456789abcdef", "tool_commit": "c", "seed": 1, "abi": {"host": "1.4", "adapter": ""},
    "environment": {"os": "o"}, "when": "2026-11-26T00:00:00Z", "form": "quick", "only": "", "adapter": {"name": "a", "vendor": "v", "version": "1"},
    "device": {"index": 0, "product": "p", "arch": "", "driver": "", "basis": "measured", "support": "planned"},
    "settings": [], "passed": false, "score": {"passed": 0, "failed": 1, "unsupported": 0}, "coverage": [], "seconds": 1.5,
    "checks": [{"id": "trace", "group": "trace", "title": "Trace", "mandatory": true, "verdict": "fail", "seconds": 0.1,
      "findings": [{"name": "told once", "outcome": "fail", "detail": ""}]}]})");
  EXPECT_EQ(schema_fault(report), "");
  report["checks"][0]["verdict"] = "excellent";
  EXPECT_NE(schema_fault(report), "");
  report["checks"][0]["verdict"] = "pass";
  report["stars"] = 5;
  EXPECT_NE(schema_fault(report), "");
}

// A package without its library is broken, and one of another ABI wrong, on any machine.
TEST_F(Conformance, BadInputIsRefused) {
  const auto package = [&](const std::string& name, int abi_major) {
    return file(name + ".adapter.json",
                R"({"name": ")" + name + R"(", "vendor": "v", "version": "1", "description": "d", "library": "lib)" +
                    name + R"(.so", "abi_major": )" + std::to_string(abi_major) +
                    R"(, "abi_minor": 0, "tables": ["program/1"], "needs": ["libassay_not_there.so.1"]})");
  };
  const std::string adapter = "--adapter " + std::string(kFolder) + "template.adapter.json ";
  // The manifest of cpu beside another library.
  fs::copy_file(std::string(kFolder) + "libassay_template.so", dir_ / "libassay_template.so");
  const fs::path copied =
      file("cpu.adapter.json", R"({"name": "cpu", "vendor": "Assay project", "version": "0.1.0", "description": "d",
           "library": "libassay_template.so", "abi_major": 1, "abi_minor": 1, "tables": ["program/1"], "needs": []})");
  for (const auto& [arguments, words] :
       {std::pair{std::string("--adapter nowhere.json"), "nowhere.json"},
        std::pair{adapter + "--device 7", "expected one of"},
        std::pair{adapter + "--only nonsense", "no check begins with"},
        std::pair{adapter + "--adapter-option speed=9", "takes no option 'speed'"},
        std::pair{std::string("--device replay --adapter-option samples=none.json"), "none.json: can't be read"},
        std::pair{"--adapter " + package("next", 2).string(), "made for ABI major 2, this host serves 1"},
        std::pair{"--adapter " + package("empty", 1).string(), "libempty.so not found"},
        std::pair{"--adapter " + copied.string(),
                  "expected the adapter 'cpu' that the manifest names, found 'template'"},
        std::pair{std::string(), "expected --adapter FILE"}}) {
    const Judged out = kit(arguments);
    EXPECT_EQ(out.code, 2) << out.text;
    EXPECT_THAT(out.text, HasSubstr(words));
    EXPECT_FALSE(fs::exists(dir_ / "report.json"));
  }
}

}  // namespace
}  // namespace assay
