// Memory filled for timing.
#pragma once

#include <cstdint>

#include "adapters/gpu/runtime.h"

namespace assay::gpu {

// Random finite numbers of about one, as weights and activations have them: zeros would draw less power and flatter
// whatever is hot. dtype: floats, 8-bit floats, i8. Waits until it is done.
void fill_randomly(const Runtime& runtime, void* stream, void* to, uint32_t dtype, int64_t elements);

// A table of pages that has each of so many once, in an order that jumps about, as a serving engine's does. Waits until
// it is done.
void fill_page_table(const Runtime& runtime, void* stream, void* to, int64_t entries);

// Memory that sweeps the caches when it is written; none where there is none left.
Memory sweep_memory(const Runtime& runtime, uint64_t bytes);

}  // namespace assay::gpu
