// Attention by the vendor's library where it has a plan for the shape: timed against the own kernels when a program is
// prepared, compared with them, and taken where it is faster.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "adapters/gpu/fill.h"
#include "adapters/gpu/lower.h"
#include "adapters/gpu/trial.h"

namespace assay::gpu {

using namespace assay_gpu;

namespace {

constexpr uint64_t kComparedBytes = uint64_t{64} << 20;  // of y, at most
constexpr double kAgree = 1e-2;  // relative difference by norm, as metrics allow 16-bit elements
constexpr size_t kRounds = 3;
constexpr double kClearCut = 3;  // times faster: no further round

double value_of(uint16_t code, bool bf16) {
  if (bf16) {
    const uint32_t bits = static_cast<uint32_t>(code) << 16;
    float out = 0;
    std::memcpy(&out, &bits, sizeof(out));
    return out;
  }
  const int exponent = code >> 10 & 31, fraction = code & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) return NAN;
  return (code & 0x8000) != 0 ? -magnitude : magnitude;
}

// |a - b| / |b|; not a number where either has none.
double difference(const std::vector<uint16_t>& a, const std::vector<uint16_t>& b, bool bf16) {
  double squares = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = value_of(a[i], bf16), y = value_of(b[i], bf16);
    squares += (x - y) * (x - y);
    norm += y * y;
  }
  return std::sqrt(squares / norm);
}

std::string milliseconds(double ms) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3g ms", ms);
  return text;
}

std::string attention_text(int64_t tokens, int64_t slots, int64_t dim_qk, int64_t page) {
  return "attention of " + std::to_string(tokens) + (tokens == 1 ? " query and " : " queries and ") +
         std::to_string(slots) + " keys of " + std::to_string(dim_qk) +
         (page > 0 ? " in pages of " + std::to_string(page) : "") + ": ";
}
std::string attention_text(const SdpaShape& s) { return attention_text(s.tokens, s.slots, s.dim_qk, s.page); }

}  // namespace

const char* Lower::sdpa_shape(const AttentionArgs& a, SdpaShape* s) const {
  const Slot &q = in(0), &k = keys_, &v = in(2);
  const bool same = (q.dtype == ASSAY_BF16 || q.dtype == ASSAY_F16) && q.dtype == k.dtype && q.dtype == v.dtype &&
                    q.dtype == out(0).dtype;
  // Rows and what they begin with must lie at 16 bytes.
  const bool eights = (q.cols | a.q_col | k.cols | a.col_k | v.cols | a.col_v | a.dim_qk | a.dim_v) % 8 == 0;
  const bool window = a.mask == ASSAY_MASK_WINDOW, causal = a.mask == ASSAY_MASK_CAUSAL || window;
  const bool whole = a.mask == ASSAY_MASK_CROSS || (a.mask == ASSAY_MASK_FULL && a.slots == a.tokens);
  const bool paged = op_.pages() != kAbsent;
  if (!same) return "what is not all bf16, or all f16";
  if (!eights) return "rows that are not at 16 bytes";
  if (op_.has_in(4)) return "keys that an index chooses";
  if (a.dim_rope > 0) return "keys in two parts";
  if (!causal && (!whole || paged)) return "all keys so far without a causal mask";
  *s = {q.dtype,
        a.rows / a.tokens,
        a.heads,
        a.kv_heads,
        a.tokens,
        a.slots,
        a.dim_qk,
        a.dim_v,
        q.cols,
        k.cols,
        v.cols,
        causal,
        window ? a.window : 0,
        static_cast<float>(a.scale),
        paged ? k.dims[1] : 0,
        paged ? k.dims[0] : 0};
  return nullptr;
}

// Of every sequence how many queries and keys it has now, for the ops that ask alike once in a step.
SdpaOperands Lower::sequence_lengths(const AttentionArgs& a, std::vector<Call>* calls) {
  const int64_t batch = a.rows / a.tokens;
  const std::string key =
      std::to_string(op_.scalar_slot) + " " + std::to_string(a.tokens) + " " + std::to_string(batch);
  const uint64_t each = (static_cast<uint64_t>(batch) * 4 + 255) / 256 * 256;
  const auto known = plan_.lengths_at.emplace(key, plan_.lengths_bytes);
  if (known.second) plan_.lengths_bytes += 2 * each;
  SdpaOperands out;
  if (plan_.dry) return out;
  out.queries = reinterpret_cast<int32_t*>(plan_.lengths + known.first->second);
  out.keys = reinterpret_cast<int32_t*>(plan_.lengths + known.first->second + each);
  const size_t before = plan_.calls.size();
  launch("sequence_lengths", flat(batch, 1), LengthArgs{a.pos, out.queries, out.keys, batch, a.tokens});
  calls->assign(plan_.calls.begin() + static_cast<std::ptrdiff_t>(before), plan_.calls.end());
  plan_.calls.resize(before);
  return out;
}

// The own kernels' calls stand behind `first`; the library's take their place where they are the better. Behind
// `joined` stands what both need.
void Lower::attention_by_library(const AttentionArgs& a, size_t joined, size_t first) {
  SdpaShape shape;
  uint64_t bytes = 0;
  const char* unasked = sdpa_shape(a, &shape);
  if (unasked != nullptr || !plan_.sdpa->takes(shape, &bytes)) {
    if (plan_.dry) return;
    const std::string why = unasked != nullptr ? std::string("the library is not asked about ") + unasked
                                               : plan_.sdpa->name(shape) + " has no plan for it";
    plan_.note(attention_text(a.tokens, a.slots, a.dim_qk, a.pages.tokens) + "own kernel; " + why);
    return;
  }
  std::vector<Call> lengths;
  SdpaOperands o = shape.causal ? sequence_lengths(a, &lengths) : SdpaOperands{};
  o.workspace = workspace(bytes);
  o.stats = reinterpret_cast<float*>(workspace(static_cast<uint64_t>(a.rows * a.heads) * 4));
  if (plan_.dry) return;
  const auto at = [](const Slot& slot, int64_t col) { return slot.data + 2 * col; };
  o.q = at(in(0), a.q_col);
  o.k = at(keys_, a.col_k);
  o.v = at(in(2), a.col_v);
  o.y = out(0).data;
  if (shape.page > 0) o.table = reinterpret_cast<int32_t*>(plan_.slots[op_.pages()].data);
  std::vector<Call> library{{op_.index, "attention", nullptr, {}, {}}};
  const auto begin = plan_.calls.begin();
  std::vector<Call> before(begin + static_cast<std::ptrdiff_t>(joined), begin + static_cast<std::ptrdiff_t>(first));
  const std::vector<Call> own(begin + static_cast<std::ptrdiff_t>(first), plan_.calls.end());
  before.insert(before.end(), lengths.begin(), lengths.end());
  const auto decided = plan_.sdpa_choices->find(sdpa_key(shape));
  SdpaChoice choice;
  try {
    if (decided == plan_.sdpa_choices->end() || decided->second.library) library[0].run = plan_.sdpa->bind(shape, o);
    choice = decided != plan_.sdpa_choices->end() ? decided->second : try_both(shape, own, before, library);
  } catch (const Failure& failure) {
    // The library's own refusal, of binding or of running; what the device lost stays lost.
    if (failure.status() != ASSAY_INTERNAL) throw;
    choice = {false, attention_text(shape) + "own kernel; " + failure.what()};
  }
  (*plan_.sdpa_choices)[sdpa_key(shape)] = choice;
  plan_.note(choice.text);
  if (!choice.library) return;
  plan_.calls.resize(first);
  const std::string slot = "lengths " + std::to_string(reinterpret_cast<uintptr_t>(o.keys));
  if (shape.causal && plan_.lengths_made.insert(slot).second) {
    plan_.calls.insert(plan_.calls.end(), lengths.begin(), lengths.end());
  }
  plan_.calls.push_back(std::move(library.front()));
}

SdpaChoice Lower::try_both(const SdpaShape& shape, const std::vector<Call>& own, const std::vector<Call>& before,
                           const std::vector<Call>& library) {
  const Runtime& runtime = *plan_.runtime;
  const Trial trial(runtime, plan_.device->sweep_bytes);
  for (const size_t i : {size_t{0}, size_t{1}, size_t{2}, size_t{3}}) {
    if (!op_.has_in(i)) continue;
    fill_randomly(runtime, trial.stream(), in(i).data, in(i).dtype, in(i).elements());
  }
  if (op_.pages() != kAbsent) {
    const Slot& table = plan_.slots[op_.pages()];
    fill_page_table(runtime, trial.stream(), table.data, table.elements());
  }
  if (pos() != nullptr) {  // as if the cache were full
    const int64_t last = shape.slots - shape.tokens;
    runtime.check(
        runtime.MemcpyAsync(plan_.scalars + op_.scalar_slot, &last, sizeof(last), kHostToDevice, trial.stream()),
        "scalars");
    trial.wait();
  }
  plan_.tried = true;
  trial.ms(before);
  trial.ms(own);
  const std::vector<uint16_t> expected = trial.read(out(0), kComparedBytes);
  trial.ms(library);
  const double apart = difference(trial.read(out(0), kComparedBytes), expected, shape.dtype == ASSAY_BF16);
  std::vector<double> by_own, by_library;
  const auto clear_cut = [&] {  // a long round less
    const double a = by_own.back(), b = by_library.back();
    return std::max(a, b) > kClearCut * std::min(a, b);
  };
  do {
    by_own.push_back(trial.ms(own));
    by_library.push_back(trial.ms(library));
  } while (by_own.size() < kRounds && !clear_cut());
  std::sort(by_own.begin(), by_own.end());
  std::sort(by_library.begin(), by_library.end());
  const double mine = by_own[by_own.size() / 2], theirs = by_library[by_library.size() / 2];
  const std::string what = attention_text(shape), library_name = plan_.sdpa->name(shape);
  SdpaChoice choice;
  choice.library = apart <= kAgree && theirs < mine;
  if (!(apart <= kAgree)) {
    choice.text = what + "own kernel; " + library_name + " gave other values";
  } else if (choice.library) {
    choice.text = what + library_name + ", " + milliseconds(theirs) + " (own kernel " + milliseconds(mine) + ")";
  } else {
    choice.text = what + "own kernel, " + milliseconds(mine) + " (" + library_name + " " + milliseconds(theirs) + ")";
  }
  return choice;
}

}  // namespace assay::gpu
