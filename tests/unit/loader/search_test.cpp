// Where adapters are looked for, and which of two with one name is taken.
#include <gmock/gmock.h>

#include "harness/loader/manifest.h"
#include "tests/support/scratch.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class AdapterSearch : public Scratch {
 protected:
  fs::path manifest(const std::string& folder, const std::string& name, const std::string& vendor) const {
    file(folder + "/lib" + name + ".so", "");
    return file(folder + "/" + name + ".adapter.json",
                "{\"name\": \"" + name + "\", \"vendor\": \"" + vendor +
                    "\", \"version\": \"1\", \"description\": \"\", \"library\": \"lib" + name +
                    ".so\", \"abi_major\": 1, \"abi_minor\": 0, \"tables\": [], \"needs\": []}");
  }
  // "name by vendor" of all but the adapters that belong to this build.
  std::vector<std::string> found(const std::vector<fs::path>& extra = {}) const {
    std::vector<std::string> out;
    for (const Manifest& m : find_adapters(extra)) {
      if (m.file.string().rfind(dir_.string(), 0) == 0) out.push_back(m.name + " by " + m.vendor);
    }
    return out;
  }
  std::string folder(const std::string& name) const { return (dir_ / name).string(); }
};

// None of two stands silently for the other: neither can be used, and both are named.
TEST_F(AdapterSearch, TwoOfOneNameAreRefused) {
  const fs::path first = manifest("one", "acme", "first"), second = manifest("two", "acme", "second");
  manifest("two", "bolt", "second");
  const ScopedVariable path("ASSAY_ADAPTER_PATH", folder("one") + ":" + folder("two"));
  const std::vector<Manifest> all = find_adapters({});
  EXPECT_EQ(all[0].problem, "two adapters are called 'acme', " + first.string() + " and " + second.string() +
                                "; expected one, or --adapter FILE");
  EXPECT_EQ(all[1].name, "bolt");
  EXPECT_EQ(all[1].problem, "");
  EXPECT_EQ(find_adapters({first, second})[0].problem, "two adapters are called 'acme', " + first.string() + " and " +
                                                           second.string() + "; expected one --adapter of that name");
}

TEST_F(AdapterSearch, OneFileFoundTwiceIsOne) {
  manifest("one", "acme", "first");
  fs::create_directory_symlink(dir_ / "one", dir_ / "link");
  const ScopedVariable path("ASSAY_ADAPTER_PATH", folder("one") + ":" + folder("link"));
  EXPECT_EQ(find_adapters({})[0].problem, "");
  EXPECT_EQ(find_adapters({dir_ / "one" / "acme.adapter.json"})[0].hides, "");
}

TEST_F(AdapterSearch, AFileGivenByNameHidesThePaths) {
  const fs::path given = manifest("given", "acme", "given"), other = manifest("one", "acme", "first");
  const ScopedVariable path("ASSAY_ADAPTER_PATH", folder("one"));
  EXPECT_THAT(found({given}), ElementsAre("acme by given"));
  EXPECT_EQ(find_adapters({given})[0].problem, "");
  EXPECT_EQ(find_adapters({given})[0].hides, other) << "and says which";
}

// The build's own folder holds null.
TEST_F(AdapterSearch, NoneOfThePathStandsForTheProgramsOwn) {
  const auto null_of = [] {
    for (const Manifest& m : find_adapters({})) {
      if (m.name == "null") return m;
    }
    return Manifest{};
  };
  const ScopedVariable none("ASSAY_ADAPTER_PATH", "");
  EXPECT_EQ(null_of().vendor, "Assay project");
  EXPECT_EQ(null_of().problem, "");
  const fs::path stranger = manifest("one", "null", "stranger");
  const ScopedVariable path("ASSAY_ADAPTER_PATH", folder("one"));
  EXPECT_THAT(null_of().problem, HasSubstr("two adapters are called 'null', " + stranger.string() + " and "));
}

TEST_F(AdapterSearch, EmptyAndAbsentFoldersAreNoFault) {
  manifest("one", "acme", "first");
  file("one/readme.json", "not a manifest");
  fs::create_directories(dir_ / "empty");
  const ScopedVariable path("ASSAY_ADAPTER_PATH",
                            ":" + folder("absent") + "::" + folder("empty") + ":" + folder("one") + ":");
  EXPECT_THAT(found(), ElementsAre("acme by first"));
}

TEST_F(AdapterSearch, ABadManifestIsListedWithItsProblem) {
  file("one/broken.adapter.json", "{\"name\": 3}");
  manifest("one", "whole", "first");
  const ScopedVariable path("ASSAY_ADAPTER_PATH", folder("one"));
  const std::vector<Manifest> all = find_adapters({dir_ / "absent.adapter.json"});
  ASSERT_GE(all.size(), 3u);
  EXPECT_EQ(all.front().name, "whole");
  EXPECT_EQ(all[all.size() - 2].name, "absent");
  EXPECT_THAT(all[all.size() - 2].problem, HasSubstr("absent.adapter.json"));
  EXPECT_EQ(all.back().name, "broken");
  EXPECT_THAT(all.back().problem, HasSubstr("broken.adapter.json: "));
}

// Found before the good one and after it.
TEST_F(AdapterSearch, ABadManifestTakesNoNameFromAGoodOne) {
  file("bad/acme.adapter.json", "{");
  manifest("good", "acme", "first");
  for (const std::string& order : {folder("bad") + ":" + folder("good"), folder("good") + ":" + folder("bad")}) {
    const ScopedVariable path("ASSAY_ADAPTER_PATH", order);
    const std::vector<Manifest> all = find_adapters({});
    EXPECT_EQ(all.front().name + " by " + all.front().vendor, "acme by first") << order;
    EXPECT_EQ(all.front().problem, "") << order;
    EXPECT_EQ(all.front().hides, "") << order;
    EXPECT_EQ(all.back().name, "acme") << order;
    EXPECT_THAT(all.back().problem, HasSubstr("bad/acme.adapter.json: line 1")) << order;
  }
}

}  // namespace
}  // namespace assay
