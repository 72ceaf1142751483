// Manifests: what is read of a good one, and what is said of each way to get one wrong.
#include "harness/loader/manifest.h"

#include <dlfcn.h>
#include <gmock/gmock.h>

#include "tests/support/scratch.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

constexpr const char* kGood = R"({
  "name": "acme", "vendor": "Acme", "version": "1.2", "description": "Acme accelerators", "licence": "MIT",
  "library": "libacme.so", "abi_major": 1, "abi_minor": 1, "tables": ["program/1", "telemetry/1"],
  "needs": ["libc.so.6"]
})";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class ManifestFile : public Scratch {
 protected:
  Result<Manifest> read(const std::string& text) const { return read_manifest(file("acme.adapter.json", text)); }
  // The good manifest with one text replaced gives an error with file, field and these words.
  void refused(const std::string& from, const std::string& to, const std::vector<std::string>& words) const {
    const Result<Manifest> manifest = read(replaced(kGood, from, to));
    ASSERT_FALSE(manifest.ok()) << to;
    EXPECT_EQ(manifest.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(manifest.error().message, HasSubstr("acme.adapter.json: "));
    for (const std::string& word : words) EXPECT_THAT(manifest.error().message, HasSubstr(word)) << to;
  }
};

TEST_F(ManifestFile, AGoodOneIsReadWhole) {
  file("libacme.so", "");
  const Result<Manifest> m = read(kGood);
  ASSERT_TRUE(m.ok()) << m.error().message;
  EXPECT_EQ(m->name, "acme");
  EXPECT_EQ(m->vendor, "Acme");
  EXPECT_EQ(m->version, "1.2");
  EXPECT_EQ(m->description, "Acme accelerators");
  EXPECT_EQ(m->licence, "MIT");
  EXPECT_EQ(m->library, dir_ / "libacme.so");
  EXPECT_EQ(m->abi_major, 1u);
  EXPECT_EQ(m->abi_minor, 1u);
  EXPECT_THAT(m->tables, ElementsAre("program/1", "telemetry/1"));
  EXPECT_THAT(m->needs, ElementsAre("libc.so.6"));
  EXPECT_EQ(m->problem, "");
}

TEST_F(ManifestFile, TheLicenceMayBeLeftOut) {
  file("libacme.so", "");
  EXPECT_TRUE(read(replaced(kGood, "\"licence\": \"MIT\",", "")).ok());
}

TEST_F(ManifestFile, TheOptionsMayBeLeftOutOrNone) {
  const auto options = [&](const std::string& field) {
    const Result<Manifest> m = read(replaced(kGood, "\"needs\"", field + "\"needs\""));
    EXPECT_TRUE(m.ok()) << m.error().message;
    return m->options;
  };
  EXPECT_EQ(options(""), std::nullopt) << "then any option is passed on";
  EXPECT_EQ(options("\"options\": [],"), std::vector<std::string>{});
  EXPECT_EQ(options("\"options\": [\"isa\", \"threads\"],"), (std::vector<std::string>{"isa", "threads"}));
  refused("\"needs\"", "\"options\": [7], \"needs\"", {"options[0]", "a text"});
}

TEST_F(ManifestFile, EveryOtherFieldIsDemanded) {
  const std::pair<const char*, const char*> fields[] = {{"\"name\": \"acme\",", "name"},
                                                        {"\"vendor\": \"Acme\",", "vendor"},
                                                        {"\"version\": \"1.2\",", "version"},
                                                        {"\"description\": \"Acme accelerators\",", "description"},
                                                        {"\"library\": \"libacme.so\",", "library"},
                                                        {"\"abi_major\": 1,", "abi_major"},
                                                        {"\"abi_minor\": 1,", "abi_minor"},
                                                        {"\"tables\": [\"program/1\", \"telemetry/1\"],", "tables"}};
  for (const auto& [text, name] : fields) refused(text, "", {std::string("field '") + name + "' is missing"});
  refused(",\n  \"needs\": [\"libc.so.6\"]", "", {"field 'needs' is missing"});
}

TEST_F(ManifestFile, EveryFieldsTypeIsDemanded) {
  const std::pair<const char*, const char*> fields[] = {
      {"\"acme\"", "name"},   {"\"Acme\"", "vendor"},
      {"\"1.2\"", "version"}, {"\"Acme accelerators\"", "description"},
      {"\"MIT\"", "licence"}, {"\"libacme.so\"", "library"}};
  for (const auto& [text, name] : fields) refused(text, "7", {name, "expected", "found 7"});
  refused("\"abi_major\": 1", "\"abi_major\": \"1\"", {"abi_major", "expected an integer", "'1'"});
  refused("\"abi_minor\": 1", "\"abi_minor\": 1.5", {"abi_minor", "expected an integer", "found 1.5"});
  refused("[\"program/1\", \"telemetry/1\"]", "\"program/1\"", {"tables", "expected"});
  refused("[\"program/1\", \"telemetry/1\"]", "[\"program/1\", 2]", {"tables[1]", "found 2"});
  refused("[\"libc.so.6\"]", "[null]", {"needs[0]", "found null"});
}

TEST_F(ManifestFile, ValuesOutOfRangeAreRefused) {
  refused("\"abi_major\": 1", "\"abi_major\": -1", {"abi_major", "0 to 65535", "found -1"});
  refused("\"abi_minor\": 1", "\"abi_minor\": 65536", {"abi_minor", "0 to 65535", "found 65536"});
  refused("\"acme\"", "\"\"", {"name", "without ':', '/' and blanks"});
  for (const std::string name : {"ac me", "acme:0", "a/b"}) {
    refused("\"acme\"", "\"" + name + "\"", {"name", "without ':', '/' and blanks", "'" + name + "'"});
  }
  refused("\"acme\"", "\"" + std::string(65, 'a') + "\"", {"name", "64"});
  // A manifest may only name its neighbour.
  refused("\"libacme.so\"", "\"/lib/libacme.so\"", {"library", "beside the manifest"});
  refused("\"libacme.so\"", "\"../libacme.so\"", {"library", "beside the manifest"});
  refused("\"libacme.so\"", "\"\"", {"library", "beside the manifest"});
  std::string many;
  for (int i = 0; i < 101; ++i) many += (i == 0 ? "\"l" : ", \"l") + std::to_string(i) + "\"";
  refused("\"libc.so.6\"", many, {"needs", "100"});
}

TEST_F(ManifestFile, TyposSuggestTheNearField) {
  refused("\"vendor\"", "\"vender\"", {"vender", "did you mean 'vendor'"});
  refused("\"abi_major\"", "\"abi_mayor\"", {"abi_mayor", "did you mean 'abi_major'"});
  refused("\"vendor\"", "\"name\"", {"duplicate field 'name'"});
}

TEST_F(ManifestFile, WhatIsNoJsonNamesLineAndColumn) {
  refused("\"tables\":", "\"tables\"", {"line 3"});
  EXPECT_THAT(read("").error().message, HasSubstr("acme.adapter.json"));
  EXPECT_THAT(read("[]").error().message, HasSubstr("object"));
}

TEST_F(ManifestFile, WhatCannotBeReadSaysWhy) {
  EXPECT_THAT(read_manifest(dir_ / "absent.adapter.json").error().message, HasSubstr("absent.adapter.json"));
  EXPECT_FALSE(read_manifest(dir_).ok());
  EXPECT_THAT(read(std::string(kGood) + std::string(size_t{1} << 20, ' ')).error().message, HasSubstr("1048576"));
}

TEST_F(ManifestFile, AnotherMajorIsListedWithTheProblem) {
  file("libacme.so", "");
  const Result<Manifest> m = read(replaced(kGood, "\"abi_major\": 1", "\"abi_major\": 2"));
  ASSERT_TRUE(m.ok()) << m.error().message;
  EXPECT_EQ(m->problem, "made for ABI major 2, this host serves 1");
  // Any minor of the same major loads.
  EXPECT_EQ(read(replaced(kGood, "\"abi_minor\": 1", "\"abi_minor\": 999"))->problem, "");
  EXPECT_EQ(read(replaced(kGood, "\"abi_minor\": 1", "\"abi_minor\": 0"))->problem, "");
}

TEST_F(ManifestFile, AMissingLibraryIsNamed) {
  const Result<Manifest> absent = read(kGood);
  ASSERT_TRUE(absent.ok());
  EXPECT_EQ(absent->problem, (dir_ / "libacme.so").string() + " not found");
  fs::create_directory(dir_ / "libacme.so");
  EXPECT_THAT(read(kGood)->problem, EndsWith("libacme.so not found")) << "a folder is no library";
  EXPECT_FALSE(read(kGood)->machine_lacks) << "the package does";
}

TEST_F(ManifestFile, AMissingNeedIsNamed) {
  file("libacme.so", "");
  const std::string text = replaced(kGood, "\"libc.so.6\"", "\"libc.so.6\", \"libacme_driver.so.4\"");
  EXPECT_EQ(read(text)->problem, "libacme_driver.so.4 not found");
  EXPECT_TRUE(read(text)->machine_lacks);
  file("libacme_driver.so.4", "");  // beside the library: found
  EXPECT_EQ(read(text)->problem, "");
}

// Listing runs no vendor code, whether the adapter can be used or not. That the alarm works is shown last.
TEST_F(ManifestFile, ReadingNeverLoadsTheLibrary) {
  const fs::path marker = dir_ / "alarm";
  const ScopedVariable alarm("ASSAY_TEST_ALARM", marker.string());
  fs::copy_file(LOADER_MODULES "/libalarm.so", dir_ / "libacme.so");
  EXPECT_EQ(read(kGood)->problem, "");
  EXPECT_EQ(read(replaced(kGood, "libc.so.6", "libalarm_driver.so"))->problem, "libalarm_driver.so not found");
  const ScopedVariable path("ASSAY_ADAPTER_PATH", dir_.string());
  EXPECT_EQ(find_adapters({}).front().name, "acme");
  EXPECT_FALSE(fs::exists(marker));
  void* library = dlopen((dir_ / "libacme.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  EXPECT_TRUE(fs::exists(marker));
  dlclose(library);
}

}  // namespace
}  // namespace assay
