#include "adapters/spirv/adapter.h"

namespace assay::spirv {

Options read_options(const sdk::Host& host) {
  return {host.option("kernels", {"cpu", "gpu"}), host.option("program", {"source", "spirv"})};
}

void choose_kernels(const Options& options, bool cpu, uint32_t sub_group, Traits* traits) {
  if (!options.kernels.empty()) cpu = options.kernels == "cpu";
  const auto fits = [&](int64_t side) { return side * side <= int64_t{traits->max_group}; };
  const bool small = !fits(Traits::kTile) || (sub_group > 0 && sub_group < Traits::kTile);
  traits->tile_side = small ? Traits::kSmallTile : Traits::kTile;
  traits->form = cpu || !fits(traits->tile_side) ? Form::kCpu : Form::kGpu;
}

std::vector<sdk::Device> Adapter::devices() {
  std::vector<sdk::Device> cards;
  cards.reserve(devices_.size());
  for (const auto& device : devices_) cards.push_back(device->card());
  return cards;
}

Device& Adapter::device(const assay_program_desc& graph) {
  if (graph.struct_size < sizeof(assay_program_desc) || graph.device >= devices_.size()) {
    throw sdk::Failure(ASSAY_INVALID_ARGUMENT, "no such device, or a program description that is too short");
  }
  return *devices_[graph.device];
}

std::string Adapter::unsupported(const assay_program_desc& graph) {
  const Device& asked = device(graph);
  const std::string refused = asked.refusal();
  return refused.empty() ? spirv::unsupported(asked.traits(), graph) : refused;
}

std::unique_ptr<sdk::Program> Adapter::prepare(const assay_program_desc& graph) {
  Device& asked = device(graph);
  const std::string refused = asked.refusal();
  if (!refused.empty()) throw sdk::Failure(ASSAY_UNSUPPORTED, refused);
  return std::make_unique<Program>(asked, graph);
}

}  // namespace assay::spirv
