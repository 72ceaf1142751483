#include "adapters/gpu/forms.h"

#include <algorithm>

namespace assay::gpu {

using namespace assay_gpu;

namespace {

constexpr uint64_t kSearchNs = 2'000'000'000;
constexpr size_t kStepCalls = 8;  // fewer are no step, but ops that are checked alone, without what overlaps with them
constexpr unsigned kStreamedThreads = 128;
// Of a multiprocessor, the likeliest first: fewer have too little on its way, more leave the next kernel no room.
constexpr int64_t kStreamedBlocks[] = {3, 2, 4, 5};

bool streams(const ProductArgs& product) {
  const int64_t elements = 128 / bits_of_element(static_cast<uint32_t>(product.w.dtype));
  return product.w.scale == nullptr || product.w.block % elements == 0;
}

// The streamed kernel's launches: as many warps as take equally many columns.
template <typename Args>
void add_streamed(const Plan& plan, const Call& call, const std::string& kernel, const Args& args,
                  const ProductArgs& product, int64_t columns, std::vector<Form>* forms) {
  if (!plan.device->has(kernel) || !streams(product)) return;
  const bool scales = product.w.scale != nullptr && product.w.block != product.k;
  constexpr int64_t kWarps = kStreamedThreads / 32;
  std::vector<int64_t> grids;
  for (const int64_t blocks : kStreamedBlocks) {
    const int64_t at_once = plan.device->multiprocessors * blocks * kWarps;
    const int64_t rounds = (columns + at_once - 1) / at_once, warps = (columns + rounds - 1) / rounds;
    const Grid grid{(warps + kWarps - 1) / kWarps, 1, 1, kStreamedThreads,
                    uint64_t{kStreamedThreads} * (scales ? 320 : 256)};
    if (std::find(grids.begin(), grids.end(), grid.x) != grids.end()) continue;
    grids.push_back(grid.x);
    forms->push_back({kernel_call(plan, call.op, kernel, grid, &args, sizeof(args))});
  }
}

struct Shape {
  std::vector<size_t> places;  // of its calls in the step
  size_t forms = 0, chosen = 0;
  int64_t bits = 0;  // of weights
  bool timed = false;
};

class Chooser {
 public:
  Chooser(Plan& plan, std::map<std::string, size_t>* known, const FormSearch& search)
      : plan_(plan), known_(*known), search_(search), began_(search.now_ns()) {
    size_t others = 0, of_one_row = 0;
    for (size_t i = 0; i < plan.calls.size(); ++i) {
      forms_.push_back(forms_of(plan, plan.calls[i]));
      const std::string& name = plan.calls[i].name;
      others += name.rfind("product", 0) == 0 || name.rfind("tiles_", 0) == 0 ? 1 : 0;
      if (forms_[i].size() < 2) continue;
      ++of_one_row;
      Shape& shape = shapes_[key(plan.calls[i])];
      shape.places.push_back(i);
      shape.forms = std::min<size_t>(forms_[i].size(), search.most);
      shape.bits += bits(plan.calls[i]);
    }
    if (of_one_row < others) shapes_.clear();  // such a step takes long, and little of it depends on these
  }

  void run() {
    std::vector<std::pair<const std::string, Shape>*> order;
    for (auto& entry : shapes_) {
      const auto found = known_.find(entry.first);
      entry.second.timed = found != known_.end();
      if (entry.second.timed) entry.second.chosen = std::min(found->second, entry.second.forms - 1);
      if (!entry.second.timed) order.push_back(&entry);
    }
    std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->second.bits > b->second.bits; });
    for (auto* entry : order) try_forms(entry->first, &entry->second);
    if (shapes_.empty()) return;
    note();
    plan_.calls = step();
  }

 private:
  // What a product is apart from where its tensors lie.
  [[nodiscard]] std::string key(const Call& call) const {
    const ProductArgs product = product_of(call);
    std::string out = call.name;
    for (const int64_t part :
         {product.n, product.k, product.w.block, product.x.dtype, product.y.dtype, product.early}) {
      out += " " + std::to_string(part);
    }
    return out + (plan_.calls.size() < kStepCalls ? " alone" : "");
  }
  static ProductArgs product_of(const Call& call) {
    const auto gated = arguments<GatedProductArgs>(call, call.name);
    return gated ? gated->product : arguments<ProductArgs>(call, call.name).value_or(ProductArgs{});
  }
  static int64_t bits(const Call& call) {
    const ProductArgs product = product_of(call);
    return product.n * product.k * bits_of_element(static_cast<uint32_t>(product.w.dtype));
  }

  [[nodiscard]] std::vector<Call> step() const {
    std::vector<size_t> chosen(plan_.calls.size(), 0);
    for (const auto& [key, shape] : shapes_) {
      for (const size_t place : shape.places) chosen[place] = shape.chosen;
    }
    std::vector<Call> out;
    for (size_t i = 0; i < chosen.size(); ++i) {
      out.insert(out.end(), forms_[i][chosen[i]].begin(), forms_[i][chosen[i]].end());
    }
    return out;
  }

  void try_forms(const std::string& key, Shape* shape) {
    const auto late = [&] { return search_.now_ns() - began_ > kSearchNs; };
    if (late()) return;
    size_t best = 0;
    double least = search_.ms(step());  // anew for each shape: clocks drift
    for (shape->chosen = 1; shape->chosen < shape->forms && !late(); ++shape->chosen) {
      const double ms = search_.ms(step());
      if (ms >= least) continue;
      least = ms;
      best = shape->chosen;
    }
    shape->timed = shape->chosen == shape->forms;
    shape->chosen = best;
    if (shape->timed) known_[key] = best;
  }

  void note() {
    size_t streamed = 0, apart = 0, blocks = 0, late = 0, most = 0;
    for (const auto& [key, shape] : shapes_) {
      const Form& form = forms_[shape.places.front()][shape.chosen];
      ++(form.front().name.find("streamed") != std::string::npos ? streamed : blocks);
      apart += form.size() > 1 ? 1 : 0;
      late += shape.timed ? 0 : 1;
      most = std::max(most, shape.forms);
    }
    std::string text = "shapes of one row's products: " + std::to_string(streamed) + " streamed, " +
                       std::to_string(blocks) + " by a block a column, the fastest of up to " + std::to_string(most) +
                       " forms timed in a step";
    if (apart > 0) {
      text += "; " + std::to_string(apart) + " with the gate apart";
      plan_.notes.erase(std::remove(plan_.notes.begin(), plan_.notes.end(), kGateFused), plan_.notes.end());
    }
    if (late > 0) text += "; time was over before all forms of " + std::to_string(late) + " were tried";
    plan_.note(text);
  }

  Plan& plan_;
  std::map<std::string, size_t>& known_;
  const FormSearch& search_;
  uint64_t began_;
  std::vector<std::vector<Form>> forms_;  // of each call
  std::map<std::string, Shape> shapes_;
};

}  // namespace

std::vector<Form> forms_of(const Plan& plan, const Call& call) {
  std::vector<Form> out{{call}};
  const auto half_a_block = [&] {  // twice as many vectors to a thread
    if (call.grid.threads < 64) return;
    Grid grid = call.grid;
    grid.threads /= 2;
    out.push_back({kernel_call(plan, call.op, call.name, grid, call.args.data(), call.args.size())});
  };
  const bool one_row = call.name.size() > 2 && call.name.substr(call.name.size() - 2) == "_1";
  if (const auto product = arguments<ProductArgs>(call, call.name);
      one_row && product && call.name.rfind("matvec_", 0) == 0) {
    add_streamed(plan, call, "streamed_" + call.name.substr(7), *product, *product, product->n, &out);
    if (call.name != "matvec_1") half_a_block();
  } else if (const auto gated = arguments<GatedProductArgs>(call, call.name); one_row && gated) {
    add_streamed(plan, call, "gated_streamed_" + call.name.substr(6), *gated, gated->product, gated->y.cols, &out);
    if (call.apart.size() == 2) {
      out.push_back(call.apart);
      const std::vector<Form> first = forms_of(plan, call.apart[0]);
      if (first.size() > 1) out.push_back({first[1].front(), call.apart[1]});
    }
    half_a_block();
  }
  return out;
}

void choose_forms(Plan& plan, std::map<std::string, size_t>* known, const FormSearch& search) {
  if (search.most > 1) Chooser(plan, known, search).run();
}

}  // namespace assay::gpu
