// Which kernel an attention runs in: own ones and the vendor's library, where it has a plan for the shape, are timed
// and compared with each other when a program is prepared, and the fastest is taken.
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

std::string attention_text(const AttentionArgs& a) {
  return "attention of " + std::to_string(a.tokens) + (a.tokens == 1 ? " query and " : " queries and ") +
         std::to_string(a.slots) + " keys of " + std::to_string(a.dim_qk) +
         (a.pages.tokens > 0 ? " in pages of " + std::to_string(a.pages.tokens) : "") + ": ";
}

// All that the forms' times depend on, and which there are.
std::string attention_key(const AttentionArgs& a, const std::vector<AttentionForm>& forms) {
  std::string key;
  for (const AttentionForm& form : forms) key += form.name + ", ";
  for (const i64 n :
       {a.q.dtype, a.k.dtype, a.v.dtype, a.rows, a.tokens, a.heads, a.kv_heads, a.slots, a.dim_qk, a.dim_v, a.dim_rope,
        a.mask, a.window, a.q.cols, a.k.cols, a.v.cols, a.pages.tokens, a.index.cols}) {
    key += std::to_string(n) + " ";
  }
  return key;
}

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

// The library's forms as the last ones, or why it has none. They are bound later: that may fail.
std::string Lower::add_library(const AttentionArgs& a, std::vector<AttentionForm>* forms, LibraryForm* library) {
  uint64_t bytes = 0;
  const char* unasked = sdpa_shape(a, &library->shape);
  if (unasked != nullptr) return std::string("; the library is not asked about ") + unasked;
  const size_t plans = plan_.sdpa->plans(library->shape, &bytes);
  if (plans == 0) return "; " + plan_.sdpa->name(library->shape, 0) + " has no plan for it";
  SdpaOperands& o = library->operands;
  if (library->shape.causal) o = sequence_lengths(a, &library->lengths);
  o.workspace = workspace(bytes);
  o.stats = reinterpret_cast<float*>(workspace(static_cast<uint64_t>(a.rows * a.heads) * 4));
  const auto at = [](const Slot& slot, int64_t col) { return slot.data + 2 * col; };
  o.q = at(in(0), a.q_col);
  o.k = at(keys_, a.col_k);
  o.v = at(in(2), a.col_v);
  o.y = out(0).data;
  if (library->shape.page > 0) o.table = reinterpret_cast<int32_t*>(plan_.slots[op_.pages()].data);
  for (size_t i = 0; i < plans; ++i) {
    forms->push_back({plan_.sdpa->name(library->shape, i), "", {{op_.index, "attention", nullptr, {}, {}}}});
  }
  return "";
}

// Adds the calls of one form. `joined`: since when there are calls that make its operands.
void Lower::choose_attention(const AttentionArgs& a, size_t joined, std::vector<AttentionForm> forms) {
  if (!plan_.times_own) forms.resize(1);
  const size_t own = forms.size();
  LibraryForm library;
  std::string remarks = plan_.sdpa == nullptr ? "" : add_library(a, &forms, &library);
  if (plan_.dry) return;
  if (forms.size() == 1) {
    plan_.note(plan_.sdpa == nullptr ? forms[0].note : attention_text(a) + forms[0].name + remarks);
    plan_.calls.insert(plan_.calls.end(), forms[0].calls.begin(), forms[0].calls.end());
    return;
  }
  const std::string key = attention_key(a, forms);
  auto decided = plan_.choices_of_attention->find(key);
  for (size_t i = forms.size(); i-- > own;) {
    const bool known = decided != plan_.choices_of_attention->end();
    if (known && decided->second.form != forms[i].name) continue;
    try {
      forms[i].calls[0].run = plan_.sdpa->bind(library.shape, library.operands, i - own);
    } catch (const Failure& failure) {  // what the device lost stays lost
      if (failure.status() != ASSAY_INTERNAL) throw;
      remarks = std::string("; ") + failure.what();
      decided = plan_.choices_of_attention->end();
      if (known) {
        forms.resize(own);
        break;
      }
      forms.erase(forms.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  if (decided == plan_.choices_of_attention->end()) {
    std::vector<Call> before(plan_.calls.begin() + static_cast<std::ptrdiff_t>(joined), plan_.calls.end());
    before.insert(before.end(), library.lengths.begin(), library.lengths.end());
    decided = plan_.choices_of_attention->insert_or_assign(key, try_forms(a, before, forms, own, remarks)).first;
  }
  plan_.note(decided->second.text);
  const auto chosen =
      std::find_if(forms.begin(), forms.end(), [&](const AttentionForm& f) { return f.name == decided->second.form; });
  const std::string lengths = "lengths " + std::to_string(reinterpret_cast<uintptr_t>(library.operands.keys));
  const bool by_library = static_cast<size_t>(chosen - forms.begin()) >= own;
  if (by_library && library.shape.causal && plan_.lengths_made.insert(lengths).second) {
    plan_.calls.insert(plan_.calls.end(), library.lengths.begin(), library.lengths.end());
  }
  plan_.calls.insert(plan_.calls.end(), chosen->calls.begin(), chosen->calls.end());
}

// As a step finds them, with the cache full: elements of about one, chosen keys spread evenly.
void Lower::fill_operands(const AttentionArgs& a, void* stream) {
  const Runtime& runtime = *plan_.runtime;
  for (const size_t i : {size_t{0}, size_t{1}, size_t{2}, size_t{3}}) {
    if (op_.has_in(i)) fill_randomly(runtime, stream, in(i).data, in(i).dtype, in(i).elements());
  }
  const auto write = [&](void* to, const void* from, size_t bytes) {
    runtime.check(runtime.MemcpyAsync(to, from, bytes, kHostToDevice, stream), "trial");
    runtime.check(runtime.StreamSynchronize(stream), "trial");
  };
  if (op_.pages() != kAbsent) {
    const Slot& table = plan_.slots[op_.pages()];
    fill_page_table(runtime, stream, table.data, table.elements());
  }
  if (op_.has_in(4)) {
    const int64_t n = in(4).cols;
    std::vector<int32_t> chosen(static_cast<size_t>(in(4).elements()));
    for (size_t i = 0; i < chosen.size(); ++i) {
      const int64_t j = static_cast<int64_t>(i) % n;
      chosen[i] = static_cast<int32_t>(n <= a.slots ? j * a.slots / n : j < a.slots ? j : -1);
    }
    write(in(4).data, chosen.data(), chosen.size() * sizeof(int32_t));
  }
  const int64_t last = a.slots - a.tokens;
  if (pos() != nullptr) write(plan_.scalars + op_.scalar_slot, &last, sizeof(last));
}

// The first `own` forms are own kernels, the last of which says what the values are. What fails or gives others is out.
AttentionChoice Lower::try_forms(const AttentionArgs& a, const std::vector<Call>& before,
                                 std::vector<AttentionForm> forms, size_t own, std::string remarks) {
  if (forms.size() == 1) return {forms[0].name, attention_text(a) + forms[0].name + remarks};
  const Trial trial(*plan_.runtime, plan_.device->sweep_bytes);
  fill_operands(a, trial.stream());
  plan_.tried = true;
  trial.ms(before);
  const std::string reference = forms[own - 1].name;
  trial.ms(forms[own - 1].calls);
  const std::vector<uint16_t> expected = trial.read(out(0), kComparedBytes);
  const auto falls_out = [&](const AttentionForm& form) {
    if (form.name == reference) return false;
    try {
      trial.ms(form.calls);
      if (difference(trial.read(out(0), kComparedBytes), expected, a.q.dtype == ASSAY_BF16) <= kAgree) return false;
      remarks += "; " + form.name + " gave other values";
    } catch (const Failure& failure) {  // the library's own refusal; what the device lost stays lost
      if (failure.status() != ASSAY_INTERNAL || form.name.rfind("own", 0) == 0) throw;
      remarks += std::string("; ") + failure.what();
    }
    return true;
  };
  forms.erase(std::remove_if(forms.begin(), forms.end(), falls_out), forms.end());
  if (forms.size() == 1) return {forms[0].name, attention_text(a) + forms[0].name + remarks};
  std::vector<std::vector<double>> times(forms.size());
  const auto clear_cut = [&] {  // a long round less
    std::vector<double> last(times.size());
    for (size_t i = 0; i < times.size(); ++i) last[i] = times[i].back();
    std::sort(last.begin(), last.end());
    return last[1] > kClearCut * last[0];
  };
  do {
    for (size_t i = 0; i < forms.size(); ++i) times[i].push_back(trial.ms(forms[i].calls));
  } while (times[0].size() < kRounds && !clear_cut());
  std::vector<std::pair<double, std::string>> ranked;  // by the median
  for (size_t i = 0; i < forms.size(); ++i) {
    std::sort(times[i].begin(), times[i].end());
    ranked.emplace_back(times[i][times[i].size() / 2], forms[i].name);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
  std::string text = attention_text(a) + ranked[0].second + ", " + milliseconds(ranked[0].first) + " (";
  for (size_t i = 1; i < ranked.size(); ++i) {
    text += (i > 1 ? ", " : "") + ranked[i].second + " " + milliseconds(ranked[i].first);
  }
  return {ranked[0].second, text + ")" + remarks};
}

}  // namespace assay::gpu
