// Opening adapters that keep to the ABI in all but one thing: each ends as an error that says which.
#include "harness/loader/adapter.h"

#include <gmock/gmock.h>

#include "suites/suite.h"
#include "tests/support/scratch.h"

namespace assay {
namespace {

using testing::HasSubstr;

constexpr const char* kMisfit = LOADER_MODULES "/libmisfit.so";

Graph small() {
  Case c;
  c.kind = StepKind::kGemm;
  c.m = c.n = c.k = 8;
  return *lower(c, LowerOptions{});
}

std::unique_ptr<Adapter> opened(Adapter::Options options = {}) {
  Result<std::unique_ptr<Adapter>> adapter = Adapter::open(kMisfit, std::move(options));
  EXPECT_TRUE(adapter.ok()) << adapter.error().message;
  return adapter.ok() ? std::move(adapter).value() : nullptr;
}

Error open_error(const std::string& misfit) {
  const ScopedVariable variable("ASSAY_TEST_MISFIT", misfit);
  const Result<std::unique_ptr<Adapter>> adapter = Adapter::open(kMisfit, {});
  EXPECT_FALSE(adapter.ok()) << misfit;
  return adapter.ok() ? Error{} : adapter.error();
}

// As when a manifest was copied from another adapter's. What says another name is not opened: misfit's open would fail.
TEST(OpenAdapter, ALibraryOfAnotherNameThanItsManifestIsRefused) {
  EXPECT_TRUE(Adapter::open(kMisfit, {}, "misfit").ok());
  const ScopedVariable variable("ASSAY_TEST_MISFIT", "open-fails");
  const Result<std::unique_ptr<Adapter>> adapter = Adapter::open(kMisfit, {}, "cpu");
  ASSERT_FALSE(adapter.ok());
  EXPECT_EQ(adapter.error().kind, ErrorKind::kBadInput);
  EXPECT_EQ(adapter.error().message, std::string(kMisfit) +
                                         ": expected the adapter 'cpu' that the manifest names, found 'misfit' by "
                                         "'Assay tests'");
}

TEST(OpenAdapter, AFileThatIsNoLibraryIsNamed) {
  const auto absent = Adapter::open("/absent/libacme.so", {});
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().kind, ErrorKind::kAdapter);
  EXPECT_THAT(absent.error().message, HasSubstr("/absent/libacme.so"));
}

TEST(OpenAdapter, ALibraryWithoutTheSymbolIsNoAdapter) {
  const auto adapter = Adapter::open(LOADER_MODULES "/libalarm.so", {});
  ASSERT_FALSE(adapter.ok());
  EXPECT_THAT(adapter.error().message, HasSubstr("libalarm.so: exports no assay_adapter_entry"));
}

TEST(OpenAdapter, AnotherMajorIsRefusedFromBothSides) {
  EXPECT_THAT(open_error("other-major-refused").message, HasSubstr("does not serve ABI major 1"));
  EXPECT_THAT(open_error("other-major").message, HasSubstr("made for ABI major 2, this host serves 1"));
}

TEST(OpenAdapter, AMissingMandatoryCallIsRefused) {
  EXPECT_THAT(open_error("no-close").message, HasSubstr("one is missing"));
  EXPECT_THAT(open_error("short-core").message, HasSubstr("one is missing"));
}

TEST(OpenAdapter, AFailedOpenCarriesStatusAndText) {
  EXPECT_EQ(open_error("open-fails").message, "open: INTERNAL (7): the licence has run out");
  EXPECT_EQ(open_error("open-unknown-status").message, "open: unknown (99)");
}

TEST(OpenAdapter, OptionsReachTheAdapter) {
  EXPECT_EQ(opened()->devices()->front().product, "none");
  EXPECT_EQ(opened({{"size", "3"}, {"colour", "green"}})->devices()->front().product, "green");
}

TEST(Devices, AreNumberedByTheHostAndUnknownTextsAreEmpty) {
  const auto adapter = opened();
  const DeviceInfo device = adapter->devices()->front();
  EXPECT_EQ(device.index, 0u);
  EXPECT_EQ(device.arch, "");
  EXPECT_EQ(device.basis, "projected");
  EXPECT_EQ(device.support, "planned");
  const ScopedVariable misfit("ASSAY_TEST_MISFIT", "odd-basis");
  EXPECT_EQ(adapter->devices()->front().basis, "unknown");
  EXPECT_EQ(adapter->devices()->front().support, "unknown");
}

TEST(Devices, FailuresNameTheCall) {
  const auto adapter = opened();
  const auto error_of = [&](const char* misfit) {
    const ScopedVariable variable("ASSAY_TEST_MISFIT", misfit);
    const auto devices = adapter->devices();
    EXPECT_FALSE(devices.ok()) << misfit;
    return devices.ok() ? Error{} : devices.error();
  };
  EXPECT_EQ(error_of("count-fails").message, "device_count: DEVICE_LOST (4)");
  EXPECT_EQ(error_of("info-fails").message, "device_info: TIMEOUT (5)");
  EXPECT_EQ(error_of("info-fails").kind, ErrorKind::kTimeout);
  EXPECT_THAT(error_of("many-devices").message, HasSubstr("4000000000 devices"));
}

TEST(Programs, AnIncompleteTableIsNoTable) {
  const auto adapter = opened();
  EXPECT_NE(adapter->program_table(), nullptr);
  EXPECT_EQ(adapter->telemetry_table(), nullptr);
  for (const char* misfit : {"no-table", "no-wait", "short-table"}) {
    const ScopedVariable variable("ASSAY_TEST_MISFIT", misfit);
    EXPECT_EQ(adapter->program_table(), nullptr) << misfit;
    for (const Error& error : {adapter->supports(small(), 0).error(), adapter->prepare(small(), 0).error()}) {
      EXPECT_EQ(error.kind, ErrorKind::kUnsupported);
      EXPECT_EQ(error.message, "adapter 'misfit' has no whole table program/1");
    }
  }
}

TEST(Programs, ANoComesWithItsReasonOrItsStatus) {
  const auto adapter = opened();
  EXPECT_TRUE(adapter->supports(small(), 0).ok());
  const auto refusal = [&](const char* misfit) {
    const ScopedVariable variable("ASSAY_TEST_MISFIT", misfit);
    return adapter->supports(small(), 0).error();
  };
  EXPECT_EQ(refusal("no-reason").message, "program.supports: UNSUPPORTED (2)");
  EXPECT_EQ(refusal("no-reason").kind, ErrorKind::kUnsupported);
  EXPECT_EQ(refusal("endless-reason").message, std::string(1023, 'x')) << "cut where the buffer ends";
}

TEST(Programs, FailuresNameTheCall) {
  const auto adapter = opened();
  const auto failure = [&](const char* misfit) {
    const ScopedVariable variable("ASSAY_TEST_MISFIT", misfit);
    return adapter->prepare(small(), 0).error();
  };
  EXPECT_EQ(failure("no-program").message, "program.prepare: OK without a program");
  EXPECT_EQ(failure("prepare-fails").message, "program.prepare: OUT_OF_MEMORY (3)");
  EXPECT_EQ(failure("prepare-fails").kind, ErrorKind::kOutOfMemory);
  const auto program = adapter->prepare(small(), 0);
  ASSERT_TRUE(program.ok());
  EXPECT_EQ((*program)->write(0, 0, nullptr, 0).error().message, "program.write: DEVICE_LOST (4)");
  EXPECT_EQ((*program)->last_error("program.wait", ASSAY_CANCELLED).message, "program.wait: CANCELLED (6)");
}

// A name that is NULL must not be read.
TEST(Programs, ANamelessAdapterIsStillNamed) {
  const ScopedVariable variable("ASSAY_TEST_MISFIT", "nameless");
  const auto adapter = opened();
  const ScopedVariable table("ASSAY_TEST_MISFIT", "no-table");
  EXPECT_EQ(adapter->supports(small(), 0).error().message, "adapter '' has no whole table program/1");
}

}  // namespace
}  // namespace assay
