// A run as a file: written, read back, and gone on with only where it is the same run.
#include "harness/plan/campaign.h"

#include <gmock/gmock.h>

#include <functional>

#include "tests/support/scratch.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Campaign campaign() {
  Campaign c;
  c.tool_version = "0.1.0";
  c.tool_commit = "abc";
  c.created = "2026-01-02T03:04:05Z";
  c.arguments = {"decode", "--quick"};
  c.device = "cpu:0";
  c.form = "quick";
  c.seed = UINT64_MAX;
  c.threads = 2;
  c.time_limit_s = 1.5;
  c.launches = 4;
  c.options = {{"colour", "green"}, {"colour", "red"}};
  c.cases = {{"decode/a", "h1", "s1"}, {"decode/b", "h2", "s1"}};
  return c;
}

TEST(CampaignFile, SurvivesTheWay) {
  const Result<Campaign> back = campaign_from_json(campaign_to_json(campaign()), "campaign.json");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(campaign_to_json(*back), campaign_to_json(campaign()));
  EXPECT_EQ(back->seed, UINT64_MAX);
  EXPECT_EQ(back->options, campaign().options);
  EXPECT_EQ(campaign_difference(campaign(), *back), "");
}

TEST(CampaignFile, FaultsNameTheField) {
  const auto refused = [](const std::string& from, const std::string& to, const std::string& word) {
    std::string text = campaign_to_json(campaign());
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    const Result<Campaign> back = campaign_from_json(text.replace(at, from.size(), to), "campaign.json");
    ASSERT_FALSE(back.ok()) << to;
    EXPECT_EQ(back.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(back.error().message, testing::AllOf(HasSubstr("campaign.json"), HasSubstr(word)));
  };
  refused("\"campaign_version\": 1", "\"campaign_version\": 2", "campaign_version");
  refused("\"seed\"", "\"sead\"", "did you mean 'seed'");
  refused("\"form\": \"quick\"", "\"form\": \"long\"", "form");
  refused("\"threads\": 2", "\"threads\": -2", "threads");
  refused("\"h1\"", "7", "cases[0].hash");
}

TEST(CampaignFile, AnotherRunIsNamedByItsDifference) {
  const auto difference = [](const std::function<void(Campaign*)>& change) {
    Campaign now = campaign();
    change(&now);
    return campaign_difference(campaign(), now);
  };
  EXPECT_EQ(difference([](Campaign* c) { c->device = "cpu:1"; }), "--device: cpu:0 before, cpu:1 now");
  EXPECT_EQ(difference([](Campaign* c) { c->form = "full"; }), "form: --quick before, --full now");
  EXPECT_EQ(difference([](Campaign* c) { c->seed = 7; }), "--seed: 18446744073709551615 before, 7 now");
  EXPECT_EQ(difference([](Campaign* c) { c->threads = 1; }), "threads: 2 before, 1 now");
  EXPECT_THAT(difference([](Campaign* c) { c->time_limit_s = 0; }), HasSubstr("--time-limit: 1.5"));
  EXPECT_EQ(difference([](Campaign* c) { c->launches = 0; }), "--launches: 4 before, of the suites now");
  EXPECT_THAT(difference([](Campaign* c) { c->options.pop_back(); }), HasSubstr("--adapter-option"));
  EXPECT_THAT(difference([](Campaign* c) { c->tool_version = "0.2.0"; }), HasSubstr("0.1.0 before, 0.2.0 now"));
  EXPECT_EQ(difference([](Campaign* c) { c->cases[1].hash = "x"; }),
            "case 2 (decode/b): its definition has changed since");
  EXPECT_EQ(difference([](Campaign* c) { c->cases[1].suite_hash = "x"; }),
            "case 2 (decode/b): its suite has changed since");
  EXPECT_EQ(difference([](Campaign* c) { c->cases.pop_back(); }), "cases: 2 before, 1 now");
  EXPECT_THAT(difference([](Campaign* c) { std::swap(c->cases[0], c->cases[1]); }),
              HasSubstr("case 1: decode/a before"));
  // What is said in other words, at another time, is the same run.
  EXPECT_EQ(difference([](Campaign* c) { c->created = "later", c->arguments = {"decode"}; }), "");
}

Record record(const std::string& hash, const std::string& status, const std::string& created) {
  Record r;
  r.case_hash = hash;
  r.case_id = hash == "h1" ? "decode/a" : "decode/b";
  r.suite_hash = "s1";
  r.basis = "measured";
  r.status = status;
  r.created = created;
  r.device = "cpu:0";
  r.form = "quick";
  r.seed = UINT64_MAX;
  return r;
}

TEST(Resume, TheLastRecordOfEachCaseCounts) {
  const std::vector<Record> records{
      record("h2", "ok", "2026-01-01T00:00:01Z"), record("h1", "failed", "2026-01-01T00:00:00Z"),
      record("h1", "ok", "2026-01-01T00:00:00Z"), record("x", "ok", "2026-01-01T00:00:09Z"),
      record("h2", "failed", "2026-01-01T00:00:00Z")};
  const std::vector<Record> last = last_records(campaign(), records);
  ASSERT_EQ(last.size(), 2u);
  EXPECT_EQ(last[0].case_hash, "h1");
  EXPECT_EQ(last[0].status, "ok") << "of one second, the ok one is later";
  EXPECT_EQ(last[1].status, "ok");
}

// What was finished stands, whatever an attempt after it left; another campaign's record is none of its leftovers.
TEST(Resume, AFinishedRecordStandsBeforeWhatALaterAttemptLeft) {
  const std::vector<Record> records{
      record("h1", "ok", "2026-01-01T00:00:01Z"),          record("h1", "interrupted", "2026-01-01T00:00:09Z"),
      record("h1", "failed", "2026-01-01T00:00:00Z"),      record("h2", "failed", "2026-01-01T00:00:00Z"),
      record("h2", "interrupted", "2026-01-01T00:00:05Z"), record("x", "failed", "2026-01-01T00:00:00Z")};
  EXPECT_THAT(superseded(campaign(), records), ElementsAre(false, true, true, true, false, false));
  const std::vector<Record> last = last_records(campaign(), records);
  ASSERT_EQ(last.size(), 2u);
  EXPECT_EQ(last[0].status, "ok");
  EXPECT_EQ(last[1].status, "interrupted");
}

// A record keeps of a path the file's name; whoever resumes has the whole one.
TEST(Resume, OptionsAreThoseThatTheRecordKeeps) {
  Campaign c = campaign();
  c.options = {{"kernels", "/home/a/kernels.cubin"}, {"cache_dir", "/tmp/x"}, {"search", "4"}};
  Record r = record("h1", "ok", "1");
  r.adapter_options = {{"kernels", "kernels.cubin"}, {"search", "4"}};
  EXPECT_TRUE(belongs(r, c, c.cases[0]));
  r.adapter_options = {{"kernels", "/home/a/kernels.cubin"}, {"cache_dir", "/tmp/x"}, {"search", "4"}};
  EXPECT_TRUE(belongs(r, c, c.cases[0])) << "as records were before";
  r.adapter_options = {{"kernels", "kernels.cubin"}, {"search", "8"}};
  EXPECT_FALSE(belongs(r, c, c.cases[0]));
}

class CampaignFolder : public Scratch {
 protected:
  void keep(Record r) { ASSERT_TRUE(write_record(r, dir_).ok()); }
  // Launches of both cases on disk; -1: kept before launches were counted, so nothing is run again.
  std::vector<int64_t> kept() {
    std::vector<int64_t> out;
    const Result<std::vector<KeptCase>> cases = kept_cases(campaign(), dir_, here_);
    EXPECT_TRUE(cases.ok()) << cases.error().message;
    for (const KeptCase& c : *cases) out.push_back(c.over ? -1 : c.launches);
    return out;
  }
  Record here_;  // tells nothing, as old records
};

Record launched(const std::string& hash, const std::string& created, size_t launches) {
  Record r = record(hash, "ok", created);
  r.run_launches.emplace();
  r.run_launches->planned = 3;
  for (size_t i = 0; i < launches; ++i) {
    r.samples.start_ns.push_back(i * 100);
    r.samples.host_ns.push_back(50);
    r.run_launches->each.push_back({1, i * 100, 50, std::nullopt, 0});
  }
  return r;
}

TEST_F(CampaignFolder, OnlyOkRecordsOfTheCaseAreGoneOnWith) {
  EXPECT_THAT(kept(), ElementsAre(0, 0));
  keep(launched("h1", "2", 1));
  keep(record("h2", "failed", "3"));
  EXPECT_THAT(kept(), ElementsAre(1, 0));
  keep(launched("h1", "3", 2));
  keep(launched("h2", "1", 3));
  EXPECT_THAT(kept(), ElementsAre(2, 3)) << "the last one counts";
  Record other = launched("h1", "4", 3);
  other.device = "gpu:0";
  keep(other);
  EXPECT_THAT(kept(), ElementsAre(2, 3)) << "another device's record";
  keep(record("h1", "ok", "5"));
  EXPECT_THAT(kept(), ElementsAre(-1, 3));
}

// Three launches are planned.
TEST_F(CampaignFolder, LaunchesOfOneRecordAreOfOnePlace) {
  Record finished = launched("h1", "1", 3), begun = launched("h2", "1", 2);
  for (Record* r : {&finished, &begun, &here_}) {
    r->device_product = "Card";
    r->device_serial_hash = "s1";
    r->device_driver = "1";
    r->environment = {{"hostname_hash", "a"}, {"cpu_model", "C"}, {"kernel", "6.1"}, {"adapter_library_hash", "1"}};
  }
  keep(finished);
  keep(begun);
  EXPECT_THAT(kept(), ElementsAre(3, 2));
  const Record same = here_;
  const auto moved = [&](const std::function<void(Record*)>& change) {
    here_ = same;
    change(&here_);
    const Result<std::vector<KeptCase>> cases = kept_cases(campaign(), dir_, here_);
    EXPECT_TRUE(cases.ok()) << cases.error().message;
    EXPECT_FALSE((*cases)[0].file.empty());
    EXPECT_EQ((*cases)[0].elsewhere, (*cases)[1].elsewhere);
    EXPECT_TRUE((*cases)[1].file.empty() == (kept() == std::vector<int64_t>{3, 0}));
    return (*cases)[1].file.empty() ? (*cases)[1].elsewhere : "goes on";
  };
  EXPECT_EQ(moved([](Record* r) { r->device_serial_hash = "s2"; }), "card");
  EXPECT_EQ(moved([](Record* r) { r->device_driver = "2"; }), "driver");
  EXPECT_EQ(moved([](Record* r) { r->environment["hostname_hash"] = "b"; }), "host");
  EXPECT_EQ(moved([](Record* r) { r->environment["cpu_model"] = "D"; }), "CPU");
  EXPECT_EQ(moved([](Record* r) { r->environment["kernel"] = "6.2"; }), "kernel");
  EXPECT_EQ(moved([](Record* r) { r->environment["adapter_library_hash"] = "2"; }), "build of the adapter");
  // What is not known is no difference.
  EXPECT_EQ(moved([](Record* r) { r->device_serial_hash = ""; }), "goes on");
  EXPECT_EQ(moved([](Record* r) { r->environment["kernel"] = "unknown (no /proc)"; }), "goes on");
}

// Asked again, the same adapter on the same driver would say the same, in one more record.
TEST_F(CampaignFolder, WhatCannotRunIsAskedAgainOnlyOfAnotherAdapter) {
  Record r = record("h1", "unsupported", "2");
  r.adapter_version = "1.0";
  r.tool_commit = "abc";
  r.device_driver = "570";
  keep(r);
  here_ = r;
  EXPECT_THAT(kept(), ElementsAre(-1, 0));
  here_.adapter_version = "1.1";
  EXPECT_THAT(kept(), ElementsAre(0, 0));
  here_.adapter_version = r.adapter_version;
  here_.device_driver = "580";
  EXPECT_THAT(kept(), ElementsAre(0, 0));
  here_.device_driver = r.device_driver;
  here_.tool_commit = "abd";
  EXPECT_THAT(kept(), ElementsAre(0, 0)) << "its own adapters are built with it";
  here_.tool_commit = r.tool_commit;
  keep(record("h1", "interrupted", "3"));
  EXPECT_THAT(kept(), ElementsAre(0, 0)) << "a newer attempt was cut off";
}

TEST_F(CampaignFolder, AnotherProductIsRefused) {
  Record r = launched("h1", "1", 1);
  r.device_product = "Card";
  keep(r);
  here_.device_product = "Other card";
  const Result<std::vector<KeptCase>> cases = kept_cases(campaign(), dir_, here_);
  ASSERT_FALSE(cases.ok());
  EXPECT_EQ(cases.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(cases.error().message, HasSubstr("was measured on Card, cpu:0 is now Other card; expected the same"));
}

TEST_F(CampaignFolder, AFolderWithoutARunSaysSo) {
  EXPECT_THAT(read_campaign(dir_).error().message, HasSubstr("campaign.json"));
  file("campaign.json", "{");
  EXPECT_EQ(read_campaign(dir_).error().kind, ErrorKind::kBadInput);
  file("campaign.json", campaign_to_json(campaign()));
  EXPECT_TRUE(read_campaign(dir_).ok());
}

}  // namespace
}  // namespace assay
