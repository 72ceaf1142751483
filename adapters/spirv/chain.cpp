#include "adapters/spirv/chain.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace assay::spirv {

namespace {

constexpr size_t kWords = 40;     // a launch: kernels/chain_cpu.cl
constexpr size_t kCounters = 96;  // of four bytes
// Of weights, behind which a launch ends: a millisecond's, which makes the beginning of the next one small, and after
// which a core that another process had comes in again.
constexpr int64_t kBytes = 32 << 20;

// A kernel that can be a link, by its number in kernels/chain_cpu.cl and by what its name ends in.
enum class Of { kNothing, kWeights, kCache };
struct Link {
  const char* name;
  Of suffix;
};
constexpr Link kLinks[] = {
    {"gemm_", Of::kWeights},      {"gated_row_", Of::kWeights},   {"rope", Of::kNothing},
    {"kv_append_", Of::kCache},   {"attention_", Of::kCache},     {"attention_join", Of::kNothing},
    {"rms_norm", Of::kNothing},   {"add_rms_norm", Of::kNothing}, {"add", Of::kNothing},
    {"gated_act", Of::kNothing},  {"embedding_", Of::kWeights},   {"argmax_parts", Of::kNothing},
    {"argmax_join", Of::kNothing}};
constexpr size_t kRowProduct = 0, kGatedRow = 1;

bool is_product(size_t link) { return link == kRowProduct || link == kGatedRow; }

struct Found {
  size_t link = 0;
  std::string weights, cache;  // dtypes; "" where the kernel reads none
};

// Of the products, those of one row with one matrix, as kernels/gemm.cl names the arguments.
bool is_row_product(const Launch& launch) {
  constexpr size_t kXScale = 4, kOffsets = 5, kM = 8;
  const int32_t* m = std::get_if<int32_t>(&launch.arguments[kM]);
  return m != nullptr && *m == 1 && launch.groups[2] == 1 &&
         std::holds_alternative<Absent>(launch.arguments[kXScale]) &&
         std::holds_alternative<Absent>(launch.arguments[kOffsets]);
}

// Bytes of weights that a launch reads.
int64_t weights_of(const Launch& launch, const Found& found) {
  const size_t n = found.link == kRowProduct ? 9 : 5;
  const int64_t rows = std::get<int32_t>(launch.arguments[n]) * int64_t{found.link == kGatedRow ? 2 : 1};
  const int64_t bytes = found.weights == "f32" ? 4 : (found.weights == "i8" ? 1 : 2);
  return rows * std::get<int32_t>(launch.arguments[n + 1]) * bytes;
}

std::optional<Found> find(const Launch& launch) {
  for (size_t i = 0; i < std::size(kLinks); ++i) {
    const std::string name = kLinks[i].name;
    if (kLinks[i].suffix == Of::kNothing) {
      if (launch.kernel == name) return Found{i, "", ""};
      continue;
    }
    if (launch.kernel.rfind(name, 0) != 0) continue;
    const std::string dtype = launch.kernel.substr(name.size());
    if (dtype != "f32" && dtype != "f16" && dtype != "bf16" && dtype != "i8") continue;
    if (i == kRowProduct && !is_row_product(launch)) return std::nullopt;
    return kLinks[i].suffix == Of::kWeights ? Found{i, dtype, ""} : Found{i, "", dtype};
  }
  return std::nullopt;
}

// Launches [from, to) with the dtypes that they share.
struct Stretch {
  size_t from = 0, to = 0;
  int64_t bytes = 0;  // of weights
  std::string weights, cache;
  std::vector<size_t> links;
  [[nodiscard]] bool takes(const Found& found) const {
    return (found.weights.empty() || weights.empty() || found.weights == weights) &&
           (found.cache.empty() || cache.empty() || found.cache == cache);
  }
  void add(const Found& found, const Launch& launch) {
    if (!found.weights.empty()) weights = found.weights;
    if (!found.cache.empty()) cache = found.cache;
    if (is_product(found.link)) bytes += weights_of(launch, found);
    links.push_back(found.link);
    ++to;
  }
};

std::vector<Stretch> stretches(const std::vector<Launch>& launches) {
  std::vector<Stretch> out;
  Stretch now;
  const auto end = [&](size_t next) {
    if (now.bytes > 0 && now.links.size() > 1) out.push_back(now);
    now = Stretch{};
    now.from = now.to = next;
  };
  for (size_t i = 0; i < launches.size(); ++i) {
    const std::optional<Found> found = find(launches[i]);
    if (!found) {
      end(i + 1);
      continue;
    }
    const int64_t more = is_product(found->link) ? weights_of(launches[i], *found) : 0;
    if (!now.takes(*found) || (more > 0 && now.bytes > 0 && now.bytes + more > kBytes)) end(i);
    now.add(*found, launches[i]);
  }
  end(launches.size());
  // A stretch without a cache runs the kernel that others need, so that none is compiled for it alone.
  for (Stretch& stretch : out) {
    for (size_t i = 0; i < out.size() && stretch.cache.empty(); ++i) stretch.cache = out[i].cache;
  }
  return out;
}

int64_t word_of(const Argument& argument) {
  if (const View* view = std::get_if<View>(&argument)) return static_cast<int64_t>(view->offset);
  if (const int32_t* value = std::get_if<int32_t>(&argument)) return *value;
  if (const uint32_t* value = std::get_if<uint32_t>(&argument)) return *value;
  if (const int64_t* value = std::get_if<int64_t>(&argument)) return *value;
  if (const float* value = std::get_if<float>(&argument)) {
    int32_t bits = 0;
    std::memcpy(&bits, value, sizeof(bits));
    return bits;
  }
  return -1;
}

Launch joined(Plan& plan, const Stretch& stretch) {
  std::vector<uint64_t> words;
  std::vector<size_t> groups;
  for (size_t i = stretch.from; i < stretch.to; ++i) {
    const Launch& launch = plan.launches[i];
    groups.push_back(launch.groups[0] * launch.groups[1] * launch.groups[2]);
    const size_t begin = words.size();
    words.insert(words.end(), {stretch.links[i - stretch.from], launch.groups[0], launch.groups[1]});
    for (const Argument& argument : launch.arguments) words.push_back(static_cast<uint64_t>(word_of(argument)));
    if (words.size() > begin + kWords)
      throw sdk::Failure(ASSAY_INTERNAL, launch.kernel + ": too many arguments to join");
    words.resize(begin + kWords);
  }
  const std::vector<Task> tasks = tasks_of(groups, plan.device().units);
  std::vector<uint64_t> packed(tasks.size() * sizeof(Task) / sizeof(uint64_t));
  std::memcpy(packed.data(), tasks.data(), tasks.size() * sizeof(Task));
  // Without a cache: the dtype that goes with the weights most often, so that one kernel more is seldom compiled.
  const std::string& weights = stretch.weights;
  const std::string cache = !stretch.cache.empty() ? stretch.cache : (weights == "i8" ? "f32" : weights);
  // More groups than cores: a driver may deal one core several, and each is as patient as a group is.
  return {"chain_" + weights + "_" + cache,
          {size_t{4} * plan.device().units, 1, 1},
          {1, 1, 1},
          {View{Plan::kWork, 0}, plan.constant(words), plan.constant(packed),
           plan.constant(std::vector<uint64_t>(kCounters * sizeof(int32_t) / sizeof(uint64_t))),
           i32(static_cast<int64_t>(tasks.size()))}};
}

}  // namespace

std::vector<Task> tasks_of(const std::vector<size_t>& groups, uint32_t units) {
  std::vector<Task> tasks;
  for (size_t l = 0; l < groups.size(); ++l) {
    const int32_t before = i32(static_cast<int64_t>(tasks.size()));
    for (size_t from = 0; from < groups[l];) {
      const size_t take = std::max<size_t>(1, (groups[l] - from) / (size_t{2} * units));
      tasks.push_back(
          {static_cast<int32_t>(l), i32(static_cast<int64_t>(from)), i32(static_cast<int64_t>(from + take)), before});
      from += take;
    }
  }
  return tasks;
}

void chain(Plan& plan) {
  if (!plan.device().groups_meet || plan.device().form != Form::kCpu) return;
  const std::vector<Stretch> found = stretches(plan.launches);
  if (found.empty() || !plan.gather()) return;
  std::vector<Launch> launches;
  size_t next = 0;
  for (const Stretch& stretch : found) {
    for (; next < stretch.from; ++next) launches.push_back(std::move(plan.launches[next]));
    launches.push_back(joined(plan, stretch));
    next = stretch.to;
  }
  for (; next < plan.launches.size(); ++next) launches.push_back(std::move(plan.launches[next]));
  plan.launches = std::move(launches);
}

}  // namespace assay::spirv
