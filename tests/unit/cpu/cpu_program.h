// A small program on the adapter under test, driven through the C tables, and the values it is checked against.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "gtest/gtest.h"

namespace assay::cpu_test {

using Doubles = std::vector<double>;

// bf16 and f16 by their definitions, independent of the adapter's code.
inline float bf16_value(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}
inline uint16_t bf16_code(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
inline double f16_value(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const double fraction = bits & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}
// The nearest code by search among the neighbours of a first guess; ties to even.
inline uint16_t f16_code(double value) {
  const double magnitude = std::abs(value);
  uint16_t low = 0, high = 0x7bff;
  while (low < high) {
    const auto middle = static_cast<uint16_t>((low + high + 1) / 2);
    f16_value(middle) <= magnitude ? low = middle : high = static_cast<uint16_t>(middle - 1);
  }
  const auto next = static_cast<uint16_t>(low + 1);
  if (low < 0x7bff) {
    const double down = magnitude - f16_value(low);
    const double up = f16_value(next) - magnitude;
    if (up < down || (up == down && (low & 1) != 0)) low = next;
  }
  return static_cast<uint16_t>(low | (value < 0 ? 0x8000 : 0));
}

struct Host {
  std::map<std::string, std::string> options;
  std::string log;
  assay_host table{sizeof(assay_host),
                   ASSAY_ABI_MINOR,
                   this,
                   [](void* self, int32_t, const char* text) { static_cast<Host*>(self)->log += text; },
                   [](void*) -> uint64_t { return 0; },
                   [](void* self, const char* key) -> const char* {
                     auto& all = static_cast<Host*>(self)->options;
                     const auto found = all.find(key);
                     return found == all.end() ? nullptr : found->second.c_str();
                   }};
};

class Adapter {
 public:
  explicit Adapter(const std::string& isa, int threads = 1)
      : Adapter(std::map<std::string, std::string>{{"isa", isa}, {"threads", std::to_string(threads)}}) {}
  explicit Adapter(std::map<std::string, std::string> options) {
    host_.options = std::move(options);
    status = entry().open(&host_.table, &ctx_);
  }
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;
  ~Adapter() { close(); }
  void close() {
    if (ctx_ != nullptr) entry().close(std::exchange(ctx_, nullptr));
  }
  static const assay_adapter& entry() { return *assay_adapter_entry(ASSAY_ABI_MAJOR); }
  [[nodiscard]] const assay_program_table& program() const {
    return *static_cast<const assay_program_table*>(entry().table(ctx_, "program/1"));
  }
  [[nodiscard]] assay_ctx* ctx() const { return ctx_; }
  static std::string error() { return entry().last_error(nullptr); }
  assay_status status;

 private:
  Host host_;
  assay_ctx* ctx_ = nullptr;
};

// Builds a description tensor by tensor and runs it.
class Program {
 public:
  uint32_t tensor(uint32_t dtype, uint32_t role, const std::vector<int64_t>& dims, int32_t scale = -1,
                  int32_t block = 0) {
    assay_tensor t{};
    t.struct_size = sizeof(t);
    t.dtype = dtype;
    t.role = role;
    t.rank = static_cast<uint32_t>(dims.size());
    std::copy(dims.begin(), dims.end(), t.dim);
    t.scale = scale;
    t.scale_block = block;
    tensors.push_back(t);
    return static_cast<uint32_t>(tensors.size() - 1);
  }
  void op(uint32_t kind, std::vector<uint32_t> in, std::vector<uint32_t> out, std::vector<double> attr = {},
          bool at_pos = false) {
    parts_.push_back({std::move(in), std::move(out), std::move(attr), kind, at_pos});
  }
  const assay_program_desc* desc() {
    ops.clear();
    for (Parts& p : parts_) {
      ops.push_back({sizeof(assay_op), p.kind, p.in.data(), p.out.data(), static_cast<uint32_t>(p.in.size()),
                     static_cast<uint32_t>(p.out.size()), static_cast<uint32_t>(p.attr.size()),
                     p.at_pos ? 0 : ASSAY_NO_SCALAR, p.attr.data()});
    }
    desc_ = {sizeof(desc_),
             0,
             static_cast<uint32_t>(tensors.size()),
             static_cast<uint32_t>(ops.size()),
             1,
             0,
             tensors.data(),
             ops.data(),
             "f32"};
    return &desc_;
  }
  void prepare(Adapter& adapter) {
    adapter_ = &adapter;
    ASSERT_EQ(adapter.program().prepare(adapter.ctx(), desc(), &program_), ASSAY_OK) << Adapter::error();
  }
  ~Program() {
    if (program_ != nullptr) adapter_->program().destroy(program_);
  }
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] size_t elements(uint32_t t) const {
    int64_t n = 1;
    for (uint32_t d = 0; d < tensors[t].rank; ++d) n *= tensors[t].dim[d];
    return static_cast<size_t>(n);
  }
  // Fills a tensor with the nearest values its dtype has, in two chunks; returns what it then holds.
  Doubles write(uint32_t t, const Doubles& values) {
    Doubles held = values;
    std::vector<char> raw;
    for (double& v : held) v = append(raw, tensors[t].dtype, v);
    const size_t size = raw.size() / held.size();
    const size_t cut = held.size() / 3 * size;
    const auto& api = adapter_->program();
    EXPECT_EQ(api.write(program_, t, 0, raw.data(), cut), ASSAY_OK) << Adapter::error();
    EXPECT_EQ(api.write(program_, t, cut, raw.data() + cut, raw.size() - cut), ASSAY_OK) << Adapter::error();
    return held;
  }
  Doubles write_normal(uint32_t t, uint32_t seed, double stddev = 1) {
    std::mt19937 engine(seed);
    std::normal_distribution<double> normal(0, stddev);
    Doubles values(elements(t));
    for (double& v : values) v = normal(engine);
    return write(t, values);
  }
  Doubles write_codes(uint32_t t, uint32_t seed, int low, int high) {
    std::mt19937 engine(seed);
    std::uniform_int_distribution<int> uniform(low, high);
    Doubles values(elements(t));
    for (double& v : values) v = uniform(engine);
    return write(t, values);
  }
  assay_status step(int64_t pos = 0, uint32_t repeat = 1) {
    const assay_run_args args{sizeof(args), repeat, &pos};
    assay_run* run = nullptr;
    assay_status status = adapter_->program().submit(program_, &args, &run);
    assay_run_result result{};
    result.struct_size = sizeof(result);
    if (status == ASSAY_OK) status = adapter_->program().wait(run, &result);
    return status;
  }
  Doubles read(uint32_t t) {
    const size_t n = elements(t);
    const uint32_t dtype = tensors[t].dtype;
    const size_t size = dtype == ASSAY_I8 ? 1 : (dtype == ASSAY_F16 || dtype == ASSAY_BF16 ? 2 : 4);
    std::vector<char> raw(n * size);
    EXPECT_EQ(adapter_->program().read(program_, t, 0, raw.data(), raw.size()), ASSAY_OK) << Adapter::error();
    Doubles values(n);
    for (size_t i = 0; i < n; ++i) values[i] = value_at(raw.data() + i * size, dtype);
    return values;
  }
  [[nodiscard]] assay_program* handle() const { return program_; }

  std::vector<assay_tensor> tensors;
  std::vector<assay_op> ops;

 private:
  struct Parts {
    std::vector<uint32_t> in, out;
    std::vector<double> attr;
    uint32_t kind;
    bool at_pos;
  };
  template <typename T>
  static double put(std::vector<char>& raw, T code, double held) {
    const char* p = reinterpret_cast<const char*>(&code);
    raw.insert(raw.end(), p, p + sizeof(T));
    return held;
  }
  static double append(std::vector<char>& raw, uint32_t dtype, double v) {
    switch (dtype) {
      case ASSAY_F32:
        return put(raw, static_cast<float>(v), static_cast<float>(v));
      case ASSAY_BF16: {
        const uint16_t code = bf16_code(static_cast<float>(v));
        return put(raw, code, bf16_value(code));
      }
      case ASSAY_F16: {
        const uint16_t code = f16_code(v);
        return put(raw, code, f16_value(code));
      }
      case ASSAY_I8:
        return put(raw, static_cast<int8_t>(v), v);
      default:
        return put(raw, static_cast<int32_t>(v), v);
    }
  }
  static double value_at(const char* p, uint32_t dtype) {
    uint16_t half = 0;
    float single = 0;
    int32_t integer = 0;
    switch (dtype) {
      case ASSAY_F32:
        std::memcpy(&single, p, 4);
        return single;
      case ASSAY_BF16:
        std::memcpy(&half, p, 2);
        return bf16_value(half);
      case ASSAY_F16:
        std::memcpy(&half, p, 2);
        return f16_value(half);
      case ASSAY_I8:
        return static_cast<int8_t>(*p);
      default:
        std::memcpy(&integer, p, 4);
        return integer;
    }
  }

  std::vector<Parts> parts_;
  assay_program_desc desc_{};
  Adapter* adapter_ = nullptr;
  assay_program* program_ = nullptr;
};

// |actual - expected| / |expected|, by norm; NaN counts as infinite.
inline double relative_error(const Doubles& actual, const Doubles& expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(actual[i])) return std::numeric_limits<double>::infinity();
    difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  return std::sqrt(difference / (norm > 0 ? norm : 1));
}

// A way to open the adapter under test.
struct Level {
  std::string name;
  std::map<std::string, std::string> options;
  bool tells_bad_indices = true;  // else they are read as 0, and the run is fine
};
// Names of tests must not hold addresses, which differ from run to run.
inline void PrintTo(const Level& level, std::ostream* out) { *out << level.name; }
inline std::string level_name(const testing::TestParamInfo<Level>& info) { return info.param.name; }
// Every way that the adapter linked into this test program has (cpu_levels.cpp, opencl_levels.cpp).
std::vector<Level> levels();

class EveryLevel : public testing::TestWithParam<Level> {
 protected:
  void SetUp() override {
    if (adapter_.status != ASSAY_OK) GTEST_SKIP() << Adapter::error();
  }
  Adapter adapter_{GetParam().options};
};

}  // namespace assay::cpu_test
