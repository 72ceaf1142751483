// Attention of few tokens on matrix cores, on the stand-in, against the formula in double precision.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tests/unit/gpu/on_standin.h"

namespace assay::gpu_test {
namespace {

struct Few {
  int64_t batch = 1, heads = 1, kv_heads = 1, dim = 64, tokens = 1, slots = 0, pos = 0;
  int mask = ASSAY_MASK_CAUSAL;
  int64_t window = 0, page = 0;
  uint32_t dtype = ASSAY_BF16;
  bool latent = false;  // a value is the first 512 of its key's columns
  int64_t listed = 0;   // keys that a list names for each token, some of them none
  [[nodiscard]] int64_t dim_v() const { return latent ? 512 : dim; }
};

// Sixteenths from -2 to 2, which both 16-bit formats hold exactly.
class Values {
 public:
  explicit Values(int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      of.push_back(static_cast<double>(state_ >> 58) / 16 - 2);
    }
  }
  [[nodiscard]] std::vector<uint16_t> codes(uint32_t dtype) const {
    std::vector<uint16_t> out;
    for (const double value : of) {
      const auto single = static_cast<float>(value);
      uint32_t bits = 0;
      std::memcpy(&bits, &single, sizeof bits);
      const uint32_t half =
          value == 0 ? 0 : (bits >> 16 & 0x8000u) | ((bits >> 13 & 0x3ffffu) - (112u << 10)) % 0x8000u;
      out.push_back(static_cast<uint16_t>(dtype == ASSAY_BF16 ? bits >> 16 : half));
    }
    return out;
  }
  std::vector<double> of;

 private:
  static inline uint64_t state_ = 1;
};

double decoded(uint16_t code, uint32_t dtype) {
  if (dtype == ASSAY_BF16) {
    const uint32_t bits = static_cast<uint32_t>(code) << 16;
    float out = 0;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  }
  const int exponent = code >> 10 & 31, fraction = code & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (code & 0x8000) != 0 ? -magnitude : magnitude;
}

class FewTokens {
 public:
  explicit FewTokens(const Few& f)
      : f_(f),
        q_(f.batch * f.tokens * f.heads * f.dim),
        k_(f.batch * f.slots * f.kv_heads * f.dim),
        v_(f.batch * f.slots * f.kv_heads * f.dim) {
    const int64_t per_sequence = f.page == 0 ? 0 : f.slots / f.page, pages = f.batch * per_sequence;
    for (int64_t i = 0; i < pages; ++i)
      table_.push_back(static_cast<int32_t>((i * 5 + 3) % pages));  // 5 divides no `pages`
    for (int64_t i = 0; i < f.batch * f.tokens * f.listed; ++i) {   // 7 divides no `slots`; some come after the token
      list_.push_back(static_cast<int32_t>(i % 5 == 3 ? -1 : i % f.listed * 7 % f.slots));
    }
  }

  void run(const std::string& form, const Adapter::Options& options = {}) {
    Graph g = graph();
    Result<std::unique_ptr<Adapter>> adapter = open("cuda", options);
    ASSERT_TRUE(adapter.ok()) << adapter.error().message;
    Result<std::unique_ptr<Program>> program = (*adapter)->prepare(g, 0);
    ASSERT_TRUE(program.ok()) << program.error().message;
    EXPECT_THAT((*program)->info().executed, testing::MatchesRegex(form));
    const auto write = [&](uint32_t tensor, const auto& values) {
      ASSERT_TRUE((*program)->write(tensor, 0, values.data(), values.size() * sizeof(values[0])).ok());
    };
    write(0, q_.codes(f_.dtype));
    write(1, k_.codes(f_.dtype));
    write(2, v_.codes(f_.dtype));
    if (f_.page > 0) write(4, table_);
    if (f_.listed > 0) write(f_.page > 0 ? 5 : 4, list_);
    const assay_run_args args{sizeof(args), 1, &f_.pos};
    assay_run* handle = nullptr;
    assay_run_result result{};
    result.struct_size = sizeof(result);
    ASSERT_EQ((*program)->submit(&args, &handle), ASSAY_OK);
    ASSERT_EQ((*program)->wait(handle, &result), ASSAY_OK);
    std::vector<uint16_t> y(static_cast<size_t>(f_.batch * f_.tokens * f_.heads * f_.dim_v()));
    ASSERT_TRUE((*program)->read(3, 0, y.data(), y.size() * 2).ok());
    EXPECT_EQ(standin("cuda", "overrun"), 0);
    for (int64_t m = 0; m < f_.batch * f_.tokens; ++m) {
      for (int64_t h = 0; h < f_.heads; ++h) compare(m, h, &y[static_cast<size_t>((m * f_.heads + h) * f_.dim_v())]);
    }
  }

 private:
  [[nodiscard]] Graph graph() const {
    const int64_t outer = f_.page == 0 ? f_.batch : static_cast<int64_t>(table_.size());
    const std::vector<int64_t> rows{f_.batch * f_.tokens, f_.heads * f_.dim};
    const std::vector<int64_t> cache{outer, f_.page == 0 ? f_.slots : f_.page, f_.kv_heads, f_.dim};
    Graph g;
    g.scalars = {"pos"};
    g.tensors = {{"q", f_.dtype, ASSAY_ROLE_INPUT, rows, -1, 0, {}},
                 {"k", f_.dtype, ASSAY_ROLE_STATE, cache, -1, 0, {}},
                 {"v", f_.dtype, ASSAY_ROLE_STATE, cache, -1, 0, {}},
                 {"y", f_.dtype, ASSAY_ROLE_OUTPUT, {rows[0], f_.heads * f_.dim_v()}, -1, 0, {}}};
    std::vector<uint32_t> in{0, 1, f_.latent ? 1u : 2u, kNoTensor, kNoTensor, kNoTensor};
    if (f_.page > 0) {
      g.tensors.push_back({"pages", ASSAY_I32, ASSAY_ROLE_INPUT, {f_.batch, f_.slots / f_.page}, -1, 0, {}});
      in[5] = 4;
    }
    if (f_.listed > 0) {
      in[4] = static_cast<uint32_t>(g.tensors.size());
      g.tensors.push_back({"index", ASSAY_I32, ASSAY_ROLE_INPUT, {rows[0], f_.listed}, -1, 0, {}});
    }
    const auto d = [](int64_t n) { return static_cast<double>(n); };
    g.ops = {
        {ASSAY_OP_ATTENTION,
         "attention",
         -1,
         in,
         {3},
         {d(f_.batch), d(f_.heads), d(f_.kv_heads), d(f_.dim), d(f_.dim_v()), scale(), d(f_.mask), d(f_.window), 0},
         0,
         nullptr,
         0}};
    return g;
  }
  [[nodiscard]] double scale() const { return 1 / std::sqrt(static_cast<double>(f_.dim)); }

  // softmax(scale q k) v over the keys that the token sees.
  void compare(int64_t m, int64_t h, const uint16_t* y) const {
    const int64_t b = m / f_.tokens, t = m % f_.tokens, g = h / (f_.heads / f_.kv_heads);
    const bool all = f_.mask == ASSAY_MASK_CROSS, causal = f_.mask == ASSAY_MASK_CAUSAL || f_.mask == ASSAY_MASK_WINDOW;
    const int64_t end = all ? f_.slots : causal ? f_.pos + t + 1 : f_.pos + f_.tokens;
    const int64_t first = f_.mask == ASSAY_MASK_WINDOW ? std::max<int64_t>(0, end - f_.window) : 0;
    std::vector<double> sums(static_cast<size_t>(f_.dim_v()));
    double total = 0, squares = 0, norm = 0;
    for (int64_t j = first; j < end; ++j) {
      const auto named = list_.begin() + static_cast<std::ptrdiff_t>(m * f_.listed);
      if (f_.listed > 0 && std::find(named, named + static_cast<std::ptrdiff_t>(f_.listed), j) ==
                               named + static_cast<std::ptrdiff_t>(f_.listed))
        continue;
      const int64_t place = f_.page == 0
                                ? b * f_.slots + j
                                : table_[static_cast<size_t>((b * f_.slots + j) / f_.page)] * f_.page + j % f_.page;
      const double* k = &k_.of[static_cast<size_t>((place * f_.kv_heads + g) * f_.dim)];
      const double* v = f_.latent ? k : &v_.of[static_cast<size_t>((place * f_.kv_heads + g) * f_.dim)];
      double dot = 0;
      for (int64_t i = 0; i < f_.dim; ++i) dot += k[i] * q_.of[static_cast<size_t>((m * f_.heads + h) * f_.dim + i)];
      const double weight = std::exp(dot * scale());
      total += weight;
      for (int64_t i = 0; i < f_.dim_v(); ++i) sums[static_cast<size_t>(i)] += weight * v[i];
    }
    for (int64_t i = 0; i < f_.dim_v(); ++i) {
      const double expected = sums[static_cast<size_t>(i)] / total, apart = decoded(y[i], f_.dtype) - expected;
      squares += apart * apart;
      norm += expected * expected;
    }
    EXPECT_LT(std::sqrt(squares / norm), 1e-2) << "row " << m << ", head " << h;  // as metrics allow 16-bit elements
  }

  Few f_;
  Values q_, k_, v_;
  std::vector<int32_t> table_, list_;
};

class AttentionOfFewTokens : public testing::Test {
 protected:
  static void check(const std::vector<Few>& shapes, const std::string& form, const Adapter::Options& options = {}) {
    for (const Few& shape : shapes) {
      SCOPED_TRACE(testing::Message() << shape.heads << " heads of " << shape.dim << ", " << shape.tokens
                                      << " tokens at " << shape.pos << " of " << shape.slots);
      FewTokens(shape).run(form, options);
    }
  }
};

// Heads per KV head, tokens, shares of the keys, lengths that are no whole number of tiles, pages in any order.
TEST_F(AttentionOfFewTokens, OnMatrixCores) {
  check({{2, 2, 2, 64, 1, 70, 69},
         {2, 8, 2, 128, 1, 133, 120},
         {1, 7, 1, 64, 1, 150, 149, ASSAY_MASK_CAUSAL, 0, 0, ASSAY_F16},
         {3, 8, 1, 128, 1, 96, 90, ASSAY_MASK_CAUSAL, 0, 16},
         {1, 16, 1, 128, 1, 333, 300, ASSAY_MASK_CAUSAL, 0, 0, ASSAY_F16},
         {1, 18, 1, 64, 1, 40, 30},
         {2, 12, 2, 64, 3, 128, 100, ASSAY_MASK_WINDOW, 21, 32},
         {1, 4, 2, 128, 5, 200, 190, ASSAY_MASK_WINDOW, 2},
         {1, 4, 4, 128, 3, 60, 40, ASSAY_MASK_FULL},
         {1, 4, 2, 64, 2, 77, 0, ASSAY_MASK_CROSS},
         {1, 4, 1, 128, 2, 700, 1}},  // most shares see no key, and one of them the second token's alone
        "attention of few tokens: own kernel on matrix cores");
}

// One key of all heads: 16 and 32 heads to a block, chosen keys, pages of any size.
TEST_F(AttentionOfFewTokens, InLatentSpace) {
  check({{1, 16, 1, 576, 1, 150, 149, ASSAY_MASK_CAUSAL, 0, 0, ASSAY_BF16, true},
         {2, 24, 1, 576, 2, 69, 64, ASSAY_MASK_CAUSAL, 0, 23, ASSAY_F16, true},
         {1, 40, 1, 576, 1, 330, 3, ASSAY_MASK_CAUSAL, 0, 0, ASSAY_BF16, true},
         {1, 16, 1, 576, 2, 200, 180, ASSAY_MASK_CAUSAL, 0, 0, ASSAY_BF16, true, 70}},
        "attention of few tokens: own kernel on matrix cores");
}

// With and without matrix cores both kernels run when a program is prepared, agree, and the faster one is taken.
TEST_F(AttentionOfFewTokens, TheFasterOwnKernelIsTaken) {
  check({{3, 8, 1, 128, 1, 96, 90, ASSAY_MASK_CAUSAL, 0, 16},
         {1, 6, 2, 64, 2, 100, 90, ASSAY_MASK_CAUSAL, 0, 0, ASSAY_F16},
         {1, 16, 1, 576, 1, 80, 64, ASSAY_MASK_CAUSAL, 0, 0, ASSAY_BF16, true, 30}},
        "attention of [12] quer(y|ies) and [0-9]+ keys of [0-9]+( in pages of 16)?: own kernel( on matrix cores)?, "
        "[0-9.e+]+ ms "
        ".own kernel( on matrix cores)? [0-9.e+]+ ms.",
        {{"search", "2"}});
}

}  // namespace
}  // namespace assay::gpu_test
