#include "harness/run/fit.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/run/layers.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr int64_t kSmallest = 16, kShare = 256;
constexpr uint64_t kChunkBytes = uint64_t{8} << 20;

Case with_context(const Case& c, int64_t context) {
  Case out = c;
  out.context = context;
  return out;
}

Result<uint64_t> bytes_at(const Case& c, int64_t context) {
  const Result<Graph> graph = lower(with_context(c, context), LowerOptions{});
  if (!graph.ok()) return graph.error();
  return graph_memory(*graph).total();
}

class Search {
 public:
  Search(const Bench& bench, const Case& c) : bench_(bench), case_(c) {}

  // True: allocated. False: too large. The program is gone again when this
  // returns.
  Result<bool> fits(int64_t context) {
    const Result<Graph> graph = lower(with_context(case_, context), LowerOptions{});
    if (!graph.ok()) return graph.error();
    ++fit.tries;
    bench_.pulse.plan(graph_memory(*graph).total());
    const Result<std::unique_ptr<Program>> program = prepared(*graph);
    if (!program.ok()) {
      if (program.error().kind != ErrorKind::kOutOfMemory) return program.error();
      fit.refused_context = context;
      fit.refusal = program.error().message;
      return false;
    }
    const Result<uint64_t> written = write_all(*graph, **program);
    if (!written.ok() && written.error().kind != ErrorKind::kOutOfMemory) return written.error();
    if (!written.ok()) {
      fit.refused_context = context;
      fit.refusal = written.error().message;
      return false;
    }
    fit.written_bytes = *written;
    fit.context = context;
    fit.planned_bytes = graph_memory(*graph).total();
    fit.allocated_bytes = (*program)->info().device_bytes;
    return true;
  }

  Fit fit;

 private:
  Result<std::unique_ptr<Program>> prepared(const Graph& graph) const {
    InAdapter inside(bench_.pulse, "program.prepare");
    return bench_.adapter.prepare(graph, bench_.device);
  }
  // How many bytes of the program's tensors took a zero.
  Result<uint64_t> write_all(const Graph& graph, Program& program) const {
    const std::vector<uint8_t> zeros(kChunkBytes);
    uint64_t sum = 0;
    for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
      const Tensor& tensor = graph.tensors[t];
      if (tensor.role == ASSAY_ROLE_OUTPUT || tensor.role == ASSAY_ROLE_SCRATCH) continue;
      const uint64_t bytes = packed_bytes(tensor.dtype, static_cast<uint64_t>(graph.elements(t)));
      for (uint64_t at = 0; at < bytes && !bench_.pulse.stop_asked(); at += kChunkBytes) {
        InAdapter inside(bench_.pulse, "program.write");
        const Status status = program.write(t, at, zeros.data(), std::min(kChunkBytes, bytes - at));
        if (!status.ok()) return status.error();
        sum += std::min(kChunkBytes, bytes - at);
      }
    }
    return sum;
  }

  const Bench& bench_;
  const Case& case_;
};

// The largest context whose tensors are no more than `usable`, up to `limit`.
Result<int64_t> by_arithmetic(const Case& c, uint64_t usable, int64_t limit) {
  int64_t low = 0, high = limit + 1;
  while (high - low > 1) {
    const int64_t mid = low + (high - low) / 2;
    const Result<uint64_t> bytes = bytes_at(c, mid);
    if (!bytes.ok()) return bytes.error();
    (*bytes <= usable ? low : high) = mid;
  }
  return low;
}

}  // namespace

Result<Fit> largest_context(const Bench& bench, const Case& c, const DeviceInfo& device) {
  if (c.kind != StepKind::kDecode) return bad_input("the case: expected one of decode, whose context can grow");
  Search search(bench, c);
  Fit& fit = search.fit;
  fit.basis = device.basis;
  fit.limit = c.model.max_context - c.tokens;
  fit.free_bytes = device.memory_free_bytes;
  if (fit.limit < kSmallest) return bad_input("the case: the model's context is too short");
  const std::optional<uint64_t> usable = usable_bytes(device);
  const Result<int64_t> guess = by_arithmetic(c, usable.value_or(UINT64_MAX), fit.limit);
  if (!guess.ok()) return guess.error();
  fit.planned_context = *guess;
  // From the guess outwards, so that few programs are prepared.
  int64_t low = 0, high = fit.limit + 1, at = std::max(kSmallest, *guess);
  while (true) {
    const Result<bool> fits = search.fits(at);
    if (!fits.ok()) return fits.error();
    (*fits ? low : high) = at;
    if (bench.pulse.stop_asked() || low == fit.limit || high <= kSmallest) break;
    if (high - low <= std::max(kSmallest, low / kShare)) break;
    const int64_t near = std::max(kSmallest, at / 16);
    const bool first_steps = fit.tries < 3;
    const int64_t middle = low + (high - low) / 2;
    at = !first_steps ? middle : *fits ? std::min(low + near, middle) : std::max(high - near, middle);
    at = std::clamp(at, std::max(low + 1, kSmallest), high - 1);
  }
  return fit;
}

std::string fit_to_json(const Fit& fit) {
  return json{{"basis", fit.basis},
              {"limit", fit.limit},
              {"planned_context", fit.planned_context},
              {"context", fit.context},
              {"planned_bytes", fit.planned_bytes},
              {"allocated_bytes", fit.allocated_bytes},
              {"written_bytes", fit.written_bytes},
              {"refused_context", fit.refused_context},
              {"refusal", fit.refusal},
              {"tries", fit.tries},
              {"free_bytes", fit.free_bytes}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Fit> fit_from_json(const std::string& text) {
  try {
    const json j = json::parse(text);
    return Fit{j.at("basis").get<std::string>(),       j.at("limit").get<int64_t>(),
               j.at("planned_context").get<int64_t>(), j.at("context").get<int64_t>(),
               j.at("planned_bytes").get<uint64_t>(),  j.at("allocated_bytes").get<uint64_t>(),
               j.at("written_bytes").get<uint64_t>(),  j.at("refused_context").get<int64_t>(),
               j.at("refusal").get<std::string>(),     j.at("tries").get<int>(),
               j.at("free_bytes").get<uint64_t>()};
  } catch (const std::exception& e) {
    return Error{ErrorKind::kInternal, std::string("the worker's fit: ") + e.what()};
  }
}

}  // namespace assay
