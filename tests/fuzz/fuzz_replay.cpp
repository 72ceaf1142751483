// A recording for the replay adapter: refused with a message, or times that can be played.
#include "adapters/replay/recording.h"
#include "adapters/sdk/adapter.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  try {
    const replay::Recording recording = replay::parse(fuzz::text_of(data, size), "fuzz");
    fuzz::must(!recording.host_ns.empty(), "a recording has a step");
    fuzz::must(recording.device_ns.empty() || recording.device_ns.size() == recording.host_ns.size(),
               "device times are as many");
    for (const uint64_t ns : recording.host_ns) fuzz::must(ns >= 1 && ns <= 3'600'000'000'000u, "a step takes time");
  } catch (const sdk::Failure& failure) {
    fuzz::must(failure.status() == ASSAY_INVALID_ARGUMENT && *failure.what() != '\0', "a refusal has a message");
  }
  return 0;
}
