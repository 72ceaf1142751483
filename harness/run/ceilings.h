// Attainable peaks of the device, measured beside each case by the same adapter: a large GEMM and a large read.
#pragma once

#include <string>

#include "harness/run/layers.h"
#include "harness/run/numerics_check.h"
#include "harness/worker_protocol.h"
#include "results/record.h"

namespace assay {

// Attainable = median of the faster half of the runs: a best-of-n would be beaten by luck, a median would count the
// host's stalls against the device. About 0.2 s each and always fresh. A part that can't be run is absent with a
// reason. Everything is freed before it returns. `device` bounds the sizes; the read exceeds four times its cache.
Ceiling measure_ceilings(const Bench& bench, const std::string& dtype, const DeviceInfo& device);
// The same at the sizes of an earlier launch, without looking for them; what that one lacks, this lacks, too.
Ceiling measure_ceilings_again(const Bench& bench, const std::string& dtype, const EarlierLaunch& earlier);

Rates rates_of(const Ceiling& ceiling);

}  // namespace assay
