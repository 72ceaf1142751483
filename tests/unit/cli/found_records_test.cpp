// Records of files, folders and runs, joined as commands read them.
#include "harness/plan/found_records.h"

#include <gmock/gmock.h>

#include "harness/plan/campaign.h"
#include "results/store/store.h"
#include "tests/support/scratch.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FoundRecordsTest : public Scratch {
 protected:
  static Record of_case(const std::string& hash, const std::string& status, const std::string& created) {
    Record r;
    r.case_hash = hash;
    r.case_id = "decode/" + hash;
    r.basis = "measured";
    r.status = status;
    r.created = created;
    r.device = "cpu:0";
    r.form = "quick";
    r.seed = 1;
    return r;
  }
  std::filesystem::path keep(const std::string& folder, Record r) const {
    const Result<std::filesystem::path> path = write_record(r, dir_ / folder);
    EXPECT_TRUE(path.ok());
    return *path;
  }
  // A run of case z and then case a, whose first attempts were cut off.
  void run(const std::string& folder) const {
    Campaign c;
    c.tool_version = "0.1.0";
    c.device = "cpu:0";
    c.form = "quick";
    c.seed = 1;
    c.cases = {{"decode/z", "z", "s"}, {"decode/a", "a", "s"}};
    keep(folder, of_case("z", "ok", "2"));
    keep(folder, of_case("z", "interrupted", "1"));
    keep(folder, of_case("a", "ok", "3"));
    keep(folder, of_case("a", "failed", "4"));
    file(folder + "/campaign.json", campaign_to_json(c));
  }
  std::vector<std::string> found(const std::vector<std::string>& places) {
    std::vector<std::string> paths;
    for (const std::string& place : places) paths.push_back((dir_ / place).string());
    const Result<FoundRecords> records = found_records(paths);
    EXPECT_TRUE(records.ok()) << records.error().message;
    if (!records.ok()) return {};
    notes_ = testing::PrintToString(records->notes);
    std::vector<std::string> out;
    for (const Record& r : records->records) out.push_back(r.case_hash + " " + r.status);
    return out;
  }
  std::string notes_;
};

TEST_F(FoundRecordsTest, OfARunTheRecordsThatStandInTheOrderOfThePlan) {
  run("r");
  const std::vector<std::string> expected{"z ok", "a ok"};
  EXPECT_EQ(found({"r"}), expected);
  EXPECT_THAT(notes_, HasSubstr("r: 2 records left out: of their cases others of the same run stand"));
  EXPECT_EQ(found({"r/"}), expected);
  // Below another folder, beside records of no run.
  keep(".", of_case("z", "failed", "9"));
  EXPECT_THAT(found({"."}), ElementsAre("a ok", "z ok", "z failed"));
}

TEST_F(FoundRecordsTest, WhatDoesNotBelongToTheRunStays) {
  run("r");
  Record other = of_case("z", "failed", "9");
  other.seed = 2;
  keep("r", other);
  EXPECT_THAT(found({"r"}), ElementsAre("z ok", "a ok", "z failed"));
}

TEST_F(FoundRecordsTest, ANamedFileIsReadWhateverStands) {
  run("r");
  const std::filesystem::path cut_off = keep("r", of_case("z", "interrupted", "1"));
  EXPECT_THAT(found({std::filesystem::relative(cut_off, dir_).string()}), ElementsAre("z interrupted"));
}

TEST_F(FoundRecordsTest, EachRecordOnceAndACopyIsNoLeftover) {
  run("r");
  std::filesystem::copy_file(keep("r", of_case("z", "ok", "2")), dir_ / "r/again.record.json");
  keep("other", of_case("a", "ok", "3"));
  EXPECT_THAT(found({"r", "other"}), ElementsAre("z ok", "a ok"));
  EXPECT_THAT(notes_, HasSubstr("2 records left out: copies of others here (equal id)"));
}

// As a shell makes of r/*.json.
TEST_F(FoundRecordsTest, ThePlanOfARunIsNoRecord) {
  run("r");
  std::vector<std::string> places;
  for (const auto& entry : std::filesystem::directory_iterator(dir_ / "r")) {
    places.push_back("r/" + entry.path().filename().string());
  }
  ASSERT_EQ(places.size(), 5U);
  EXPECT_EQ(found(places).size(), 4U);
  const std::string plan = (dir_ / "r/campaign.json").string();
  const Result<FoundRecords> alone = found_records({plan});
  ASSERT_FALSE(alone.ok());
  EXPECT_EQ(alone.error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(alone.error().message, plan + ": expected records (*.record.json), found the plan of a run; its records: " +
                                       (dir_ / "r").string());
  EXPECT_EQ(found_files({plan}).error().message, alone.error().message);
}

TEST_F(FoundRecordsTest, AStoreIsGivenTheSame) {
  run("r");
  const Result<FoundFiles> files = found_files({(dir_ / "r").string()});
  ASSERT_TRUE(files.ok()) << files.error().message;
  ASSERT_EQ(files->notes.size(), 1U);
  Result<Store> store = Store::create_or_open(dir_ / "s.db");
  ASSERT_TRUE(store.ok() && store->add(files->files).ok());
  EXPECT_EQ(*store->count(), 2U);
}

}  // namespace
}  // namespace assay
