// A run for tests of comparisons.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "results/record.h"

namespace assay::comparing {

// `n` steps of about `ms` with 1 % of noise; batch 4 of one decode case unless changed.
inline Record run(double ms, uint64_t seed, size_t n = 400, int64_t batch = 4) {
  Record r;
  r.basis = "measured";
  r.status = "ok";
  r.suite = "decode";
  r.step_kind = "decode";
  r.model = "m";
  r.dtype = "bf16";
  r.batch = r.tokens_per_step = batch;
  r.context = 512;
  r.case_id = "decode/m/bf16/b" + std::to_string(batch) + "/c512";
  r.case_hash = "hash-b" + std::to_string(batch);
  r.device = "chip:0";
  r.device_product = "Chip";
  std::mt19937_64 random(seed);
  std::normal_distribution<double> noise(1, 0.01);
  uint64_t at = 0;
  for (size_t i = 0; i < n; ++i) {
    r.samples.start_ns.push_back(at);
    r.samples.host_ns.push_back(static_cast<uint64_t>(ms * 1e6 * noise(random)));
    at += r.samples.host_ns.back();
  }
  return r;
}

}  // namespace assay::comparing
