#include <cmath>
#include <string>

#include "adapters/cpu/failure.h"
#include "adapters/cpu/plan.h"

namespace assay::cpu {

namespace {

constexpr uint32_t kMaxRank = 6;
constexpr uint64_t kMaxElements = 1ull << 46;

bool is_float(uint32_t dtype) { return dtype == ASSAY_F32 || dtype == ASSAY_F16 || dtype == ASSAY_BF16; }

[[noreturn]] void invalid(const std::string& text) { throw Failure(ASSAY_INVALID_ARGUMENT, text); }
[[noreturn]] void unsupported(const std::string& text) { throw Failure(ASSAY_UNSUPPORTED, text); }

struct KindRule {
  const char* name;
  uint32_t min_in, max_in, n_out, n_attr;
};
const KindRule* rule_of(uint32_t kind) {
  static constexpr KindRule kRules[] = {{"", 0, 0, 0, 0},
                                        {"matmul", 2, 3, 1, 0},
                                        {"attention", 3, 3, 1, ASSAY_ATTENTION_N_ATTR},
                                        {"kv_append", 3, 3, 2, ASSAY_KV_APPEND_N_ATTR},
                                        {"rms_norm", 2, 2, 1, ASSAY_RMS_NORM_N_ATTR},
                                        {"rope", 1, 1, 1, ASSAY_ROPE_N_ATTR},
                                        {"gated_act", 1, 1, 1, ASSAY_GATED_ACT_N_ATTR},
                                        {"add", 2, 2, 1, 0},
                                        {"embedding", 2, 2, 1, 0},
                                        {"argmax", 1, 1, 1, 0},
                                        {"quantize", 1, 1, 2, 0}};
  return kind >= 1 && kind <= ASSAY_OP_QUANTIZE ? &kRules[kind] : nullptr;
}

Slot read_tensor(const assay_tensor& t, uint32_t index) {
  const std::string where = "tensor " + std::to_string(index) + ": ";
  if (t.rank < 1 || t.rank > kMaxRank) invalid(where + "rank " + std::to_string(t.rank) + ", expected 1 to 6");
  if (t.role > ASSAY_ROLE_SCRATCH) invalid(where + "unknown role " + std::to_string(t.role));
  Slot slot;
  slot.host_dtype = t.dtype;
  slot.role = t.role;
  slot.dims.assign(t.dim, t.dim + t.rank);
  slot.cols = t.dim[t.rank - 1];
  uint64_t elements = 1;
  for (const int64_t d : slot.dims) {
    if (d < 1) invalid(where + "dimension " + std::to_string(d) + ", expected at least 1");
    if (static_cast<uint64_t>(d) > kMaxElements / elements) invalid(where + "more than 2^46 elements");
    elements *= static_cast<uint64_t>(d);
  }
  slot.rows = static_cast<int64_t>(elements) / slot.cols;
  if (element_bytes(t.dtype) == 0) unsupported(where + "dtype " + dtype_text(t.dtype));
  const bool kept = t.role == ASSAY_ROLE_STATE || (t.role == ASSAY_ROLE_WEIGHT && t.rank > 1);
  slot.dtype = is_float(t.dtype) && !kept ? static_cast<uint32_t>(ASSAY_F32) : t.dtype;
  slot.scale = t.scale;
  slot.scale_block = t.scale >= 0 ? t.scale_block : 0;
  return slot;
}

void check_scales(const std::vector<Slot>& slots) {
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    if (slot.scale < 0) continue;
    const std::string where = "tensor " + std::to_string(i) + ": ";
    if (static_cast<size_t>(slot.scale) >= slots.size()) invalid(where + "scale tensor does not exist");
    const Slot& scale = slots[static_cast<size_t>(slot.scale)];
    if (slot.host_dtype != ASSAY_I8) unsupported(where + "scales on a tensor that is not i8");
    if (slot.scale_block < 1 || slot.cols % slot.scale_block != 0)
      invalid(where + "scale_block does not divide the row");
    if (scale.host_dtype != ASSAY_F32 || scale.rows * scale.cols != slot.rows * (slot.cols / slot.scale_block)) {
      invalid(where + "scale tensor does not fit");
    }
  }
}

// Checks of one op against its tensors; `need` reports what does not hold.
class OpCheck {
 public:
  OpCheck(const Model& model, const Op& op) : model_(model), op_(op), where_(name(op)) {}

  void run() const {
    switch (op_.kind) {
      case ASSAY_OP_MATMUL:
        return matmul();
      case ASSAY_OP_ATTENTION:
        return attention();
      case ASSAY_OP_KV_APPEND:
        return kv_append();
      case ASSAY_OP_RMS_NORM:
        return rms_norm();
      case ASSAY_OP_ROPE:
        return rope();
      case ASSAY_OP_GATED_ACT:
        return gated_act();
      case ASSAY_OP_ADD:
        return add();
      case ASSAY_OP_EMBEDDING:
        return embedding();
      case ASSAY_OP_ARGMAX:
        return argmax();
      default:
        return quantize();
    }
  }

 private:
  static std::string name(const Op& op) {
    return "op " + std::to_string(op.index) + " (" + rule_of(op.kind)->name + "): ";
  }
  [[nodiscard]] const Slot& in(size_t i) const { return model_.slots[op_.in[i]]; }
  [[nodiscard]] const Slot& out(size_t i) const { return model_.slots[op_.out[i]]; }
  void need(bool holds, const char* what) const {
    if (!holds) invalid(where_ + what);
  }
  void can(bool holds, const char* what) const {
    if (!holds) unsupported(where_ + what);
  }
  void activation(const Slot& slot, const char* what) const {
    can(is_float(slot.host_dtype) && slot.dtype == ASSAY_F32, what);
  }
  void slice(int64_t col, int64_t cols, int64_t of) const {
    need(col >= 0 && cols >= 0 && cols <= of && col <= of - cols, "the columns lie outside the tensor");
  }
  void batch(int64_t rows, int64_t n) const { need(n >= 1 && rows % n == 0, "batch does not divide the rows"); }

  void matmul() const {
    const Slot& x = in(0);
    const Slot& w = in(1);
    need(x.cols == w.cols, "x and w differ in K");
    need(out(0).rows == x.rows && out(0).cols == w.rows, "y is not [M,N]");
    need(w.cols <= 0x7fffffff && w.rows <= 0x7fffffff && x.rows <= 0x7fffffff, "a dimension is beyond 2^31");
    activation(out(0), "y must be f32, bf16 or f16");
    if (op_.in.size() == 3) {
      need(in(2).elements() == static_cast<uint64_t>(w.rows), "bias is not [N]");
      activation(in(2), "bias must be a vector of f32, bf16 or f16");
    }
    if (w.host_dtype == ASSAY_I8) need(w.scale >= 0, "i8 weights without scales");
    can(is_float(w.dtype) || w.dtype == ASSAY_I8, "weights must be f32, bf16, f16 or i8");
    if (x.host_dtype != ASSAY_I8) return activation(x, "x must be f32, bf16, f16 or i8");
    need(x.scale >= 0 && x.scale_block == x.cols, "i8 activations need one scale per row");
    can(w.dtype == ASSAY_I8 && w.scale_block == w.cols, "i8 activations need i8 weights with one scale per row");
    can(x.cols <= 1 << 17, "K beyond 131072 may overflow the int32 sum");
  }
  void cache(const Slot& k, int64_t b, int64_t heads, int64_t dim) const {
    need(k.dims.size() == 4 && k.dims[0] == b && k.dims[2] == heads && k.dims[3] == dim, "the KV cache does not fit");
    can(is_float(k.dtype), "the KV cache must be f32, bf16 or f16");
  }
  void attention() const {
    const int64_t b = op_.integer(ASSAY_ATTENTION_BATCH);
    const int64_t h = op_.integer(ASSAY_ATTENTION_HEADS);
    const int64_t kh = op_.integer(ASSAY_ATTENTION_KV_HEADS);
    const int64_t dk = op_.integer(ASSAY_ATTENTION_DIM_QK);
    const int64_t dv = op_.integer(ASSAY_ATTENTION_DIM_V);
    const int64_t mask = op_.integer(ASSAY_ATTENTION_MASK);
    batch(in(0).rows, b);
    need(kh >= 1 && h >= 1 && h % kh == 0, "kv_heads does not divide heads");
    need(dk >= 1 && dv >= 1 && dk <= 4096 && dv <= 4096, "head dimensions must be 1 to 4096");
    slice(op_.integer(ASSAY_ATTENTION_Q_COL), h * dk, in(0).cols);
    cache(in(1), b, kh, dk);
    cache(in(2), b, kh, dv);
    need(in(1).dims[1] == in(2).dims[1], "k and v differ in length");
    need(in(1).dims[1] >= in(0).rows / b, "the KV cache is shorter than the step");
    need(out(0).rows == in(0).rows && out(0).cols == h * dv, "y is not [M,H*DV]");
    need(mask >= ASSAY_MASK_FULL && mask <= ASSAY_MASK_WINDOW, "unknown mask");
    need(mask != ASSAY_MASK_WINDOW || op_.integer(ASSAY_ATTENTION_WINDOW) >= 1, "the window must be at least 1");
    need(op_.attr[ASSAY_ATTENTION_SCALE] > 0, "scale must be above 0");
    activation(in(0), "q must be f32, bf16 or f16");
    activation(out(0), "y must be f32, bf16 or f16");
  }
  void kv_append() const {
    const int64_t b = op_.integer(ASSAY_KV_APPEND_BATCH);
    const int64_t kh = op_.integer(ASSAY_KV_APPEND_KV_HEADS);
    const int64_t dk = op_.integer(ASSAY_KV_APPEND_DIM_K);
    const int64_t dv = op_.integer(ASSAY_KV_APPEND_DIM_V);
    batch(in(0).rows, b);
    need(kh >= 1 && dk >= 1 && dv >= 1, "kv_heads and dimensions must be at least 1");
    slice(op_.integer(ASSAY_KV_APPEND_K_COL), kh * dk, in(0).cols);
    slice(op_.integer(ASSAY_KV_APPEND_V_COL), kh * dv, in(0).cols);
    cache(in(1), b, kh, dk);
    cache(in(2), b, kh, dv);
    need(in(1).dims[1] == in(2).dims[1], "k and v differ in length");
    need(op_.out[0] == op_.in[1] && op_.out[1] == op_.in[2], "the outputs must be the KV cache itself");
    need(in(1).dims[1] >= in(0).rows / b, "the KV cache is shorter than the step");
    need(in(1).role == ASSAY_ROLE_STATE && in(2).role == ASSAY_ROLE_STATE, "the KV cache must be STATE");
    activation(in(0), "x must be f32, bf16 or f16");
  }
  void same_shape() const {
    need(in(0).rows == out(0).rows && in(0).cols == out(0).cols, "x and y differ in shape");
    activation(in(0), "x must be f32, bf16 or f16");
    activation(out(0), "y must be f32, bf16 or f16");
  }
  void rms_norm() const {
    const int64_t group = op_.integer(ASSAY_RMS_NORM_GROUP);
    const int64_t cols = op_.integer(ASSAY_RMS_NORM_COLS);
    same_shape();
    slice(op_.integer(ASSAY_RMS_NORM_COL), cols, in(0).cols);
    need(cols != 0 || op_.integer(ASSAY_RMS_NORM_COL) == 0, "cols 0 means all: col must be 0");
    need(group >= 1 && (cols == 0 ? in(0).cols : cols) % group == 0, "group does not divide the columns");
    need(in(1).elements() == static_cast<uint64_t>(group), "gamma is not [group]");
    need(op_.attr[ASSAY_RMS_NORM_EPS] >= 0, "eps must not be negative");
    activation(in(1), "gamma must be a vector of f32, bf16 or f16");
  }
  void rope() const {
    const int64_t dim = op_.integer(ASSAY_ROPE_HEAD_DIM);
    const int64_t rotary = op_.integer(ASSAY_ROPE_ROTARY_DIM);
    const int64_t cols = op_.integer(ASSAY_ROPE_COLS);
    same_shape();
    batch(in(0).rows, op_.integer(ASSAY_ROPE_BATCH));
    slice(op_.integer(ASSAY_ROPE_COL), cols, in(0).cols);
    need(dim >= 2 && cols % dim == 0, "head_dim does not divide the columns");
    need(rotary >= 2 && rotary % 2 == 0 && rotary <= dim, "rotary_dim must be even and at most head_dim");
    need(op_.attr[ASSAY_ROPE_THETA] > 0, "theta must be above 0");
    if (op_.attr[ASSAY_ROPE_SCALING_FACTOR] > 0) {
      need(op_.attr[ASSAY_ROPE_SCALING_LOW] > 0 && op_.attr[ASSAY_ROPE_SCALING_ORIGINAL] > 0 &&
               op_.attr[ASSAY_ROPE_SCALING_HIGH] > op_.attr[ASSAY_ROPE_SCALING_LOW],
           "scaling needs 0 < low < high and original > 0");
    }
  }
  void gated_act() const {
    need(in(0).cols == 2 * out(0).cols && in(0).rows == out(0).rows, "x is not [M,2F] for y [M,F]");
    const int64_t function = op_.integer(ASSAY_GATED_ACT_FUNCTION);
    can(function >= ASSAY_ACT_SILU && function <= ASSAY_ACT_GELU_ERF, "unknown function");
    activation(in(0), "x must be f32, bf16 or f16");
    activation(out(0), "y must be f32, bf16 or f16");
  }
  void add() const {
    same_shape();
    need(in(1).rows == in(0).rows && in(1).cols == in(0).cols, "a and b differ in shape");
    activation(in(1), "b must be f32, bf16 or f16");
  }
  void embedding() const {
    can(in(0).dtype == ASSAY_I32, "the index must be i32");
    need(out(0).rows * out(0).cols == static_cast<int64_t>(in(0).elements()) * in(1).cols && out(0).cols == in(1).cols,
         "y is not [n,h]");
    can(is_float(in(1).dtype) || (in(1).dtype == ASSAY_I8 && in(1).scale >= 0),
        "the table must be f32, bf16, f16 or i8 with scales");
    activation(out(0), "y must be f32, bf16 or f16");
  }
  void argmax() const {
    activation(in(0), "x must be f32, bf16 or f16");
    can(out(0).dtype == ASSAY_I32, "y must be i32");
    need(out(0).elements() == static_cast<uint64_t>(in(0).rows), "y is not [M]");
    need(in(0).cols <= 0x7fffffff, "more columns than an i32 counts");
  }
  void quantize() const {
    activation(in(0), "x must be f32, bf16 or f16");
    need(out(0).host_dtype == ASSAY_I8 && out(0).rows == in(0).rows && out(0).cols == in(0).cols, "q is not I8 [M,K]");
    need(out(1).host_dtype == ASSAY_F32 && out(1).elements() == static_cast<uint64_t>(in(0).rows),
         "scale is not F32 [M,1]");
    need(out(0).scale == static_cast<int32_t>(op_.out[1]) && out(0).scale_block == out(0).cols,
         "q must name the scale output as its scale, one per row");
  }

  const Model& model_;
  const Op& op_;
  std::string where_;
};

Op read_op(const assay_op& raw, uint32_t index, size_t n_tensors, uint32_t n_scalars) {
  const std::string where = "op " + std::to_string(index) + ": ";
  const KindRule* rule = rule_of(raw.kind);
  if (rule == nullptr) unsupported(where + "unknown kind " + std::to_string(raw.kind));
  if (raw.n_in < rule->min_in || raw.n_in > rule->max_in) invalid(where + "wrong number of inputs");
  if (raw.n_out != rule->n_out) invalid(where + "wrong number of outputs");
  if (raw.n_attr < rule->n_attr) invalid(where + "too few attributes");
  if (raw.in == nullptr || raw.out == nullptr || (raw.n_attr > 0 && raw.attr == nullptr)) invalid(where + "null array");
  if (raw.scalar_slot != ASSAY_NO_SCALAR && raw.scalar_slot >= n_scalars) invalid(where + "no such scalar");
  Op op;
  op.kind = raw.kind;
  op.index = index;
  op.in.assign(raw.in, raw.in + raw.n_in);
  op.out.assign(raw.out, raw.out + raw.n_out);
  op.attr.assign(raw.attr, raw.attr + (raw.attr == nullptr ? 0 : raw.n_attr));
  op.scalar_slot = raw.scalar_slot;
  for (const auto* list : {&op.in, &op.out}) {
    for (const uint32_t t : *list) {
      if (t >= n_tensors) invalid(where + "no such tensor " + std::to_string(t));
    }
  }
  for (const double a : op.attr) {
    if (!std::isfinite(a) || std::abs(a) > 0x1p53) invalid(where + "attribute out of range");
  }
  return op;
}

// Every activation is written before it is read, and once.
void check_order(const Model& model) {
  std::vector<bool> written(model.slots.size());
  for (size_t t = 0; t < model.slots.size(); ++t) {
    const uint32_t role = model.slots[t].role;
    written[t] = role != ASSAY_ROLE_OUTPUT && role != ASSAY_ROLE_SCRATCH;
  }
  for (const Op& op : model.ops) {
    const std::string where = "op " + std::to_string(op.index) + ": ";
    for (const uint32_t t : op.in) {
      if (!written[t]) invalid(where + "reads tensor " + std::to_string(t) + " before it is written");
    }
    for (const uint32_t t : op.out) {
      if (model.slots[t].role == ASSAY_ROLE_STATE) continue;
      if (written[t]) invalid(where + "writes tensor " + std::to_string(t) + ", which is given or written already");
      written[t] = true;
    }
  }
}

}  // namespace

uint64_t element_bytes(uint32_t dtype) {
  switch (dtype) {
    case ASSAY_F32:
    case ASSAY_I32:
      return 4;
    case ASSAY_F16:
    case ASSAY_BF16:
      return 2;
    case ASSAY_I8:
      return 1;
    default:
      return 0;
  }
}

const char* dtype_text(uint32_t dtype) {
  static constexpr const char* kNames[] = {"f32", "f16", "bf16",   "f8e4m3", "f8e5m2",
                                           "i8",  "i4",  "f4e2m1", "i32",    "i64"};
  return dtype < std::size(kNames) ? kNames[dtype] : "unknown";
}

uint64_t Slot::bytes() const { return elements() * element_bytes(dtype); }

void Plan::note(const std::string& text) {
  for (const std::string& known : notes) {
    if (known == text) return;
  }
  notes.push_back(text);
}

Model read_model(const assay_program_desc& desc) {
  if (desc.struct_size < sizeof(assay_program_desc)) invalid("the program description is too short");
  if (desc.device != 0) invalid("no device " + std::to_string(desc.device) + ": the CPU is device 0");
  if (desc.n_ops == 0 || desc.ops == nullptr || desc.tensors == nullptr) invalid("a program without ops");
  if (desc.accumulate != nullptr && std::string(desc.accumulate) != "f32" && *desc.accumulate != '\0') {
    unsupported("accumulation in " + std::string(desc.accumulate) + ": this adapter accumulates in f32");
  }
  Model model;
  model.n_scalars = desc.n_scalars;
  for (uint32_t t = 0; t < desc.n_tensors; ++t) model.slots.push_back(read_tensor(desc.tensors[t], t));
  check_scales(model.slots);
  for (uint32_t i = 0; i < desc.n_ops; ++i) {
    model.ops.push_back(read_op(desc.ops[i], i, model.slots.size(), desc.n_scalars));
    OpCheck(model, model.ops.back()).run();
  }
  check_order(model);
  return model;
}

}  // namespace assay::cpu
