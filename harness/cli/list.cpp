#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "harness/cli/common.h"
#include "harness/cli/money.h"
#include "harness/cli/terminal.h"
#include "harness/plan/selection.h"
#include "reports/format.h"
#include "suites/base/words.h"
#include "suites/lower/llm.h"
#include "suites/lower/video.h"

namespace assay {
namespace {

using nlohmann::json;

// What a list prints in its three forms.
struct Listing {
  TextTable table;
  json items = json::array();
  std::vector<std::string> names;
};

std::string billions(double params) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.3f B", params / 1e9);
  return text;
}

Listing list_suites(const Catalogue& catalogue) {
  Listing out{TextTable({"suite", "quick", "full", "question"}), json::array(), {}};
  out.table.align_right(1);
  out.table.align_right(2);
  for (const Suite& s : catalogue.suites()) {
    out.names.push_back(s.name);
    out.table.row({s.name, std::to_string(s.quick_cases.size()), std::to_string(s.full_cases.size()), s.question});
    out.items.push_back({{"name", s.name},
                         {"title", s.title},
                         {"question", s.question},
                         {"version", s.version},
                         {"hash", s.hash},
                         {"quick_cases", s.quick_cases.size()},
                         {"full_cases", s.full_cases.size()}});
  }
  return out;
}

// "128/8", or of latent attention the heads alone: its cache has none.
std::string heads_text(const ModelShape& m) {
  return std::to_string(m.heads) + (m.has_mla() ? " MLA" : "/" + std::to_string(m.kv_heads));
}

std::string experts_text(const ModelShape& m) {
  if (!m.has_moe()) return "\u2013";
  return std::to_string(m.moe.experts) + "/" + std::to_string(m.moe.top_k) +
         (m.moe.shared_experts > 0 ? "+" + std::to_string(m.moe.shared_experts) : "");
}

// "70272 + 15616 index"; where layers see a window "73728, 36864 behind 128".
std::string kv_text(const ModelShape& m) {
  std::string text = number_text(m.kv_bytes_per_token(2), 9);
  if (m.has_indexer()) text += " + " + number_text(m.index_bytes_per_token(2), 9) + " index";
  if (m.window > 0) text += ", " + number_text(kv_bytes_behind_window(m, 2), 9) + " behind " + std::to_string(m.window);
  return text;
}

Listing list_models(const Catalogue& catalogue) {
  Listing out{TextTable({"model", "parameters", "active", "layers", "hidden", "heads/kv", "experts/top-k+shared",
                         "KV bytes/token bf16", "context", "source"}),
              json::array(),
              {}};
  for (size_t column = 1; column <= 8; ++column) out.table.align_right(column);
  for (const ModelShape& m : catalogue.models()) {
    out.names.push_back(m.name);
    const auto kv = static_cast<int64_t>(m.kv_bytes_per_token(2)),
               index = static_cast<int64_t>(m.index_bytes_per_token(2));
    out.table.row({m.name, billions(m.params()), billions(m.active_params()), std::to_string(m.layers),
                   std::to_string(m.hidden), heads_text(m), experts_text(m), kv_text(m), std::to_string(m.max_context),
                   m.source});
    out.items.push_back({{"kind", "language"},
                         {"name", m.name},
                         {"params", m.params()},
                         {"active_params", m.active_params()},
                         {"layers", m.layers},
                         {"hidden", m.hidden},
                         {"heads", m.heads},
                         {"kv_heads", m.has_mla() ? json(nullptr) : json(m.kv_heads)},
                         {"experts", m.moe.experts},
                         {"top_k", m.moe.top_k},
                         {"shared_experts", m.moe.shared_experts},
                         {"max_context", m.max_context},
                         {"kv_bytes_per_token_bf16", kv},
                         {"index_bytes_per_token_bf16", index},
                         {"window", m.window > 0 ? json(m.window) : json(nullptr)},
                         {"kv_bytes_per_token_bf16_behind_window", kv_bytes_behind_window(m, 2)},
                         {"source", m.source},
                         {"note", m.note}});
  }
  return out;
}

std::string schedules_text(const VideoShape& v) {
  std::string out;
  for (const VideoSchedule& s : v.schedules) {
    out += (out.empty() ? "" : ", ") + std::to_string(s.steps) + " x " + std::to_string(s.passes);
  }
  return out;
}

// "81f 480x832, 16 fps"
std::string clip_text(const VideoClip& c) {
  return std::to_string(c.frames) + "f " + std::to_string(c.height) + "x" + std::to_string(c.width) + ", " +
         number_text(c.fps, 3) + " fps";
}

std::string vae_text(const VideoVae& v) {
  return std::to_string(v.strides[0]) + "x" + std::to_string(v.strides[1]) + "x" + std::to_string(v.strides[2]) + ", " +
         std::to_string(v.latent_channels) + " channels";
}

Listing list_videos(const Catalogue& catalogue) {
  Listing out{TextTable({"video model", "parameters", "blocks", "hidden", "heads", "reference clip", "tokens",
                         "PFLOP/pass", "steps x passes", "VAE", "source"}),
              json::array(),
              {}};
  for (const size_t column : {1, 2, 3, 4, 6, 7}) out.table.align_right(column);
  for (const VideoShape& v : catalogue.videos()) {
    const int64_t tokens = video_grid(v, v.clip).value().tokens();
    const double params = dit_params(v), flops = dit_pass_flops(v.dit, tokens);
    out.names.push_back(v.name);
    out.table.row({v.name + (v.assumption ? " (assumed)" : ""), billions(params), std::to_string(v.dit.layers()),
                   std::to_string(v.dit.hidden), std::to_string(v.dit.heads), clip_text(v.clip), std::to_string(tokens),
                   number_text(flops / 1e15, 3), schedules_text(v), vae_text(v.vae), v.source});
    json schedules = json::array();
    for (const VideoSchedule& s : v.schedules) schedules.push_back({{"steps", s.steps}, {"passes", s.passes}});
    out.items.push_back({{"kind", "video"},
                         {"name", v.name},
                         {"assumption", v.assumption},
                         {"params", params},
                         {"layers", v.dit.layers()},
                         {"hidden", v.dit.hidden},
                         {"heads", v.dit.heads},
                         {"frames", v.clip.frames},
                         {"height", v.clip.height},
                         {"width", v.clip.width},
                         {"fps", v.clip.fps},
                         {"tokens", tokens},
                         {"flops_per_pass", flops},
                         {"schedules", schedules},
                         {"vae_strides", v.vae.strides},
                         {"text_encoder", v.text.name},
                         {"source", v.source},
                         {"note", v.note}});
  }
  return out;
}

Result<Listing> list_cases(const Catalogue& catalogue, const Arguments& arguments) {
  std::vector<Suite> suites = catalogue.suites();
  if (arguments.has("suite")) {
    suites.clear();
    for (const std::string& name : arguments.texts("suite")) {
      Result<Suite> suite = catalogue.suite(name);
      if (!suite.ok()) return suite.error();
      suites.push_back(std::move(suite).value());
    }
  }
  Selection chosen;
  chosen.filter = arguments.text("case");
  Listing out{TextTable({"case", "tokens per step", "KV cache", "hash"}), json::array(), {}};
  out.table.align_right(1);
  const Result<std::vector<PlannedCase>> cases = plan_suites(suites, arguments.has("full") ? "full" : "quick", chosen);
  if (!cases.ok()) return cases.error();
  for (const PlannedCase& c : *cases) {
    out.names.push_back(c.work.id());
    out.table.row({c.work.id(), std::to_string(c.work.tokens_per_step()),
                   c.work.paged() ? "pages of " + std::to_string(c.work.page_tokens) : "", c.work.hash()});
    out.items.push_back(json::parse(c.work.to_json()));
    out.items.back()["id"] = c.work.id();
  }
  return out;
}

// By their manifests alone: nothing of a vendor's runs. Each name chooses the adapter's first device.
Listing list_adapters(const Arguments& arguments) {
  Listing out{TextTable({"adapter", "vendor", "version", "tables", "options", "note"}), json::array(), {}};
  for (const Manifest& m : known_adapters(arguments)) {
    if (m.problem.empty()) out.names.push_back(m.name);
    out.table.row({m.name, m.vendor, m.version, joined(m.tables, " "), m.options ? joined(*m.options, " ") : "not said",
                   m.problem.empty() ? m.description : "can't be used: " + m.problem},
                  m.problem.empty() ? Mark::kNone : Mark::kWarning);
    out.items.push_back({{"name", m.name},
                         {"vendor", m.vendor},
                         {"version", m.version},
                         {"tables", m.tables},
                         {"options", m.options ? json(*m.options) : json(nullptr)},
                         {"manifest", m.file.string()},
                         {"description", m.description},
                         {"problem", m.problem}});
  }
  return out;
}

// "26.5–33 USD, M": the range of all cells, the first one's grade; cells of several currencies keep to the first's.
std::string cells_text(const PriceCells& cells) {
  if (cells.empty()) return "\u2013";
  double low = cells.front().low, high = cells.front().high;
  for (const PriceCell& c : cells) {
    if (c.currency != cells.front().currency) continue;
    low = std::min(low, c.low);
    high = std::max(high, c.high);
  }
  const std::string range = number_text(low, 6) + (high > low ? "\u2013" + number_text(high, 6) : "");
  const std::string currency = cells.front().currency.empty() ? "" : " " + cells.front().currency;
  return (cells.front().from ? "from " : "") + range + currency + ", " + cells.front().grade;
}

json cells_json(const PriceCells& cells) {
  json out = json::array();
  for (const PriceCell& c : cells) {
    out.push_back({{"value", c.value},
                   {"low", c.low},
                   {"high", c.from ? json(nullptr) : json(c.high)},
                   {"currency", c.currency.empty() ? json(nullptr) : json(c.currency)},
                   {"date", c.date},
                   {"source", c.source},
                   {"grade", c.grade}});
  }
  return out;
}

// What the shipped price book knows of each chip.
Result<Listing> list_chips() {
  const Result<PriceBook> book = read_price_book((prices_dir() / "shipped.json").string());
  if (!book.ok()) return book.error();
  Listing out{TextTable({"chip", "name", "vendor", "price", "rent /h", "TDP W", "wall kW", "memory GB", "TB/s"}),
              json::array(),
              {}};
  for (size_t column = 3; column <= 8; ++column) out.table.align_right(column);
  for (const PricedChip& c : book->chips) {
    out.names.push_back(c.id);
    out.table.row({c.id, c.name, c.vendor, cells_text(c.price), cells_text(c.rent_per_hour), cells_text(c.tdp_w),
                   cells_text(c.wall_kw), cells_text(c.memory_gb), cells_text(c.bandwidth_tb_s)});
    out.items.push_back({{"id", c.id},
                         {"name", c.name},
                         {"vendor", c.vendor},
                         {"aliases", c.aliases},
                         {"price", cells_json(c.price)},
                         {"rent_per_hour", cells_json(c.rent_per_hour)},
                         {"tdp_w", cells_json(c.tdp_w)},
                         {"wall_kw", cells_json(c.wall_kw)},
                         {"memory_gb", cells_json(c.memory_gb)},
                         {"bandwidth_tb_s", cells_json(c.bandwidth_tb_s)}});
  }
  return out;
}

Result<Listing> listing(const std::string& what, const Catalogue& catalogue, const Arguments& arguments) {
  if (what == "adapters") return list_adapters(arguments);
  if (what == "chips") return list_chips();
  if (what == "cases") return list_cases(catalogue, arguments);
  return list_suites(catalogue);
}

Result<int> list(const Arguments& arguments) {
  const Result<Catalogue> catalogue = load_catalogue();
  if (!catalogue.ok()) return catalogue.error();
  const std::string what = arguments.operands().empty() ? "suites" : arguments.operands().front();
  std::vector<Listing> made;
  if (what == "models") {
    made = {list_models(*catalogue), list_videos(*catalogue)};
  } else {
    Result<Listing> one = listing(what, *catalogue, arguments);
    if (!one.ok()) return one.error();
    made.push_back(std::move(one).value());
  }
  std::string text;
  json items = json::array();
  for (const Listing& l : made) {
    items.insert(items.end(), l.items.begin(), l.items.end());
    if (arguments.has("names")) {
      for (const std::string& name : l.names) text.append(name).append("\n");
    } else {
      text += (text.empty() ? "" : "\n") + l.table.render(stdout_options());
    }
  }
  if (arguments.has("json")) text = items.dump(2) + "\n";
  put_table(text);
  return kExitOk;
}

}  // namespace

CommandSpec list_command() {
  CommandSpec spec;
  spec.name = "list";
  spec.summary = "suites, models, cases, adapters and the price book's chips";
  spec.operands = "[suites|models|cases|adapters|chips]";
  spec.max_operands = 1;
  spec.complete = Complete::kWords;
  spec.words = {"suites", "models", "cases", "adapters", "chips"};
  spec.about =
      "Without an operand: the suites. Of chips the shipped price book's figures for one accelerator: the range of all "
      "its sources and the first one's grade (V vendor, M measured, C community, R press, A assumption, ? "
      "conflicting); "
      "--json has each source.";
  spec.options = {{"suite", "SUITE", "cases of this suite or suite file only", Complete::kSuite, {}, true},
                  {"full", "", "cases of the full form", Complete::kNothing, {}, false},
                  {"case",
                   "FILTER",
                   "cases whose id has this part, or matches this pattern (* ? [])",
                   Complete::kNothing,
                   {},
                   false},
                  {"names", "", "names only, one a line", Complete::kNothing, {}, false},
                  adapter_option(),
                  json_option()};
  spec.examples = {{"assay list models", "shapes with parameters (all and active), KV bytes and source"},
                   {"assay list chips", "the chips that --chip knows, with what is known of each"},
                   {"assay list cases --suite decode --full", "every case of the full decode suite"},
                   {"assay list cases --full --case '*/p16'", "those with a KV cache in pages of 16 tokens"}};
  spec.run = list;
  return spec;
}

}  // namespace assay
