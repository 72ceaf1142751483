// The vendor's library of neural-network ops in the shape of cuDNN's backend: keeps what descriptors are told and
// executes the graph of a plan op by op in double precision.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

namespace standin {
float half_value(uint16_t bits);
uint16_t half_code(float value);
}  // namespace standin

namespace {

// The numbers of cudnn_graph_v9.h that are needed here.
constexpr int kHeuristics = 4, kPlan = 5, kPointwiseOp = 13, kGraph = 15, kMatmulOp = 19, kReductionOp = 22;
constexpr int kSdpaOp = 41, kBandOp = 44;
constexpr int64_t kMaskedNode = 92100;  // version from which these two are known together
constexpr int kFloat = 0, kHalf = 2, kInt32 = 4, kBfloat16 = 9;
constexpr int kPack = 16, kBadParam = 2000, kNotSupported = 3000, kExecutionFailed = 5000;
enum Failing { kExecutions = 1, kPacks };  // setting "dnn_fail"

int64_t version() {
  const int64_t set = standin::setting("dnn_version");
  return set == 0 ? 91900 : set;
}

struct Descriptor {
  int kind = 0;
  bool final = false;
  std::map<int, std::vector<char>> values;

  template <typename T>
  [[nodiscard]] std::vector<T> all(int name) const {
    const auto found = values.find(name);
    if (found == values.end()) return {};
    std::vector<T> out(found->second.size() / sizeof(T));
    std::memcpy(out.data(), found->second.data(), out.size() * sizeof(T));
    return out;
  }
  template <typename T>
  [[nodiscard]] T one(int name, T otherwise) const {
    const std::vector<T> found = all<T>(name);
    return found.empty() ? otherwise : found.front();
  }
  [[nodiscard]] const Descriptor* link(int name) const { return one<Descriptor*>(name, nullptr); }
};

struct Handle {
  void* stream = nullptr;
};

size_t size_of(int type) {
  constexpr size_t kSizes[] = {8, 4, 1, 8, 4, 8, 8};  // handle, data type, bool, int64, float, double, pointer
  if (type == 15) return 8;                           // a descriptor
  return type < 7 ? kSizes[type] : 4;
}

// A tensor's values in the order of its dimensions.
struct Values {
  std::vector<int64_t> dims;
  std::vector<double> at;
};

class Run {
 public:
  explicit Run(const std::map<int64_t, void*>& bound) : bound_(bound) {}

  void op(const Descriptor& d) {
    if (d.kind == kMatmulOp) return matmul(d);
    if (d.kind == kReductionOp) return reduction(d);
    if (d.kind == kSdpaOp) return sdpa(d);
    if (d.kind == kBandOp) return band(d);
    pointwise(d);
  }

 private:
  static int64_t count(const std::vector<int64_t>& dims) {
    int64_t n = 1;
    for (const int64_t x : dims) n *= x;
    return n;
  }
  // Element i of a tensor of `dims`, where an axis of 1 stands for all.
  static int64_t spread(int64_t i, const std::vector<int64_t>& dims, const std::vector<int64_t>& own) {
    int64_t out = 0, step = 1;
    for (size_t a = dims.size(); a-- > 0;) {
      out += own[a] == 1 ? 0 : i % dims[a] * step;
      step *= own[a];
      i /= dims[a];
    }
    return out;
  }
  static int64_t offset(int64_t i, const std::vector<int64_t>& dims, const std::vector<int64_t>& strides) {
    int64_t out = 0;
    for (size_t a = dims.size(); a-- > 0; i /= dims[a]) out += i % dims[a] * strides[a];
    return out;
  }
  static double load(const void* base, int type, int64_t i) {
    if (type == kFloat) return static_cast<const float*>(base)[i];
    if (type == kInt32) return static_cast<const int32_t*>(base)[i];
    const uint16_t code = static_cast<const uint16_t*>(base)[i];
    if (type == kHalf) return standin::half_value(code);
    const uint32_t bits = static_cast<uint32_t>(code) << 16;
    float value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  static void store(void* base, int type, int64_t i, double v) {
    const auto single = static_cast<float>(v);
    uint32_t bits = 0;
    std::memcpy(&bits, &single, sizeof(bits));
    if (type == kFloat) {
      static_cast<float*>(base)[i] = single;
    } else if (type == kBfloat16) {
      static_cast<uint16_t*>(base)[i] = static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
    } else {
      static_cast<uint16_t*>(base)[i] = standin::half_code(single);
    }
  }

  Values read(const Descriptor& t) {
    const auto id = t.one<int64_t>(906, 0);
    const auto made = virtual_.find(id);
    if (made != virtual_.end()) return made->second;
    Values out{t.all<int64_t>(902), {}};
    const std::vector<int64_t> strides = t.all<int64_t>(903);
    for (int64_t i = 0; i < count(out.dims); ++i) {
      out.at.push_back(load(bound_.at(id), t.one<int>(901, 0), offset(i, out.dims, strides)));
    }
    return out;
  }
  void write(const Descriptor& t, Values values) {
    const auto id = t.one<int64_t>(906, 0);
    if (t.one<char>(907, 0) != 0) {
      virtual_[id] = std::move(values);
      return;
    }
    const std::vector<int64_t> strides = t.all<int64_t>(903);
    const double spoilt = standin::setting("dnn_wrong") != 0 ? 1.1 : 1;
    for (int64_t i = 0; i < count(values.dims); ++i) {
      store(bound_.at(id), t.one<int>(901, 0), offset(i, values.dims, strides),
            values.at[static_cast<size_t>(i)] * spoilt);
    }
  }
  // How many rows, columns or inner elements count in a batch.
  int64_t told(const Descriptor& op, int name, int64_t batch, int64_t otherwise) {
    const Descriptor* t = op.link(name);
    return t == nullptr ? otherwise : static_cast<int64_t>(read(*t).at[static_cast<size_t>(batch)]);
  }

  void matmul(const Descriptor& op) {
    const Values a = read(*op.link(1520)), b = read(*op.link(1521));
    Values c{op.link(1522)->all<int64_t>(902), {}};
    c.at.assign(static_cast<size_t>(count(c.dims)), 0);
    const int64_t heads = a.dims[1], shared = heads / b.dims[1], m = a.dims[2], k = a.dims[3], n = b.dims[3];
    for (int64_t z = 0; z < a.dims[0]; ++z) {
      const int64_t rows = told(op, 1525, z, m), cols = told(op, 1526, z, n), inner = told(op, 1527, z, k);
      for (int64_t h = 0; h < heads; ++h) {
        const double* x = a.at.data() + (z * heads + h) * m * k;
        const double* w = b.at.data() + (z * b.dims[1] + h / shared) * k * n;
        double* y = c.at.data() + (z * heads + h) * m * n;
        for (int64_t i = 0; i < rows; ++i) {
          for (int64_t e = 0; e < inner; ++e) {
            for (int64_t j = 0; j < cols; ++j) y[i * n + j] += x[i * k + e] * w[e * n + j];
          }
        }
      }
    }
    write(*op.link(1522), std::move(c));
  }
  // Attention as one op: its masks are a graph of their own on the scaled scores, and what lies beyond the lengths
  // counts for nothing.
  void sdpa(const Descriptor& op) {
    const Values q = read(*op.link(2800)), k = read(*op.link(2801)), v = read(*op.link(2802));
    const double scale = read(*op.link(2805)).at[0];
    const int64_t rows = q.dims[2], d = q.dims[3], slots = k.dims[2], shared = q.dims[1] / k.dims[1], dv = v.dims[3];
    Values x{{q.dims[0], q.dims[1], rows, slots}, {}};
    for (int64_t i = 0; i < count(x.dims); ++i) {
      const int64_t row = i / slots, head = row / rows, at = (head / shared * slots + i % slots) * d;
      double sum = 0;
      for (int64_t e = 0; e < d; ++e) sum += q.at[static_cast<size_t>(row * d + e)] * k.at[static_cast<size_t>(at + e)];
      x.at.push_back(sum * scale);
    }
    if (const Descriptor* masks = op.link(2811); masks != nullptr) {
      virtual_[op.one<int64_t>(2812, 0)] = std::move(x);
      for (const Descriptor* mask : masks->all<Descriptor*>(801)) this->op(*mask);
      x = virtual_.at(op.one<int64_t>(2813, 0));
    }
    Values y{op.link(2803)->all<int64_t>(902), {}};
    y.at.assign(static_cast<size_t>(count(y.dims)), 0);
    for (int64_t row = 0; row < count(x.dims) / slots; ++row) {
      const int64_t batch = row / rows / q.dims[1], keys = told(op, 2810, batch, slots);
      if (row % rows >= told(op, 2809, batch, rows)) continue;
      const double* score = x.at.data() + row * slots;
      const double most = *std::max_element(score, score + keys);
      double sum = 0;
      for (int64_t j = 0; j < keys; ++j) sum += std::exp(score[j] - most);
      for (int64_t j = 0; j < keys; ++j) {
        const int64_t at = (row / rows / shared * slots + j) * dv;
        const double share = std::exp(score[j] - most) / sum;
        for (int64_t e = 0; e < dv; ++e) {
          y.at[static_cast<size_t>(row * dv + e)] += share * v.at[static_cast<size_t>(at + e)];
        }
      }
    }
    write(*op.link(2803), std::move(y));
  }
  // Scores on one side of a diagonal through the last query and the last key, or as far before it as is told.
  void band(const Descriptor& op) {
    Values x = read(*op.link(3000));
    const double nothing = read(*op.link(3005)).at[0];
    const double left = op.link(3003) == nullptr ? 0 : read(*op.link(3003)).at[0];
    for (int64_t i = 0; i < count(x.dims); ++i) {
      const int64_t batch = i / (x.dims[1] * x.dims[2] * x.dims[3]);
      const auto row = static_cast<double>(i / x.dims[3] % x.dims[2]), col = static_cast<double>(i % x.dims[3]);
      const auto ahead = static_cast<double>(told(op, 3001, batch, 0) - told(op, 3002, batch, 0));
      const double holds = op.link(3003) == nullptr ? apply(op.one<int>(3007, 0), row + ahead, col, 0)
                                                    : apply(op.one<int>(3007, 0), col + left - ahead, row, 0);
      if (holds == 0) x.at[static_cast<size_t>(i)] = nothing;
    }
    write(*op.link(3006), std::move(x));
  }
  // Over the axes that y has as 1.
  void reduction(const Descriptor& op) {
    const Values x = read(*op.link(1610));
    const bool most = op.link(1612)->one<int>(1600, 0) == 3;
    Values y{op.link(1611)->all<int64_t>(902), {}};
    y.at.assign(static_cast<size_t>(count(y.dims)), most ? -INFINITY : 0);
    for (int64_t i = 0; i < count(x.dims); ++i) {
      double& to = y.at[static_cast<size_t>(spread(i, x.dims, y.dims))];
      to = most ? std::max(to, x.at[static_cast<size_t>(i)]) : to + x.at[static_cast<size_t>(i)];
    }
    write(*op.link(1611), std::move(y));
  }
  void pointwise(const Descriptor& op) {
    const Descriptor& d = *op.link(750);
    const int mode = d.one<int>(0, -1);
    const Values x = read(*op.link(751));
    const Values b = op.link(752) == nullptr ? x : read(*op.link(752));
    const Values t = op.link(758) == nullptr ? x : read(*op.link(758));
    Values y{op.link(753)->all<int64_t>(902), {}};
    const auto axis = static_cast<size_t>(std::max<int64_t>(0, d.one<int64_t>(9, 0)));
    for (int64_t i = 0; i < count(y.dims); ++i) {
      const auto of = [&](const Values& v) { return v.at[static_cast<size_t>(spread(i, y.dims, v.dims))]; };
      int64_t place = i;
      for (size_t a = y.dims.size(); a-- > axis + 1;) place /= y.dims[a];
      y.at.push_back(mode == 501 ? static_cast<double>(place % y.dims[axis]) : apply(mode, of(x), of(b), of(t)));
    }
    write(*op.link(753), std::move(y));
  }
  static double apply(int mode, double x, double b, double t) {
    switch (mode) {
      case 0:
        return x + b;
      case 1:
        return x * b;
      case 6:
        return x / b;
      case 9:
        return x - b;
      case 13:
        return std::exp(x);
      case 15:
        return std::log(x);
      case 302:
        return x > b ? 1 : 0;
      case 303:
        return x >= b ? 1 : 0;
      case 304:
        return x < b ? 1 : 0;
      case 400:
        return x != 0 && b != 0 ? 1 : 0;
      default:  // 601
        return t != 0 ? x : b;
    }
  }

  const std::map<int64_t, void*>& bound_;
  std::map<int64_t, Values> virtual_;
};

// Whether an op has what it needs: the node its keys as they lie, not transposed.
int accepts(const Descriptor& op) {
  if (op.kind == kPointwiseOp || op.kind == kMatmulOp || op.kind == kReductionOp) return 0;
  if (op.kind != kSdpaOp && op.kind != kBandOp) return kNotSupported;
  if (version() < kMaskedNode) return kNotSupported;
  const bool node = op.kind == kSdpaOp;
  for (const int name : node ? std::vector<int>{2800, 2801, 2802, 2803, 2805} : std::vector<int>{3000, 3005, 3006}) {
    if (op.link(name) == nullptr) return kBadParam;
  }
  if (!node) return op.one<int>(3007, 0) == (op.link(3003) == nullptr ? 303 : 302) ? 0 : kNotSupported;
  const auto q = op.link(2800)->all<int64_t>(902), k = op.link(2801)->all<int64_t>(902);
  const auto v = op.link(2802)->all<int64_t>(902);
  if (q[3] != k[3] || k[2] != v[2] || q[1] % k[1] != 0) return kBadParam;
  return op.link(2811) == nullptr || (op.values.count(2812) != 0 && op.values.count(2813) != 0) ? 0 : kBadParam;
}

}  // namespace

#define DNN_ENTRY(name, ...) ENTRY_AS(gpudnn##name, standin_dnn_##name, __VA_ARGS__)

extern "C" {

DNN_ENTRY(Create, void** out) {
  *out = new Handle;
  return 0;
}
DNN_ENTRY(Destroy, void* handle) {
  delete static_cast<Handle*>(handle);
  return 0;
}
DNN_ENTRY(SetStream, void* handle, void* stream) {
  static_cast<Handle*>(handle)->stream = stream;
  return 0;
}
EXPORT(gpudnnGetVersion, standin_dnn_version)
IMPLEMENTATION size_t standin_dnn_version() { return static_cast<size_t>(version()); }
DNN_ENTRY(BackendCreateDescriptor, int kind, void** out) {
  *out = new Descriptor{kind, false, {}};
  return 0;
}
DNN_ENTRY(BackendDestroyDescriptor, void* d) {
  delete static_cast<Descriptor*>(d);
  return 0;
}
DNN_ENTRY(BackendSetAttribute, void* d, int name, int type, int64_t n, const void* from) {
  auto* descriptor = static_cast<Descriptor*>(d);
  if (descriptor->final || from == nullptr || n < 1) return kBadParam;
  const auto* p = static_cast<const char*>(from);
  descriptor->values[name].assign(p, p + static_cast<size_t>(n) * size_of(type));
  return 0;
}
DNN_ENTRY(BackendGetAttribute, void* d, int name, int, int64_t wanted, int64_t* n, void* out) {
  const auto* descriptor = static_cast<Descriptor*>(d);
  if (!descriptor->final) return kBadParam;
  *n = 1;
  if (descriptor->kind == kHeuristics && name == 202) {
    if (standin::setting("dnn_refuse") != 0) *n = 0;
    if (*n == 1 && wanted > 0) static_cast<Descriptor**>(out)[0]->values[1] = descriptor->values.at(201);  // its graph
  } else if (descriptor->kind == kPlan && name == 402) {
    *static_cast<int64_t*>(out) = 1024;
  }
  return 0;
}
DNN_ENTRY(BackendFinalize, void* d) {
  auto* descriptor = static_cast<Descriptor*>(d);
  if (descriptor->kind == kPack && standin::setting("dnn_fail") == kPacks) return kBadParam;
  if (descriptor->final) return kBadParam;
  if (descriptor->kind == kSdpaOp || descriptor->kind == kBandOp) {
    if (const int refused = accepts(*descriptor); refused != 0) return refused;
  }
  const bool graph = descriptor->kind == kGraph, plan = descriptor->kind == kPlan;
  for (const Descriptor* op :
       (plan ? descriptor->link(401)->link(1) : descriptor)->all<Descriptor*>(graph || plan ? 801 : -1)) {
    if (!op->final) return kBadParam;
    if (const int refused = accepts(*op); refused != 0) return refused;
    if (plan && op->kind == kSdpaOp && standin::setting("dnn_refuse_node") != 0) return kNotSupported;
  }
  descriptor->final = true;
  return 0;
}
DNN_ENTRY(BackendExecute, void* handle, void* plan, void* pack) {
  const Descriptor* graph = static_cast<Descriptor*>(plan)->link(401)->link(1);
  const auto* bound = static_cast<Descriptor*>(pack);
  if (graph == nullptr || !bound->final) return kBadParam;
  if (standin::setting("dnn_fail") == kExecutions) return kExecutionFailed;
  const std::vector<int64_t> ids = bound->all<int64_t>(1000);
  const std::vector<void*> pointers = bound->all<void*>(1001);
  std::map<int64_t, void*> by_id;
  for (size_t i = 0; i < ids.size(); ++i) by_id[ids[i]] = pointers[i];
  return standin::enqueue(static_cast<Handle*>(handle)->stream, "standin_attention", [graph, by_id] {
    Run run(by_id);
    for (const Descriptor* op : graph->all<Descriptor*>(801)) run.op(*op);
    standin::spend_ns(static_cast<uint64_t>(standin::setting("dnn_ns")));
  });
}

}  // extern "C"
