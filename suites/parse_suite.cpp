// Suite files: blocks of axes become cases, each block its full cross product.
#include <algorithm>
#include <set>

#include "suites/base/hash.h"
#include "suites/base/json_input.h"
#include "suites/base/nearest.h"
#include "suites/case.h"
#include "suites/routing_trace.h"
#include "suites/suite.h"
#include "suites/video_case.h"

namespace assay {
namespace {

constexpr size_t kMaxCases = 100000;
constexpr int64_t kDefaultPageTokens = 16;

std::vector<std::string> names_of(const std::vector<ModelShape>& models) {
  std::vector<std::string> names;
  names.reserve(models.size());
  for (const ModelShape& m : models) names.push_back(m.name);
  return names;
}

std::vector<int64_t> axis(const JsonNode& block, const char* name, int64_t min, int64_t max) {
  std::vector<int64_t> values;
  for (const JsonNode& item : block.at(name).items(1, 1000)) values.push_back(item.integer(min, max));
  return values;
}

// Fields that are absent stay as they are in `p`.
RunPolicy read_policy(const JsonNode& node, RunPolicy p) {
  node.fields({"target_half_width", "percentiles", "confidence", "time_limit_s", "launches", "min_samples",
               "max_step_s", "max_layers"});
  if (node.has("target_half_width")) p.target_half_width = node.at("target_half_width").number(1e-6, 1);
  if (node.has("percentiles")) {
    p.percentiles.clear();
    for (const JsonNode& item : node.at("percentiles").items(0, 20)) p.percentiles.push_back(item.number(0, 0.999999));
  }
  if (node.has("confidence")) p.confidence = node.at("confidence").number(0.5, 0.9999);
  if (node.has("time_limit_s")) p.time_limit_s = node.at("time_limit_s").number(0.01, 86400);
  if (node.has("launches")) p.launches = node.at("launches").integer(1, kMaxLaunches);
  if (node.has("min_samples")) p.min_samples = node.at("min_samples").integer(1, 10'000'000);
  if (node.has("max_step_s")) p.max_step_s = node.at("max_step_s").number(0.001, 86400);
  if (node.has("max_layers")) p.max_layers = node.at("max_layers").integer(1, 4096);
  return p;
}

// What is wrong with a file that this one names: the first fault with its line, and how many there are.
std::string of_another_file(const std::string& file, const Error& error) {
  if (error.faults.empty()) return error.message;
  const Fault& first = error.faults.front();
  const size_t n = error.faults.size();
  std::string text = file + (first.line > 0 ? ":" + std::to_string(first.line) : "") + ": " + first.message;
  if (n > 1) text += " (and " + std::to_string(n - 1) + " more: assay validate " + file + ")";
  return text;
}

// The axes of a block in the order in which cases run.
class Block {
 public:
  Block(const JsonNode& node, const std::vector<ModelShape>& models, const std::vector<VideoShape>& videos,
        std::string suite, std::filesystem::path folder)
      : node_(node), models_(models), videos_(videos), suite_(std::move(suite)), folder_(std::move(folder)) {}

  void read(std::vector<Case>* out) {
    Case c;
    c.suite = suite_;
    const size_t faults = node_.fault_count();
    c.kind = step_kind(node_.at("kind").text_of(step_kind_names()));
    if (node_.fault_count() > faults) return;  // without a kind there is no telling what belongs here
    if (node_.has("cache")) c.cold = node_.at("cache").text_of({"warm", "cold"}) == "cold";
    std::vector<std::string> dtypes;
    for (const JsonNode& item : node_.at("dtypes").items(1, 20)) {
      const std::string name = item.text_of(dtype_plan_names());
      if (!name.empty()) dtypes.push_back(name);  // else a fault, told by now
    }
    if (dtypes.empty()) dtypes.emplace_back("f32");  // so that the other axes' faults are told too
    if (is_video_step(c.kind)) {
      for (Case& video : read_video_block(node_, c.kind, suite_, dtypes, videos_)) {
        video.cold = c.cold;
        out->push_back(std::move(video));
      }
    } else if (c.kind == StepKind::kPrefill || c.kind == StepKind::kDecode) {
      read_steps(c, dtypes, out);
    } else if (c.kind == StepKind::kGemm) {
      read_gemm(c, dtypes, out);
    } else {
      node_.fields({"kind", "dtypes", "cache", "buffer_bytes"});
      for (const int64_t bytes : axis(node_, "buffer_bytes", case_limits::kMinBuffer, case_limits::kMaxBuffer)) {
        c.buffer_bytes = bytes;
        add(c, dtypes, out);
      }
    }
  }

 private:
  // Of a block without that axis, and for the faults of the others where the axis itself is at fault.
  inline static const std::vector<Routing> kNoRouting{Routing{}};

  void read_steps(Case c, const std::vector<std::string>& dtypes, std::vector<Case>* out) {
    const bool prefill = c.kind == StepKind::kPrefill;
    node_.fields({"kind", "models", "dtypes", "cache", "batch", "tokens", "context", "routing", "routing_seed",
                  "kv_layout", "page_tokens", "page_seed"});
    if (!prefill && node_.has("tokens")) node_.at("tokens").fail("decode has one new token per sequence; no such axis");
    const auto batches = axis(node_, "batch", 1, case_limits::kBatch);
    const auto tokens = prefill ? axis(node_, "tokens", 1, int64_t{1} << 30) : std::vector<int64_t>{1};
    const auto contexts =
        prefill && !node_.has("context") ? std::vector<int64_t>{0} : axis(node_, "context", 0, int64_t{1} << 30);
    const std::vector<int64_t> pages = read_pages(&c.page_seed);
    const std::vector<Routing> all_routings = read_routings();
    for (const JsonNode& item : node_.at("models").items(1, 1000)) {
      const std::string name = item.text_of(names_of(models_));
      const auto found = std::find_if(models_.begin(), models_.end(), [&](const auto& m) { return m.name == name; });
      if (found == models_.end()) continue;
      c.model = *found;
      if (node_.has("routing") && !c.model.has_moe()) {
        item.fail("model '" + name + "' has no experts to route to");
      }
      const std::vector<Routing> routings = c.model.has_moe() && !all_routings.empty() ? all_routings : kNoRouting;
      for (const Routing& r : routings) check_groups(c, r);
      for (const int64_t batch : batches) {
        for (const int64_t t : tokens) {
          for (const int64_t context : contexts) {
            c.batch = batch;
            c.tokens = t;
            c.context = context;
            for (const int64_t page_tokens : pages) {
              c.page_tokens = page_tokens;
              for (const Routing& r : routings) {
                c.routing = r;
                add(c, dtypes, out);
              }
            }
          }
        }
      }
    }
  }

  // Tokens of a page; 0 where each sequence has one block.
  std::vector<int64_t> read_pages(uint64_t* seed) {
    const bool paged = node_.has("kv_layout") && node_.at("kv_layout").text_of(kv_layout_names()) == "paged";
    for (const char* name : {"page_tokens", "page_seed"}) {
      if (!paged && node_.has(name)) node_.at(name).fail(std::string(name) + " needs \"kv_layout\": \"paged\"");
    }
    if (!paged) return {0};
    if (node_.has("page_seed")) *seed = node_.at("page_seed").unsigned_integer();
    return node_.has("page_tokens") ? axis(node_, "page_tokens", 1, case_limits::kPageTokens)
                                    : std::vector<int64_t>{kDefaultPageTokens};
  }

  // Traces lie beside the suite file.
  std::vector<Routing> read_routings() {
    if (!node_.has("routing")) {
      if (node_.has("routing_seed")) node_.at("routing_seed").fail("no axis 'routing' beside it that it could draw");
      return kNoRouting;
    }
    std::vector<Routing> out;
    for (const JsonNode& item : node_.at("routing").items(1, 1000)) {
      Result<Routing> routing = parse_routing(item.text());
      if (!routing) {
        item.fail(routing.error().message);
        continue;
      }
      if (node_.has("routing_seed")) routing->seed = node_.at("routing_seed").unsigned_integer();
      if (routing->kind == Routing::Kind::kTrace) routing->file = (folder_ / routing->file).lexically_normal().string();
      if (const Status loaded = load_routing_trace(&*routing); !loaded) {
        item.fail(of_another_file(routing->file, loaded.error()));
        continue;
      }
      out.push_back(*routing);
    }
    return out;
  }

  // All of a trace's rows: too long to be a part of case_faults().
  void check_groups(const Case& c, const Routing& r) {
    if (r.trace == nullptr) return;
    if (r.trace->experts != c.model.moe.experts || r.trace->top_k != c.model.moe.top_k)
      return;  // told by case_faults()
    const std::string fault = trace_fault(*r.trace, c.model.moe);
    if (!fault.empty()) node_.at("routing").fail("model '" + c.model.name + "': " + r.file + ": " + fault);
  }

  void read_gemm(Case c, const std::vector<std::string>& dtypes, std::vector<Case>* out) {
    node_.fields({"kind", "dtypes", "cache", "shapes"});
    for (const JsonNode& shape : node_.at("shapes").items(1, 1000)) {
      const auto sides = shape.items(3, 3);
      if (sides.size() != 3) continue;
      c.m = sides[0].integer(1, case_limits::kGemmSide);
      c.n = sides[1].integer(1, case_limits::kGemmSide);
      c.k = sides[2].integer(1, case_limits::kGemmSide);
      add(c, dtypes, out);
    }
  }

  void add(Case c, const std::vector<std::string>& dtypes, std::vector<Case>* out) {
    for (const std::string& dtype : dtypes) {
      c.dtype = dtype;
      const std::vector<std::string> faults = case_faults(c);
      for (const std::string& fault : faults) tell(c, fault);
      if (!faults.empty()) continue;
      if (out->size() >= kMaxCases) return tell(c, "expected at most " + std::to_string(kMaxCases) + " cases");
      out->push_back(c);
    }
  }

  // Once, however many cases of the block have it, where the fault's value stands.
  void tell(const Case& c, const std::string& fault) {
    if (told_.insert(fault).second) place_of(c, fault).fail("case " + c.id() + ": " + fault);
  }

  // Of the axes that the fault names before its colon ("tokens + context: ...") the last that the block has: there the
  // case's value.
  JsonNode place_of(const Case& c, const std::string& fault) const {
    const std::pair<const char*, int64_t> axes[] = {
        {"batch", c.batch}, {"tokens", c.tokens}, {"context", c.context}, {"page_tokens", c.page_tokens}};
    const std::string names = fault.substr(0, fault.find(':'));
    JsonNode place = node_.has(names.c_str()) ? node_.at(names.c_str()) : node_;
    for (const auto& [name, value] : axes) {
      if (names.find(name) == std::string::npos || !node_.has(name)) continue;
      for (const JsonNode& item : node_.at(name).items()) {
        if (item.integer() == value) place = item;
      }
    }
    return place;
  }

  JsonNode node_;
  const std::vector<ModelShape>& models_;
  const std::vector<VideoShape>& videos_;
  std::string suite_;
  std::filesystem::path folder_;  // of the suite file
  std::set<std::string> told_;
};

// Of a suite that extends another: policy fields override one by one, `cases` replaces the base's, `more_cases` adds.
void read_form(const JsonNode& node, const std::vector<ModelShape>& models, const std::vector<VideoShape>& videos,
               const std::string& suite, const std::filesystem::path& folder, bool extends, RunPolicy* policy,
               std::vector<Case>* cases) {
  node.fields(extends ? std::vector<std::string>{"policy", "cases", "more_cases"}
                      : std::vector<std::string>{"policy", "cases"});
  if (node.has("policy")) *policy = read_policy(node.at("policy"), *policy);
  const auto add = [&](const char* list) {
    for (const JsonNode& block : node.at(list).items(1, 1000)) Block(block, models, videos, suite, folder).read(cases);
  };
  if (!extends || node.has("cases")) {
    cases->clear();
    add("cases");
  }
  if (extends && node.has("more_cases")) add("more_cases");
}

// The base's cases and policies under the new suite's name; an empty suite where the base is not to be had.
Suite extended(const JsonNode& node, const std::string& name, const std::filesystem::path& folder,
               const BaseSuite& base) {
  const std::string wanted = node.text();
  if (!base) {
    node.fail("no suite can be extended here");
    return {};
  }
  Result<Suite> found = base(wanted);
  if (!found) {
    node.fail(of_another_file((folder / wanted).lexically_normal().string(), found.error()));
    return {};
  }
  Suite out = std::move(found).value();
  for (auto* cases : {&out.quick_cases, &out.full_cases}) {
    for (Case& c : *cases) c.suite = name;
  }
  return out;
}

bool plain_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

}  // namespace

Result<Suite> parse_suite(const std::string& text, const std::string& where, const std::vector<ModelShape>& models,
                          const std::vector<VideoShape>& videos, const BaseSuite& base) {
  JsonInput input(text, where);
  const JsonNode root = input.root();
  root.fields({"name", "extends", "version", "title", "question", "quick", "full"});
  const size_t faults = root.fault_count();
  const std::string name = root.at("name").text(64);
  if (root.fault_count() == faults && !plain_name(name)) {
    root.at("name").fail_expected("lower-case letters, digits, - _ and .");
  }
  const bool extends = root.has("extends");
  Suite suite;
  const std::filesystem::path folder = std::filesystem::path(where).parent_path();
  if (extends) suite = extended(root.at("extends"), name, folder, base);
  const std::string base_hash = suite.hash;
  suite.name = name;
  if (!extends || root.has("version")) suite.version = static_cast<int>(root.at("version").integer(1, 1'000'000));
  if (!extends || root.has("title")) suite.title = root.at("title").text();
  if (!extends || root.has("question")) suite.question = root.at("question").text();
  if (!extends) suite.quick.launches = suite.full.launches = kDefaultLaunches;
  if (!extends || root.has("quick")) {
    read_form(root.at("quick"), models, videos, name, folder, extends, &suite.quick, &suite.quick_cases);
  }
  if (!extends || root.has("full")) {
    read_form(root.at("full"), models, videos, name, folder, extends, &suite.full, &suite.full_cases);
  }
  if (!input.ok()) return input.error();
  suite.hash = xxh3_128_hex(root.canonical() + base_hash);
  for (auto* cases : {&suite.quick_cases, &suite.full_cases}) {
    for (Case& c : *cases) c.suite_hash = suite.hash;
  }
  return suite;
}

}  // namespace assay
