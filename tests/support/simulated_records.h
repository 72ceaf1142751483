// Records of stand-in chips that were never measured: basis "simulated", for tests and benchmarks of what reads
// records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "results/record.h"
#include "suites/suite.h"

namespace assay::simulated {

// A roofline with overhead; enough for step times of a plausible size.
struct Chip {
  std::string product;
  double flops_per_s = 0, bytes_per_s = 0, watts = 0;
  double overhead_s = 0;   // of every step
  double jitter = 0;       // sigma of the logarithm of a step's time
  double stall_share = 0;  // of the steps
};

// Three whose names the shipped price book knows.
std::vector<Chip> chips();

// Prefill and decode of `model` in bf16: batch x context or prompt length.
std::vector<Case> cases(const ModelShape& model);

// The parts of a clip of `video`: a denoising pass, the text encoder, a tile of the VAE; all in bf16.
std::vector<Case> video_cases(const VideoShape& video);

// `steps` timed steps; the same for the same arguments. The id is set.
Record record(const Chip& chip, const Case& c, size_t steps, uint64_t seed);

}  // namespace assay::simulated
