// A store whose bytes are not what was written.
#include <gmock/gmock.h>

#include "results/store/sqlite.h"
#include "results/store/store.h"
#include "tests/support/scratch.h"

namespace assay {
namespace {

class StoreDamage : public Scratch {
 protected:
  // Two records that differ.
  void SetUp() override {
    std::vector<Record> records(2);
    for (Record& r : records) {
      r.status = "failed";
      r.basis = "measured";
      r.case_id = "decode/m/f32/b1/c512";
      r.created = "2026-01-0" + std::to_string(1 + (&r - records.data())) + "T00:00:00Z";
      ASSERT_TRUE(write_record(r, dir_ / "records").ok());
    }
    Result<Store> store = Store::create_or_open(dir_ / "s.db");
    ASSERT_TRUE(store.ok() && store->add({dir_ / "records"}).ok());
  }
  Status checked() const {
    const Result<Store> store = Store::open_read_only(dir_ / "s.db");
    return store.ok() ? store->check() : Status(store.error());
  }
  void execute(const std::string& sql) const {
    Result<sqlite::Database> database = sqlite::Database::open(dir_ / "s.db", sqlite::Database::Mode::kCreate);
    ASSERT_TRUE(database.ok() && database->execute(sql).ok());
  }
};

TEST_F(StoreDamage, AWholeStoreIsSound) {
  const Status sound = checked();
  EXPECT_TRUE(sound.ok()) << sound.error().message;
}

// Each frame is whole, and the text is that of another record.
TEST_F(StoreDamage, ATextMustGiveItsId) {
  execute("UPDATE body SET json = (SELECT json FROM body WHERE record = 2) WHERE record = 1");
  const Status found = checked();
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(found.error().message, testing::HasSubstr("expected its hash to be that, found another text"));
  EXPECT_THAT(found.error().message, testing::HasSubstr("the store is damaged; build it anew from the records"));
}

TEST_F(StoreDamage, ARecordWithoutItsTextIsDamage) {
  execute("DELETE FROM body WHERE record = 2");
  EXPECT_THAT(checked().error().message, testing::HasSubstr("the store is damaged"));
}

}  // namespace
}  // namespace assay
