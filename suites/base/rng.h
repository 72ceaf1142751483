// Counter-based random values: element i of tensor t under a seed, in any order, on any host, bit for bit.
#pragma once

#include <cstdint>

#include "suites/base/low_precision.h"
#include "suites/graph.h"

namespace assay {

// n(seed, stream, i): zero mean, unit variance, |n| < 3.5; the scaled sum of four 16-bit uniforms of a
// 64-bit hash (excess kurtosis -0.3), so that it is exact in integers and fast in vectors.
float normal_at(uint64_t seed, uint64_t stream, uint64_t index);
// Uniform in [0, bound), bound <= 2^31.
int32_t uniform_at(uint64_t seed, uint64_t stream, uint64_t index, uint32_t bound);

// The place of element i of 0..n-1 in an order that `seed` fixes: a permutation, by a Feistel network of four rounds on
// the least even number of bits that hold n, walked until it falls below n. 1 <= n <= 2^31.
uint32_t page_at(uint64_t seed, uint32_t n, uint32_t i);

// Codes of a quantised dtype that stand for one standard deviation of a kNormal fill, whatever its mean and stddev say;
// 0 for dtypes that hold values themselves.
double codes_per_sigma(uint32_t dtype);

// Writes elements [first, first + count) of `tensor` in its own dtype. stream is the tensor's index in its graph. Of
// dtypes of two elements a byte, `first` is even, and the fill kNormal.
void fill_elements(const Tensor& tensor, uint64_t stream, uint64_t seed, uint64_t first, uint64_t count, void* out);

}  // namespace assay
