#include "harness/run/load.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "suites/base/rng.h"

namespace assay {
namespace {

constexpr uint64_t kLoadChunkBytes = uint64_t{8} << 20;
constexpr uint64_t kBufferBytes = uint64_t{64} << 20;
constexpr int kMaxFillers = 16;

struct Chunk {
  uint32_t tensor = 0;
  uint64_t first = 0, count = 0;  // elements
};

bool filled_by_host(const Tensor& t) {
  return t.fill.kind != Fill::Kind::kNone && t.role != ASSAY_ROLE_OUTPUT && t.role != ASSAY_ROLE_SCRATCH;
}

std::vector<Chunk> plan_chunks(const Graph& graph, uint64_t chunk_bytes, bool inputs_only) {
  std::vector<Chunk> chunks;
  for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
    const Tensor& tensor = graph.tensors[t];
    if (!filled_by_host(tensor) || (inputs_only && tensor.role != ASSAY_ROLE_INPUT)) continue;
    const auto elements = static_cast<uint64_t>(graph.elements(t));
    const uint64_t step = chunk_bytes * 8 / dtype_bits(tensor.dtype);
    for (uint64_t first = 0; first < elements; first += step) {
      chunks.push_back({t, first, std::min(step, elements - first)});
    }
  }
  return chunks;
}

// Fillers take a free buffer and the next chunk; the writer takes full ones and gives the buffers back.
class FillQueue {
 public:
  FillQueue(const Graph& graph, std::vector<Chunk> chunks, uint64_t seed, int buffers, uint64_t chunk_bytes)
      : graph_(graph), chunks_(std::move(chunks)), seed_(seed) {
    for (int i = 0; i < buffers; ++i) free_.emplace_back(chunk_bytes);
  }

  void fill_until_done() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopped_ || next_ == chunks_.size() || !free_.empty(); });
      if (stopped_ || next_ == chunks_.size()) return;
      const Chunk chunk = chunks_[next_++];
      std::vector<uint8_t> buffer = std::move(free_.back());
      free_.pop_back();
      lock.unlock();
      fill_elements(graph_.tensors[chunk.tensor], chunk.tensor, seed_, chunk.first, chunk.count, buffer.data());
      lock.lock();
      full_.emplace_back(chunk, std::move(buffer));
      changed_.notify_all();
    }
  }

  Status write_all(Program& program, Pulse& pulse) {
    for (size_t written = 0; written < chunks_.size(); ++written) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !full_.empty(); });
      auto [chunk, buffer] = std::move(full_.front());
      full_.pop_front();
      lock.unlock();
      const uint32_t dtype = graph_.tensors[chunk.tensor].dtype;
      Status status = ok_status();
      {
        InAdapter inside(pulse, "program.write");
        status = program.write(chunk.tensor, packed_bytes(dtype, chunk.first), buffer.data(),
                               packed_bytes(dtype, chunk.count));
      }
      pulse.share(static_cast<double>(written + 1) / static_cast<double>(chunks_.size()));
      if (pulse.stop_asked()) status = Error{ErrorKind::kTimeout, "stopped while loading"};
      lock.lock();
      free_.push_back(std::move(buffer));
      stopped_ = !status.ok();
      changed_.notify_all();
      if (!status.ok()) return status;
    }
    return ok_status();
  }

 private:
  const Graph& graph_;
  const std::vector<Chunk> chunks_;
  const uint64_t seed_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<uint8_t>> free_;
  std::deque<std::pair<Chunk, std::vector<uint8_t>>> full_;
  size_t next_ = 0;
  bool stopped_ = false;
};

Status load(const Graph& graph, Program& program, uint64_t seed, const HostThreads& threads, Pulse& pulse,
            bool inputs_only) {
  const int fillers = std::min(threads.count(), kMaxFillers);
  const int buffers = fillers + 2;
  uint64_t chunk_bytes = std::min(kLoadChunkBytes, kBufferBytes / static_cast<uint64_t>(buffers)) & ~uint64_t{4095};
  std::vector<Chunk> chunks = plan_chunks(graph, chunk_bytes, inputs_only);
  uint64_t largest = 0;
  for (const Chunk& c : chunks) largest = std::max(largest, packed_bytes(graph.tensors[c.tensor].dtype, c.count));
  FillQueue queue(graph, std::move(chunks), seed, buffers, largest);
  std::vector<std::thread> pool;
  pool.reserve(static_cast<size_t>(fillers));
  for (int i = 0; i < fillers; ++i) {
    pool.emplace_back([&queue, &threads] {
      threads.adopt();
      queue.fill_until_done();
    });
  }
  Status status = queue.write_all(program, pulse);
  for (std::thread& thread : pool) thread.join();
  return status;
}

}  // namespace

Status load_tensors(const Graph& graph, Program& program, uint64_t seed, const HostThreads& threads, Pulse& pulse) {
  return load(graph, program, seed, threads, pulse, false);
}

Status load_inputs(const Graph& graph, Program& program, uint64_t seed, const HostThreads& threads, Pulse& pulse) {
  return load(graph, program, seed, threads, pulse, true);
}

Status load_repeated(const Graph& graph, Program& program, uint64_t seed, Pulse& pulse) {
  std::vector<uint8_t> block;
  for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
    const Tensor& tensor = graph.tensors[t];
    if (!filled_by_host(tensor)) continue;
    const uint64_t total = graph.bytes(t);
    block.resize(std::min(total, kLoadChunkBytes));
    fill_elements(tensor, t, seed, 0, block.size() * 8 / dtype_bits(tensor.dtype), block.data());
    for (uint64_t offset = 0; offset < total; offset += block.size()) {
      InAdapter inside(pulse, "program.write");
      Status status = program.write(t, offset, block.data(), std::min<uint64_t>(block.size(), total - offset));
      if (!status.ok()) return status;
    }
  }
  return ok_status();
}

}  // namespace assay
