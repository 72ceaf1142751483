// An adapter as one class of the SDK: the index of the largest of each row of an F32 tensor, nothing else.
#include <adapters/sdk/adapter.h>

#include <cstring>

namespace {

using assay::sdk::Failure;

class ArgmaxProgram : public assay::sdk::Program {
 public:
  explicit ArgmaxProgram(const assay_program_desc& graph)
      : input_(graph.ops[0].in[0]), output_(graph.ops[0].out[0]), largest_(rows(graph)) {
    x_.resize(largest_.size() * static_cast<size_t>(graph.tensors[input_].dim[1]));
  }
  void write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) override {
    if (tensor != input_) throw Failure(ASSAY_INVALID_ARGUMENT, "only the input is written");
    std::memcpy(reinterpret_cast<char*>(x_.data()) + offset, src, bytes);
  }
  void read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) override {
    if (tensor != output_) throw Failure(ASSAY_INVALID_ARGUMENT, "only the output is read");
    std::memcpy(dst, reinterpret_cast<const char*>(largest_.data()) + offset, bytes);
  }
  void submit(const assay_run_args& args) override { repeat_ = args.repeat; }
  void wait(assay_run_result&) override {
    const size_t columns = x_.size() / largest_.size();
    for (uint32_t r = 0; r < repeat_; ++r) {
      for (size_t row = 0; row < largest_.size(); ++row) {
        const float* first = x_.data() + row * columns;
        const volatile float* x = first;  // volatile: a repeat does the work again
        size_t best = 0;
        for (size_t i = 1; i < columns; ++i) best = x[i] > first[best] ? i : best;
        largest_[row] = static_cast<int32_t>(best);
      }
    }
  }
  assay::sdk::ProgramInfo info() override { return {1, x_.size() * sizeof(float), "loop", ""}; }

 private:
  static size_t rows(const assay_program_desc& graph) {
    return static_cast<size_t>(graph.tensors[graph.ops[0].in[0]].dim[0]);
  }
  uint32_t input_, output_, repeat_ = 1;
  std::vector<int32_t> largest_;
  std::vector<float> x_;
};

class Bolt : public assay::sdk::Adapter {
 public:
  explicit Bolt(const assay::sdk::Host&) {}
  std::vector<assay::sdk::Device> devices() override {
    assay::sdk::Device device;
    device.product = "Bolt One";
    device.memory_bytes = device.memory_free_bytes = uint64_t{1} << 30;
    device.dtypes = uint64_t{1} << ASSAY_F32;
    device.basis = ASSAY_BASIS_SIMULATED;
    device.support = ASSAY_SUPPORT_CHECKED_AGAINST_API;
    return {device};
  }
  std::string unsupported(const assay_program_desc& graph) override {
    const bool known = graph.n_ops == 1 && graph.ops[0].kind == ASSAY_OP_ARGMAX &&
                       graph.tensors[graph.ops[0].in[0]].dtype == ASSAY_F32 &&
                       graph.tensors[graph.ops[0].in[0]].rank == 2;
    return known ? "" : "bolt finds the largest and does nothing else";
  }
  std::unique_ptr<assay::sdk::Program> prepare(const assay_program_desc& graph) override {
    if (const std::string why = unsupported(graph); !why.empty()) throw Failure(ASSAY_UNSUPPORTED, why);
    return std::make_unique<ArgmaxProgram>(graph);
  }
};

}  // namespace

ASSAY_SDK_ADAPTER(Bolt, "bolt", "Bolt", "0.4.2", "{}")
