// What the stand-in's library of neural-network ops is told of, and how it executes an op: in double precision.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "tests/standin/export.h"

namespace standin {
float half_value(uint16_t bits);
uint16_t half_code(float value);
}  // namespace standin

namespace standin::dnn {

// The numbers of cudnn_graph_v9.h that are needed here.
constexpr int kPointwiseOp = 13, kMatmulOp = 19, kReductionOp = 22, kPagedLoadOp = 35, kSdpaOp = 41, kBandOp = 44;
constexpr int kFloat = 0, kHalf = 2, kInt32 = 4, kBfloat16 = 9;

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
    if (d.kind == kPagedLoadOp) return load_pages(d);
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
  // Positions of sequences, one after the other, from the pages that hold them: [B,H,S,D] of a container [N,H,page,D].
  // What a sequence does not have is not loaded and must not be used.
  Values gathered(const Descriptor& container, const Descriptor& table, const Descriptor& lengths) {
    const Values from = read(container), page_of = read(table), length = read(lengths);
    const int64_t heads = from.dims[1], page = from.dims[2], d = from.dims[3];
    const int64_t batch = page_of.dims[0], slots = page_of.dims[2] * page;
    Values out{{batch, heads, slots, d}, {}};
    for (int64_t i = 0; i < count(out.dims); ++i) {
      const int64_t b = i / (heads * slots * d), h = i / (slots * d) % heads, j = i / d % slots;
      if (j >= static_cast<int64_t>(length.at[static_cast<size_t>(b)])) {
        out.at.push_back(NAN);
        continue;
      }
      const auto n = static_cast<int64_t>(page_of.at[static_cast<size_t>(b * page_of.dims[2] + j / page)]);
      out.at.push_back(from.at.at(static_cast<size_t>(((n * heads + h) * page + j % page) * d + i % d)));
    }
    return out;
  }
  // With rows as columns where y's strides say so, as keys are for a product.
  void load_pages(const Descriptor& op) {
    Values y = gathered(*op.link(1950), *op.link(1953), *op.link(1952));
    if (op.link(1951)->all<int64_t>(903)[2] == 1) {
      const Values rows = y;
      std::swap(y.dims[2], y.dims[3]);
      for (int64_t i = 0; i < count(y.dims); ++i) {
        const int64_t block = i / (y.dims[2] * y.dims[3]), e = i / y.dims[3] % y.dims[2], j = i % y.dims[3];
        y.at[static_cast<size_t>(i)] = rows.at[static_cast<size_t>((block * y.dims[3] + j) * y.dims[2] + e)];
      }
    }
    write(*op.link(1951), std::move(y));
  }
  // Of the node: k or v, which a table may find in pages.
  Values cached(const Descriptor& op, int name, int table) {
    return op.link(table) == nullptr ? read(*op.link(name)) : gathered(*op.link(name), *op.link(table), *op.link(2810));
  }
  // Attention as one op: its masks are a graph of their own on the scaled scores, and what lies beyond the lengths
  // counts for nothing.
  void sdpa(const Descriptor& op) {
    const Values q = read(*op.link(2800)), k = cached(op, 2801, 2807), v = cached(op, 2802, 2808);
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

}  // namespace standin::dnn
