#include "harness/run/tensor_source.h"

#include <algorithm>
#include <limits>

#include "suites/base/rng.h"

namespace assay {
namespace {

constexpr uint64_t kBlockElements = 65536;
constexpr uint64_t kCacheBytes = uint64_t{64} << 20;
constexpr uint64_t kPieceElements = 4096;  // even, as kBlockElements is: two elements may share a byte

}  // namespace

TensorSource::TensorSource(const Graph& graph, uint64_t seed, Program* program, Pulse* pulse, std::mutex* mutex)
    : graph_(graph), seed_(seed), program_(program), pulse_(pulse), mutex_(mutex) {}

Source TensorSource::source() {
  return [this](uint32_t tensor, uint64_t first, uint64_t count, double* out) { get(tensor, first, count, out); };
}

bool TensorSource::from_adapter(uint32_t tensor) const {
  const uint32_t role = graph_.tensors[tensor].role;
  return program_ != nullptr && role != ASSAY_ROLE_INPUT && role != ASSAY_ROLE_WEIGHT;
}

void TensorSource::get(uint32_t tensor, uint64_t first, uint64_t count, double* out) {
  codes(tensor, first, count, out);
  const Tensor& t = graph_.tensors[tensor];
  if (t.scale < 0) return;
  const auto last = static_cast<uint64_t>(t.dims.back());
  const auto block_size = static_cast<uint64_t>(t.scale_block > 0 ? t.scale_block : t.dims.back());
  const uint64_t per_row = last / block_size;
  const uint64_t first_scale = first / last * per_row + first % last / block_size;
  const uint64_t end = first + count - 1;
  std::vector<double> scales(end / last * per_row + end % last / block_size - first_scale + 1);
  codes(static_cast<uint32_t>(t.scale), first_scale, scales.size(), scales.data());
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t element = first + i;
    out[i] *= scales[element / last * per_row + element % last / block_size - first_scale];
  }
}

void TensorSource::codes(uint32_t tensor, uint64_t first, uint64_t count, double* out) {
  if (from_adapter(tensor)) {
    read_back(tensor, first, count, out);
  } else {
    make_again(tensor, first, count, out);
  }
}

void TensorSource::make_again(uint32_t tensor, uint64_t first, uint64_t count, double* out) const {
  const Tensor& t = graph_.tensors[tensor];
  const uint64_t begin = first - first % 2, skipped = first % 2;
  std::vector<uint8_t> raw(packed_bytes(t.dtype, std::min(count + skipped, kPieceElements)));
  for (uint64_t done = 0; done < count + skipped; done += kPieceElements) {
    const uint64_t piece = std::min(kPieceElements, count + skipped - done);
    const uint64_t from = done == 0 ? skipped : 0;
    fill_elements(t, tensor, seed_, begin + done, piece, raw.data());
    unpack(t.dtype, raw.data(), from, piece - from, out + done + from - skipped);
  }
}

void TensorSource::read_back(uint32_t tensor, uint64_t first, uint64_t count, double* out) {
  const uint32_t dtype = graph_.tensors[tensor].dtype;
  for (uint64_t done = 0; done < count;) {
    const uint64_t index = (first + done) / kBlockElements;
    const uint64_t inside = (first + done) % kBlockElements;
    const uint64_t piece = std::min(kBlockElements - inside, count - done);
    const std::vector<uint8_t>& data = block(tensor, index);
    if (data.size() < packed_bytes(dtype, inside + piece)) {
      std::fill(out + done, out + done + piece, std::numeric_limits<double>::quiet_NaN());
    } else {
      unpack(dtype, data.data(), inside, piece, out + done);
    }
    done += piece;
  }
}

const std::vector<uint8_t>& TensorSource::block(uint32_t tensor, uint64_t index) {
  const uint64_t key = (static_cast<uint64_t>(tensor) << 40) | index;
  const auto found = blocks_.find(key);
  if (found != blocks_.end()) return found->second;
  if (cached_bytes_ > kCacheBytes) {
    blocks_.clear();
    cached_bytes_ = 0;
  }
  const uint32_t dtype = graph_.tensors[tensor].dtype;
  const uint64_t elements = static_cast<uint64_t>(graph_.elements(tensor));
  std::vector<uint8_t> data;
  if (index * kBlockElements < elements) {
    data.resize(packed_bytes(dtype, std::min(kBlockElements, elements - index * kBlockElements)));
    const std::unique_lock<std::mutex> turn =
        mutex_ == nullptr ? std::unique_lock<std::mutex>() : std::unique_lock(*mutex_);
    InAdapter inside(*pulse_, "program.read");
    Status status = program_->read(tensor, packed_bytes(dtype, index * kBlockElements), data.data(), data.size());
    if (!status.ok()) {
      if (!error_) error_ = status.error();
      data.clear();
    }
  }
  cached_bytes_ += data.size();
  return blocks_.emplace(key, std::move(data)).first->second;
}

}  // namespace assay
