// Case: its name, its canonical JSON and back, and what makes one valid.
#include "suites/case.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "suites/base/hash.h"
#include "suites/base/json_input.h"
#include "suites/base/nearest.h"
#include "suites/lower/llm.h"
#include "suites/pages.h"
#include "suites/video_case.h"

namespace assay {
namespace {

using nlohmann::json;

const std::vector<DtypePlan>& plans() {
  static const std::vector<DtypePlan> kPlans = {
      {"f32", ASSAY_F32, ASSAY_F32, ASSAY_F32, false},
      {"tf32", ASSAY_F32, ASSAY_F32, ASSAY_F32, false, 0, true},
      {"bf16", ASSAY_BF16, ASSAY_BF16, ASSAY_BF16, false},
      {"f16", ASSAY_F16, ASSAY_F16, ASSAY_F16, false},
      {"int8", ASSAY_I8, ASSAY_BF16, ASSAY_BF16, false},
      {"int8_w8a8", ASSAY_I8, ASSAY_BF16, ASSAY_BF16, true},
      {"fp8", ASSAY_F8E4M3, ASSAY_BF16, ASSAY_BF16, false, 128},
      {"fp8_w8a8", ASSAY_F8E4M3, ASSAY_BF16, ASSAY_BF16, true},
      {"int4", ASSAY_I4, ASSAY_BF16, ASSAY_BF16, false, 128},
      {"int4_g32", ASSAY_I4, ASSAY_BF16, ASSAY_BF16, false, 32},
      {"fp4", ASSAY_F4E2M1, ASSAY_BF16, ASSAY_BF16, false, 32},
      {"fp4_g16", ASSAY_F4E2M1, ASSAY_BF16, ASSAY_BF16, false, 16},
  };
  return kPlans;
}

constexpr StepKind kKinds[] = {StepKind::kPrefill, StepKind::kDecode, StepKind::kGemm,        StepKind::kRead,
                               StepKind::kCopy,    StepKind::kDit,    StepKind::kTextEncoder, StepKind::kVaeTile};

// Cases in these were other ones before their activations were bf16; which they are, their JSON says.
bool says_activations(const std::string& dtype) { return dtype == "int8" || dtype == "int8_w8a8"; }

bool is_model_step(StepKind kind) { return kind == StepKind::kPrefill || kind == StepKind::kDecode; }

// A trace is named by its content, wherever it lies.
void add_routing(const Routing& r, json* j) {
  const bool trace = r.kind == Routing::Kind::kTrace;
  (*j)["routing"] = trace ? "trace" : routing_text(r);
  if (trace) {
    (*j)["routing_hash"] = r.hash;
  } else {
    (*j)["routing_seed"] = r.seed;
  }
}

Routing read_routing(const JsonNode& root) {
  const std::string text = root.at("routing").text();
  Routing out;
  if (text == "trace") {
    out.kind = Routing::Kind::kTrace;
    out.hash = root.at("routing_hash").text(64);
    out.file = root.at("routing_file").text();
    return out;
  }
  const Result<Routing> parsed = parse_routing(text);
  if (!parsed) {
    root.at("routing").fail(parsed.error().message);
    return out;
  }
  out = *parsed;
  out.seed = root.at("routing_seed").unsigned_integer();
  return out;
}

// "zipf-1.2", "k-hot", "trace-1a2b3c4d"
std::string routing_id(const Routing& r) {
  if (r.kind == Routing::Kind::kTrace) return "trace-" + r.hash.substr(0, 8);
  std::string text = routing_text(r);
  std::replace(text.begin(), text.end(), ':', '-');
  return r.seed == 1 ? text : text + "-seed" + std::to_string(r.seed);
}

std::string check_routing(const Case& c) {
  const MoeShape& moe = c.model.moe;
  const Routing& r = c.routing;
  if (r.kind == Routing::Kind::kKHot && r.parameter > 0 && c.model.has_moe()) {
    const auto hot = static_cast<int64_t>(r.parameter);
    if (hot >= moe.top_k && hot <= moe.experts) return "";
    return "routing: expected k-hot of " + std::to_string(moe.top_k) + " (a token's choices) to " +
           std::to_string(moe.experts) + " experts, found " + std::to_string(hot);
  }
  if (r.trace == nullptr) return "";
  const RoutingTrace& t = *c.routing.trace;
  if (t.experts == c.model.moe.experts && t.top_k == c.model.moe.top_k) return "";
  return "routing: expected a trace of " + std::to_string(c.model.moe.top_k) + " of " +
         std::to_string(c.model.moe.experts) + " experts, found one of " + std::to_string(t.top_k) + " of " +
         std::to_string(t.experts);
}

json case_json(const Case& c) {
  json j = {{"suite", c.suite}, {"kind", step_kind_name(c.kind)}, {"dtype", c.dtype}};
  if (is_model_step(c.kind)) {
    j["model"] = json::parse(model_to_json(c.model));
    j["batch"] = c.batch;
    j["tokens"] = c.tokens;
    j["context"] = c.context;
    if (c.model.has_moe()) add_routing(c.routing, &j);
  } else if (is_video_step(c.kind)) {
    j.update(json::parse(video_case_json(c)));
  } else if (c.kind == StepKind::kGemm) {
    j["m"] = c.m;
    j["n"] = c.n;
    j["k"] = c.k;
  } else {
    j["buffer_bytes"] = c.buffer_bytes;
  }
  if (c.paged()) {  // absent where each sequence has one block, as before there was a choice
    j["kv_layout"] = "paged";
    j["page_tokens"] = c.page_tokens;
    j["page_seed"] = c.page_seed;
  }
  if (c.cold) j["cache"] = "cold";  // absent where warm, as before there was a choice
  if (says_activations(c.dtype) && !c.f32_activations) j["activations"] = "bf16";
  return j;
}

std::string check_pages(const Case& c) {
  if (c.page_tokens < 0 || c.page_tokens > case_limits::kPageTokens) {
    return "page_tokens: expected 1 to " + std::to_string(case_limits::kPageTokens) + ", found " +
           std::to_string(c.page_tokens);
  }
  if (!c.paged()) return "";
  if (c.model.has_indexer()) {
    return "kv_layout: expected no 'paged' for model '" + c.model.name +
           "', whose attention chooses tokens by an index";
  }
  if (c.model.has_mla() && c.kind == StepKind::kPrefill) {
    return "kv_layout: expected no 'paged' for a prefill of model '" + c.model.name +
           "', whose keys are made from a latent cache in one block";
  }
  const int64_t pages = (c.context + c.tokens + c.page_tokens - 1) / c.page_tokens;
  if (pages > case_limits::kPages / c.batch) {
    return "page_tokens: expected at most 2^31 - 1 pages, found " + std::to_string(pages) + " for each of " +
           std::to_string(c.batch) + " sequences";
  }
  return "";
}

std::vector<std::string> model_step_faults(const Case& c) {
  std::vector<std::string> out;
  if (c.batch < 1 || c.batch > case_limits::kBatch) {
    out.push_back("batch: expected 1 to " + std::to_string(case_limits::kBatch) + ", found " + std::to_string(c.batch));
  }
  const bool tokens = c.tokens >= 1 && (c.kind != StepKind::kDecode || c.tokens == 1), context = c.context >= 0;
  if (!tokens) {
    out.push_back(std::string("tokens: expected ") + (c.kind == StepKind::kDecode ? "1 (decode)" : "1 or more") +
                  ", found " + std::to_string(c.tokens));
  }
  if (!context) out.push_back("context: expected 0 or more, found " + std::to_string(c.context));
  if (tokens && context && (c.tokens > c.model.max_context || c.context > c.model.max_context - c.tokens)) {
    out.push_back("tokens + context: expected at most the " + std::to_string(c.model.max_context) + " that model '" +
                  c.model.name + "' was made for, found " + std::to_string(c.tokens) + " + " +
                  std::to_string(c.context));
  }
  if (c.batch >= 1 && tokens && context) {
    if (std::string pages = check_pages(c); !pages.empty()) out.push_back(std::move(pages));
  }
  if (std::string routing = check_routing(c); !routing.empty()) out.push_back(std::move(routing));
  return out;
}

}  // namespace

Result<DtypePlan> dtype_plan(const std::string& name) {
  for (const DtypePlan& plan : plans()) {
    if (plan.name == name) return plan;
  }
  return bad_input("dtype: unknown '" + name + "'" + suggestion(name, dtype_plan_names()));
}

Result<DtypePlan> Case::dtypes() const {
  Result<DtypePlan> plan = dtype_plan(dtype);
  if (plan.ok() && f32_activations) plan->activation = plan->kv = ASSAY_F32;
  return plan;
}

std::vector<std::string> dtype_plan_names() {
  std::vector<std::string> names;
  for (const DtypePlan& plan : plans()) names.push_back(plan.name);
  return names;
}

const char* step_kind_name(StepKind kind) {
  switch (kind) {
    case StepKind::kPrefill:
      return "prefill";
    case StepKind::kDecode:
      return "decode";
    case StepKind::kGemm:
      return "gemm";
    case StepKind::kRead:
      return "read";
    case StepKind::kCopy:
      return "copy";
    case StepKind::kDit:
      return "dit";
    case StepKind::kTextEncoder:
      return "text-encoder";
    case StepKind::kVaeTile:
      return "vae-tile";
  }
  return "?";
}

std::vector<std::string> step_kind_names() {
  std::vector<std::string> names;
  for (const StepKind kind : kKinds) names.emplace_back(step_kind_name(kind));
  return names;
}

std::vector<std::string> kv_layout_names() { return {"contiguous", "paged"}; }

StepKind step_kind(const std::string& name) {
  for (const StepKind kind : kKinds) {
    if (name == step_kind_name(kind)) return kind;
  }
  return StepKind::kPrefill;
}

std::vector<std::string> case_faults(const Case& c) {
  if (const Result<DtypePlan> plan = c.dtypes(); !plan) return {plan.error().message};
  if (is_model_step(c.kind)) return model_step_faults(c);
  if (is_video_step(c.kind)) return video_case_faults(c);
  std::vector<std::string> out;
  if (c.kind == StepKind::kGemm) {
    for (const int64_t side : {c.m, c.n, c.k}) {
      if (side >= 1 && side <= case_limits::kGemmSide) continue;
      out.push_back("m, n, k: expected 1 to " + std::to_string(case_limits::kGemmSide) + ", found " +
                    std::to_string(side));
    }
  } else if (c.buffer_bytes < case_limits::kMinBuffer || c.buffer_bytes > case_limits::kMaxBuffer) {
    out.push_back("buffer_bytes: expected " + std::to_string(case_limits::kMinBuffer) + " to " +
                  std::to_string(case_limits::kMaxBuffer) + ", found " + std::to_string(c.buffer_bytes));
  }
  return out;
}

Status check_case(const Case& c) {
  std::string all;
  for (const std::string& fault : case_faults(c)) all += (all.empty() ? "" : "; ") + fault;
  return all.empty() ? ok_status() : Status(bad_input("case " + c.id() + ": " + all));
}

std::string Case::dtype_label() const { return f32_activations ? dtype + kF32ActivationsMark : dtype; }

std::string Case::id() const {
  const std::string kind_name = step_kind_name(kind), end = cold ? "/cold" : "";
  std::string id = suite.empty() ? kind_name : suite;
  if (is_model_step(kind)) {
    if (suite != kind_name && !suite.empty()) id += "/" + kind_name;
    id += "/" + model.name + "/" + dtype_label() + "/b" + std::to_string(batch);
    if (kind == StepKind::kPrefill) id += "/t" + std::to_string(tokens);
    if (kind == StepKind::kDecode || context > 0) id += "/c" + std::to_string(context);
    if (paged()) id += "/" + page_layout(*this);
    return (model.has_moe() ? id + "/" + routing_id(routing) : id) + end;
  }
  if (is_video_step(kind)) return id + "/" + kind_name + "/" + video_case_id(*this) + end;
  id += "/" + kind_name + "/" + dtype_label();
  if (kind == StepKind::kGemm) id += "/m" + std::to_string(m) + "n" + std::to_string(n) + "k" + std::to_string(k);
  if (kind != StepKind::kGemm) id += "/" + std::to_string(buffer_bytes);
  return id + end;
}

std::string Case::to_json() const {
  json j = case_json(*this);
  j["suite_hash"] = suite_hash;
  if (is_model_step(kind) && model.has_moe() && routing.kind == Routing::Kind::kTrace) j["routing_file"] = routing.file;
  return j.dump();
}

std::string Case::hash() const { return xxh3_128_hex(case_json(*this).dump()); }

std::string Case::token_class() const {
  if (kind == StepKind::kPrefill) return "input";
  return kind == StepKind::kDecode ? "output" : "";
}

std::string Case::model_name() const {
  if (is_video_step(kind)) return video.name;
  return is_model_step(kind) ? model.name : "";
}

int64_t Case::layers() const {
  if (kind == StepKind::kDit) return video.dit.layers();
  if (kind == StepKind::kTextEncoder) return video.text.layers;
  return is_model_step(kind) ? model.layers : 0;
}

int64_t Case::check_layers() const {
  if (kind == StepKind::kDit && video.dit.single_blocks > 0) return 2;
  return layers() > 0 ? 1 : 0;
}

std::vector<int64_t> step_scalars(const Case& c, const Graph& graph) {
  std::vector<int64_t> values;
  for (const std::string& name : graph.scalars) {
    if (name == kTextPosition) {
      values.push_back(c.tokens);
    } else {
      values.push_back(name == kWindowPosition ? std::min(c.context, c.model.window - 1) : c.context);
    }
  }
  return values;
}

Result<Case> case_from_json(const std::string& text, const std::string& where) {
  JsonInput input(text, where);
  const JsonNode root = input.root();
  root.fields(
      {"suite",       "suite_hash", "kind",   "dtype",        "model",   "batch",        "tokens",       "context",
       "m",           "n",          "k",      "buffer_bytes", "routing", "routing_seed", "routing_hash", "routing_file",
       "video_model", "frames",     "height", "width",        "cache",   "kv_layout",    "page_tokens",  "page_seed",
       "activations"});
  Case c;
  c.suite = root.at("suite").text(64);
  c.suite_hash = root.at("suite_hash").text(64);
  c.kind = step_kind(root.at("kind").text_of(step_kind_names()));
  c.dtype = root.at("dtype").text_of(dtype_plan_names());
  const bool said = root.has("activations") && root.at("activations").text_of({"bf16"}) == "bf16";
  c.f32_activations = says_activations(c.dtype) && !said;
  if (root.has("cache")) c.cold = root.at("cache").text_of({"warm", "cold"}) == "cold";
  if (!input.ok()) return input.error();
  if (is_model_step(c.kind)) {
    Result<ModelShape> model = parse_model(root.at("model").canonical(), where + ": model");
    if (!model) return model.error();
    c.model = std::move(model).value();
    c.batch = root.at("batch").integer();
    c.tokens = root.at("tokens").integer();
    c.context = root.at("context").integer();
    if (root.has("kv_layout") && root.at("kv_layout").text_of(kv_layout_names()) == "paged") {
      c.page_tokens = root.at("page_tokens").integer(1, case_limits::kPageTokens);
      c.page_seed = root.at("page_seed").unsigned_integer();
    }
    if (c.model.has_moe()) c.routing = read_routing(root);
  } else if (is_video_step(c.kind)) {
    if (const Status read = read_video_case(root, where, &c); !read) return read.error();
  } else if (c.kind == StepKind::kGemm) {
    c.m = root.at("m").integer();
    c.n = root.at("n").integer();
    c.k = root.at("k").integer();
  } else {
    c.buffer_bytes = root.at("buffer_bytes").integer();
  }
  if (!input.ok()) return input.error();
  if (const Status valid = check_case(c); !valid) return bad_input(where + ": " + valid.error().message);
  return c;
}

}  // namespace assay
