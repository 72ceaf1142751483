// A whole adapter to copy: the "chip" is plain loops in f32. It runs dense models (Llama, Qwen, SmolLM) and says of all
// else why it can't. To make it yours: rename it, keep checks() and replace the loops by calls into your runtime.
#include <adapters/sdk/adapter.h>
#include <adapters/sdk/ops.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

using namespace assay::sdk;  // Op, rows, cols, elements

// A prepared program: the tensors in "device memory", and the ops. On a chip, prepare is where to compile.
class TemplateProgram : public assay::sdk::Program {
 public:
  explicit TemplateProgram(const assay_program_desc& g) : shapes_(g.tensors, g.tensors + g.n_tensors) {
    for (uint32_t i = 0; i < g.n_ops; ++i) ops_.emplace_back(g, g.ops[i]);
    for (Op& op : ops_) op.tensors = shapes_.data();
    for (const assay_tensor& t : shapes_)
      memory_.emplace_back(static_cast<size_t>(elements(t)));  // both dtypes take 4 bytes
  }
  void write(uint32_t t, uint64_t offset, const void* src, uint64_t bytes) override {
    std::memcpy(at(t, offset, bytes), src, bytes);
  }
  void read(uint32_t t, uint64_t offset, void* dst, uint64_t bytes) override {
    std::memcpy(dst, at(t, offset, bytes), bytes);
  }
  // Refuses what it can't run before it starts; a chip would enqueue here and return.
  void submit(const assay_run_args& args) override {
    for (const Op& op : ops_) {
      if (op.slot == ASSAY_NO_SCALAR) continue;
      const int64_t pos = args.scalars[op.slot];
      const bool cached = op.kind == ASSAY_OP_KV_APPEND ||
                          (op.kind == ASSAY_OP_ATTENTION && op.whole(ASSAY_ATTENTION_MASK) != ASSAY_MASK_CROSS);
      const int64_t room = cached ? op.x(1).dim[1] - rows(op.x(0)) / op.whole(0) : std::numeric_limits<int32_t>::max();
      if (pos < 0 || pos > room)
        throw Failure(ASSAY_INVALID_ARGUMENT, "position " + std::to_string(pos) + " does not fit");
    }
    scalars_.assign(args.scalars, args.scalars + (args.scalars == nullptr ? 0 : n_scalars()));
    repeat_ = args.repeat;
  }
  // A chip would wait for its event here and report its time: device_clock and device_ns.
  void wait(assay_run_result&) override {
    for (uint32_t r = 0; r < repeat_; ++r) {
      for (const Op& op : ops_) run(op);
    }
  }
  assay::sdk::ProgramInfo info() override {
    uint64_t bytes = 0;
    for (const auto& m : memory_) bytes += m.size() * sizeof(float);
    return {static_cast<uint32_t>(ops_.size()), bytes, "loops", ""};
  }

 protected:
  // Bytes [offset, offset + bytes) of a tensor, or a refusal.
  char* at(uint32_t t, uint64_t offset, uint64_t bytes) {
    if (t >= memory_.size()) throw Failure(ASSAY_INVALID_ARGUMENT, "no tensor " + std::to_string(t));
    const uint64_t size = memory_[t].size() * sizeof(float);
    if (offset > size || bytes > size - offset)
      throw Failure(ASSAY_INVALID_ARGUMENT, "bytes outside tensor " + std::to_string(t));
    return reinterpret_cast<char*>(memory_[t].data()) + offset;
  }
  float* data(uint32_t t) { return memory_[t].data(); }
  size_t n_scalars() const {
    size_t n = 0;
    for (const Op& op : ops_) n = op.slot == ASSAY_NO_SCALAR ? n : std::max<size_t>(n, op.slot + 1);
    return n;
  }
  int64_t pos(const Op& op) const { return op.slot == ASSAY_NO_SCALAR ? 0 : scalars_[op.slot]; }
  void run(const Op& op);
  void matmul(const Op& op, const float* x, const float* w, float* y);
  void attention(const Op& op, const float* q, const float* k, const float* v, float* y);
  void kv_append(const Op& op, const float* x, float* k, float* v);
  void rms_norm(const Op& op, const float* x, const float* gamma, float* y);
  void rope(const Op& op, const float* x, float* y);

  std::vector<assay_tensor> shapes_;
  std::vector<Op> ops_;
  std::vector<std::vector<float>> memory_;
  std::vector<int64_t> scalars_;
  uint32_t repeat_ = 1;
};

void TemplateProgram::matmul(const Op& op, const float* x, const float* w, float* y) {
  const int64_t m = rows(op.x(0)), n = rows(op.x(1)), k = cols(op.x(0));
  const float* bias = op.in.size() > 2 ? data(op.in[2]) : nullptr;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t l = 0; l < k; ++l) sum += x[i * k + l] * w[j * k + l];
      y[i * n + j] = sum + (bias == nullptr ? 0 : bias[j]);
    }
  }
}

void TemplateProgram::attention(const Op& op, const float* q, const float* k, const float* v, float* y) {
  const int64_t batch = op.whole(ASSAY_ATTENTION_BATCH), heads = op.whole(ASSAY_ATTENTION_HEADS),
                kv = op.whole(ASSAY_ATTENTION_KV_HEADS);
  const int64_t dk = op.whole(ASSAY_ATTENTION_DIM_QK), dv = op.whole(ASSAY_ATTENTION_DIM_V),
                mask = op.whole(ASSAY_ATTENTION_MASK);
  const int64_t m = rows(op.x(0)), tokens = m / batch, slots = op.x(1).dim[1], ld = cols(op.x(0));
  std::vector<float> p(static_cast<size_t>(slots));
  for (int64_t row = 0; row < m; ++row) {
    const int64_t b = row / tokens, last = pos(op) + row % tokens;
    const int64_t end = mask == ASSAY_MASK_CROSS ? slots : mask == ASSAY_MASK_FULL ? pos(op) + tokens : last + 1;
    const int64_t begin =
        mask == ASSAY_MASK_WINDOW ? std::max<int64_t>(0, last + 1 - op.whole(ASSAY_ATTENTION_WINDOW)) : 0;
    for (int64_t h = 0; h < heads; ++h) {
      const float* query = q + row * ld + op.whole(ASSAY_ATTENTION_Q_COL) + h * dk;
      const auto slot = [&](int64_t j) { return (b * slots + j) * kv + h / (heads / kv); };
      float most = -std::numeric_limits<float>::infinity(), sum = 0;
      for (int64_t j = begin; j < end; ++j) {
        float dot = 0;
        for (int64_t d = 0; d < dk; ++d) dot += query[d] * k[slot(j) * dk + d];
        p[static_cast<size_t>(j)] = dot * static_cast<float>(op.attr[ASSAY_ATTENTION_SCALE]);
        most = std::max(most, p[static_cast<size_t>(j)]);
      }
      float* out = y + (row * heads + h) * dv;
      std::fill(out, out + dv, 0.0f);
      for (int64_t j = begin; j < end; ++j)
        sum += p[static_cast<size_t>(j)] = std::exp(p[static_cast<size_t>(j)] - most);
      for (int64_t j = begin; j < end; ++j) {
        for (int64_t d = 0; d < dv; ++d) out[d] += p[static_cast<size_t>(j)] / sum * v[slot(j) * dv + d];
      }
    }
  }
}

void TemplateProgram::kv_append(const Op& op, const float* x, float* k, float* v) {
  const int64_t heads = op.whole(ASSAY_KV_APPEND_KV_HEADS), dk = heads * op.whole(ASSAY_KV_APPEND_DIM_K),
                dv = heads * op.whole(ASSAY_KV_APPEND_DIM_V);
  const int64_t tokens = rows(op.x(0)) / op.whole(ASSAY_KV_APPEND_BATCH), slots = op.x(1).dim[1], ld = cols(op.x(0));
  for (int64_t row = 0; row < rows(op.x(0)); ++row) {
    const int64_t at = row / tokens * slots + pos(op) + row % tokens;
    std::copy_n(x + row * ld + op.whole(ASSAY_KV_APPEND_K_COL), dk, k + at * dk);
    std::copy_n(x + row * ld + op.whole(ASSAY_KV_APPEND_V_COL), dv, v + at * dv);
  }
}

void TemplateProgram::rms_norm(const Op& op, const float* x, const float* gamma, float* y) {
  const int64_t group = op.whole(ASSAY_RMS_NORM_GROUP), ld = cols(op.x(0)), col = op.whole(ASSAY_RMS_NORM_COL);
  const int64_t n = op.whole(ASSAY_RMS_NORM_COLS) == 0 ? ld : op.whole(ASSAY_RMS_NORM_COLS);
  std::copy_n(x, elements(op.x(0)), y);
  for (int64_t row = 0; row < rows(op.x(0)); ++row) {
    for (float* g = y + row * ld + col; g < y + row * ld + col + n; g += group) {
      float sum = 0;
      for (int64_t i = 0; i < group; ++i) sum += g[i] * g[i];
      const float scale =
          1 / std::sqrt(sum / static_cast<float>(group) + static_cast<float>(op.attr[ASSAY_RMS_NORM_EPS]));
      for (int64_t i = 0; i < group; ++i) g[i] *= scale * gamma[i];
    }
  }
}

void TemplateProgram::rope(const Op& op, const float* x, float* y) {
  const int64_t dim = op.whole(ASSAY_ROPE_HEAD_DIM), half = op.whole(ASSAY_ROPE_ROTARY_DIM) / 2, ld = cols(op.x(0));
  const int64_t tokens = rows(op.x(0)) / op.whole(ASSAY_ROPE_BATCH), first = op.whole(ASSAY_ROPE_COL);
  const bool interleaved = op.whole(ASSAY_ROPE_INTERLEAVED) != 0;
  std::copy_n(x, elements(op.x(0)), y);
  for (int64_t row = 0; row < rows(op.x(0)); ++row) {
    for (int64_t i = 0; i < half; ++i) {
      const double angle = static_cast<double>(pos(op) + row % tokens) *
                           std::pow(op.attr[ASSAY_ROPE_THETA], -static_cast<double>(i) / static_cast<double>(half));
      const auto c = static_cast<float>(std::cos(angle)), s = static_cast<float>(std::sin(angle));
      for (float* head = y + row * ld + first; head < y + row * ld + first + op.whole(ASSAY_ROPE_COLS); head += dim) {
        float &a = head[interleaved ? 2 * i : i], &b = head[interleaved ? 2 * i + 1 : i + half];
        const float turned = a * c - b * s;
        b = b * c + a * s;
        a = turned;
      }
    }
  }
}

float activation(int64_t function, float x) {
  if (function == ASSAY_ACT_SILU) return x / (1 + std::exp(-x));
  if (function == ASSAY_ACT_GELU_ERF) return 0.5f * x * std::erfc(x * -0.70710678f);
  // 0.5 (1 + tanh z) = 1 / (1 + e^-2z): 1 + tanh, as 1 + erf, loses its digits near -1.
  return x / (1 + std::exp(-1.5957691f * (x + 0.044715f * x * x * x)));
}

void TemplateProgram::run(const Op& op) {
  float *x = data(op.in[0]), *y = data(op.out[0]), *second = data(op.in[op.in.size() > 1 ? 1 : 0]);
  const int64_t m = rows(op.x(0)), n = cols(op.y(0)), width = cols(op.x(0));
  switch (op.kind) {
    case ASSAY_OP_MATMUL:
      return matmul(op, x, second, y);
    case ASSAY_OP_ATTENTION:
      return attention(op, x, second, data(op.in[2]), y);
    case ASSAY_OP_KV_APPEND:
      return kv_append(op, x, second, data(op.in[2]));
    case ASSAY_OP_RMS_NORM:
      return rms_norm(op, x, second, y);
    case ASSAY_OP_ROPE:
      return rope(op, x, y);
    case ASSAY_OP_GATED_ACT:
      for (int64_t i = 0; i < m * n; ++i)
        y[i] = activation(op.whole(0), x[i / n * width + i % n]) * x[i / n * width + n + i % n];
      return;
    case ASSAY_OP_ADD:
      for (int64_t i = 0; i < elements(op.y(0)); ++i) y[i] = x[i] + second[i];
      return;
    case ASSAY_OP_EMBEDDING:
      for (int64_t i = 0; i < elements(op.x(0)); ++i) {
        const int32_t index = reinterpret_cast<const int32_t*>(x)[i];
        if (index < 0 || index >= rows(op.x(1)))
          throw Failure(ASSAY_INVALID_ARGUMENT, "index " + std::to_string(index) + " outside the table");
        std::copy_n(second + index * n, n, y + i * n);
      }
      return;
    default:  // ARGMAX
      for (int64_t i = 0; i < m; ++i)
        reinterpret_cast<int32_t*>(y)[i] =
            static_cast<int32_t>(std::max_element(x + i * width, x + (i + 1) * width) - (x + i * width));
  }
}

class Template : public assay::sdk::Adapter {
 public:
  explicit Template(const assay::sdk::Host&) {}
  std::vector<assay::sdk::Device> devices() override {
    assay::sdk::Device device;
    device.product = "Plain loops";
    device.dtypes = uint64_t{1} << ASSAY_F32 | uint64_t{1} << ASSAY_I32;
    device.basis = ASSAY_BASIS_MEASURED;
    device.support = ASSAY_SUPPORT_VERIFIED_ON_CPU;
    return {device};
  }
  std::string unsupported(const assay_program_desc& graph) override {
    const std::string accumulate = graph.accumulate == nullptr ? "" : graph.accumulate;
    if (!accumulate.empty() && accumulate != "f32") return "products in " + accumulate + ": this chip computes in f32";
    for (uint32_t i = 0; i < graph.n_ops; ++i) {
      const uint32_t kind = graph.ops[i].kind;
      if (kind == 0 || kind > ASSAY_OP_ARGMAX)
        return "op " + std::to_string(i) + ": kind " + std::to_string(kind) + " is not supported";
      check_op(Op(graph, graph.ops[i]), ASSAY_F32);
    }
    return "";
  }
  std::unique_ptr<assay::sdk::Program> prepare(const assay_program_desc& graph) override {
    if (const std::string why = unsupported(graph); !why.empty()) throw Failure(ASSAY_UNSUPPORTED, why);
    return std::make_unique<TemplateProgram>(graph);
  }
};

}  // namespace

ASSAY_SDK_ADAPTER(Template, "template", "Your company", "0.1.0", "{}")
