// Suite, Case and model shape: what is asked, before any device is known.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "suites/base/result.h"
#include "suites/base/routing.h"
#include "suites/graph.h"
#include "suites/video.h"

namespace assay {

// Multi-head latent attention: queries by way of q_rank (0: straight), keys and values by way of a cached latent.
struct MlaShape {
  int64_t q_rank = 0, kv_rank = 0, nope_dim = 0, rope_dim = 0, v_dim = 0;
};

// Mixture of experts in all layers but the first dense_layers.
struct MoeShape {
  int64_t dense_layers = 0, experts = 0, top_k = 0, shared_experts = 0, ffn = 0;
  std::string router = "softmax";  // softmax, sigmoid, softmax_of_topk
  bool normalise = false;          // weights of the chosen are divided by their sum
  bool balancing_bias = false;     // [experts], added for the selection alone: a routing plan stands in its place
  double factor = 1;               // then multiplied
  int64_t groups = 1, top_groups = 1;
};

// Sparse attention by index (DSA): the top_k cached tokens of each row, chosen by small heads of their own.
struct IndexerShape {
  int64_t heads = 0, dim = 0, top_k = 0;
  bool rope_interleaved = false;
};

// A decoder-only transformer's shape. Source: facts B1 and the model's public config.json.
struct ModelShape {
  std::string name, family, source, note;
  int64_t layers = 0, hidden = 0, ffn = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab = 0, max_context = 0;
  bool tied_embeddings = false, qkv_bias = false, qk_norm = false;
  bool qk_norm_row = false;  // one norm over all heads together
  bool no_rope = false;      // no rotary position (ALiBi and its like, see note)
  double rope_theta = 10000;
  int64_t rotary_dim = 0;  // 0: head_dim
  bool rope_interleaved = false;
  double rope_factor = 0, rope_low = 0, rope_high = 0;  // Llama 3.1 scaling, 0 = none
  int64_t rope_original = 0;
  int64_t window = 0, window_period = 0;  // sliding window in all layers but each window_period-th; 0: full attention
  MlaShape mla;                           // kv_rank 0: none; with it kv_heads and head_dim are 0
  MoeShape moe;                           // experts 0: none
  IndexerShape indexer;                   // heads 0: none
  double norm_eps = 1e-5;
  double published_params = 0;  // total, as the publisher states it (0: not stated)

  [[nodiscard]] bool has_mla() const { return mla.kv_rank > 0; }
  [[nodiscard]] bool has_moe() const { return moe.experts > 0; }
  [[nodiscard]] bool has_indexer() const { return indexer.heads > 0; }
  [[nodiscard]] bool moe_layer(int64_t layer) const { return has_moe() && layer >= moe.dense_layers; }
  [[nodiscard]] bool windowed_layer(int64_t layer) const { return window > 0 && (layer + 1) % window_period != 0; }
  [[nodiscard]] double params() const;         // counted from the shape; tied tables once
  [[nodiscard]] double active_params() const;  // of a token; with lm_head, without the input embedding (facts B1)
  // Growth of the KV cache; a windowed layer stops growing at its window. Without the indexer's keys.
  [[nodiscard]] double kv_bytes_per_token(double bytes_per_element) const;
  [[nodiscard]] double index_bytes_per_token(double bytes_per_element) const;  // the indexer's keys
};

// What "f32", "tf32" (f32 whose products may round to TF32), "bf16", "f16", "int8" (weight-only), "int8_w8a8", "fp8"
// (weight-only E4M3, a scale per 128), "fp8_w8a8" (E4M3, a scale per row of weights and of activations), "int4" and
// "fp4" (weight-only, a scale per 128 and 32; with "_g32", "_g16": that many) mean for each class of tensor. Whose
// weights are narrower has activations and KV cache in bf16, as serving stacks have them.
struct DtypePlan {
  std::string name;
  uint32_t weight = ASSAY_F32, activation = ASSAY_F32, kv = ASSAY_F32;
  bool quantize_activations = false;
  int32_t weight_block = 0;  // elements per scale along a quantised weight's last axis; 0: the whole row
  bool tf32 = false;
};
Result<DtypePlan> dtype_plan(const std::string& name);  // error names the known ones and the nearest
std::vector<std::string> dtype_plan_names();

inline constexpr const char* kF32ActivationsMark = "-f32";  // behind int8 and int8_w8a8

enum class StepKind { kPrefill, kDecode, kGemm, kRead, kCopy, kDit, kTextEncoder, kVaeTile };
// "prefill", "decode", "gemm", "read", "copy", "dit", "text-encoder", "vae-tile"
const char* step_kind_name(StepKind kind);

// One point of a suite: fully determines the work of a step, whatever the device.
struct Case {
  std::string suite;
  std::string suite_hash;  // xxh3-128 of the canonical suite JSON, hex
  StepKind kind = StepKind::kPrefill;
  ModelShape model;  // unused by gemm, read and copy
  std::string dtype = "f32";
  int64_t batch = 1;
  int64_t tokens = 1;                         // new tokens per sequence in the step: prompt length, or 1 for decode
  int64_t context = 0;                        // tokens already in the KV cache before the step
  Routing routing;                            // of models with experts
  int64_t m = 0, n = 0, k = 0;                // gemm
  int64_t buffer_bytes = 0;                   // read, copy
  VideoShape video;                           // dit, text-encoder, vae-tile
  int64_t frames = 0, height = 0, width = 0;  // pixels of the clip (dit) or tile (vae-tile); tokens follow from them
  bool cold = false;                          // the device's caches are flushed before each step, outside its time
  int64_t page_tokens = 0;                    // of the KV cache's pages; 0: one block of memory per sequence
  uint64_t page_seed = 1;                     // of the order of the pages (page_at, base/rng.h)
  bool f32_activations = false;               // of int8 and int8_w8a8 in old records; theirs are bf16 since

  [[nodiscard]] std::string id() const;    // "prefill/smollm2-135m/f32/b1/t512", "decode/.../b1/c1024"
  [[nodiscard]] std::string hash() const;  // xxh3-128 of the canonical JSON of everything above but suite_hash
  [[nodiscard]] bool paged() const { return page_tokens > 0; }
  [[nodiscard]] int64_t tokens_per_step() const { return batch * tokens; }
  [[nodiscard]] std::string dtype_label() const;   // "int8"; "int8-f32" where activations are f32 as they once were
  [[nodiscard]] std::string model_name() const;    // "" for a case without a model
  [[nodiscard]] int64_t layers() const;            // repeated layers of its step; 0: none
  [[nodiscard]] int64_t check_layers() const;      // the fewest that have every kind of layer
  [[nodiscard]] std::string token_class() const;   // "input" (prefill), "output" (decode), "" otherwise
  [[nodiscard]] Result<DtypePlan> dtypes() const;  // errors as dtype_plan
  [[nodiscard]] std::string to_json() const;       // canonical; the worker rebuilds the case from it
};
Result<Case> case_from_json(const std::string& text, const std::string& where);

inline constexpr int64_t kMaxLaunches = 100, kDefaultLaunches = 3;  // of a suite that does not say

// Stop rule and warm-up of a suite's quick or full form.
struct RunPolicy {
  double target_half_width = 0.005;            // of the contracted metric, relative, 95 %
  std::vector<double> percentiles{0.5, 0.99};  // n must suffice for their upper bounds (or the time limit ends it)
  double confidence = 0.95;
  double time_limit_s = 20;  // of the timed part of one case, all its launches together
  int64_t launches = 1;      // of one case, spread over the campaign
  int64_t min_samples = 10;
  double max_step_s = 10;  // a longer full step runs fewer layers instead
  int64_t max_layers = 0;  // more are not run, of a model that has more; 0: all
};

struct Suite {
  std::string name, title, question, hash;
  int version = 1;
  RunPolicy quick, full;
  std::vector<Case> quick_cases, full_cases;
};

// Shipped suites and models lie in a data directory; a suite argument may also be a path to a JSON file.
class Catalogue {
 public:
  // Reads models/*.json, models/video/*.json and defs/*.json below `data_dir`; any bad file is an error with file and
  // field.
  static Result<Catalogue> load(const std::filesystem::path& data_dir);
  [[nodiscard]] const std::vector<ModelShape>& models() const { return models_; }
  [[nodiscard]] const std::vector<VideoShape>& videos() const { return videos_; }
  [[nodiscard]] const std::vector<Suite>& suites() const { return suites_; }
  [[nodiscard]] Result<ModelShape> model(const std::string& name) const;  // unknown: suggests the nearest
  // A model of either kind, by its name or the path of its file.
  [[nodiscard]] Result<std::variant<ModelShape, VideoShape>> any_model(const std::string& name) const;
  [[nodiscard]] Result<Suite> suite(const std::string& name_or_path) const;  // same; reads a file given by path
  // A suite from a file's text. It may extend a shipped suite, or a file named by its path from the folder of `where`.
  [[nodiscard]] Result<Suite> suite_from(const std::string& text, const std::string& where) const;

 private:
  // `files`: those that lead to this one, each extending the next.
  [[nodiscard]] Result<Suite> suite_from(const std::string& text, const std::string& where,
                                         std::vector<std::string> files) const;
  std::vector<ModelShape> models_;
  std::vector<VideoShape> videos_;
  std::vector<Suite> suites_;
};
// The suite that another one extends, by the name or path that stands there.
using BaseSuite = std::function<Result<Suite>(const std::string& name)>;
// Parse one suite or model file's text; `where` names it in messages. Every unknown field is an error that
// suggests the nearest known one; every value is range-checked.
Result<Suite> parse_suite(const std::string& text, const std::string& where, const std::vector<ModelShape>& models,
                          const std::vector<VideoShape>& videos = {}, const BaseSuite& base = {});
Result<ModelShape> parse_model(const std::string& text, const std::string& where);

// Lowering: the graph of one step.
struct LowerOptions {
  // 0: all. k < model.layers runs k layers between embedding and head: the first, or with experts the first that have
  // some (and of the dense ones before them as many as are still wanted).
  int64_t layers = 0;
  int64_t experts = 0;                // 0: all; fewer routed experts in each layer, at least those a row chooses
  bool expose_intermediates = false;  // every op output gets role OUTPUT, for the numerics check
};
// Scalars: {"pos"}, with sliding windows {"pos", "window_pos"} (lower/llm.h); pos = case.context. Tensor order, names
// and fills do not depend on expose_intermediates. Weights and biases come in layer order after the embedding table.
// Outputs of the video steps: "denoised", "hidden", "pixels". Outputs of prefill and decode: "hidden" [B*T, hidden]
// (residual stream after the last layer), "logits" [B, vocab] (last token of each sequence), "next_token" I32 [B].
Result<Graph> lower(const Case& c, const LowerOptions& options);
RouterChoice router_choice(const MoeShape& moe);
// The fewest experts of a layer that leave a row its choice and the routing its hot ones.
int64_t min_experts(const Case& c);

// Scalar of a video graph: where the text rows lie behind the video's in their joint K and V.
inline constexpr const char* kTextPosition = "text_pos";
// Values of the graph's scalars in a step of the case, by name.
std::vector<int64_t> step_scalars(const Case& c, const Graph& graph);

}  // namespace assay
