#include <cstdio>
#include <nlohmann/json.hpp>

#include "harness/cli/common.h"
#include "harness/cli/terminal.h"
#include "harness/plan/selection.h"
#include "suites/base/words.h"

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

Listing list_models(const Catalogue& catalogue) {
  Listing out{TextTable({"model", "parameters", "active", "layers", "hidden", "heads/kv", "experts/top-k",
                         "KV bytes/token bf16", "context", "source"}),
              json::array(),
              {}};
  for (size_t column = 1; column <= 8; ++column) out.table.align_right(column);
  for (const ModelShape& m : catalogue.models()) {
    out.names.push_back(m.name);
    const auto kv = static_cast<int64_t>(m.kv_bytes_per_token(2)),
               index = static_cast<int64_t>(m.index_bytes_per_token(2));
    out.table.row({m.name, billions(m.params()), billions(m.active_params()), std::to_string(m.layers),
                   std::to_string(m.hidden), heads_text(m), experts_text(m),
                   std::to_string(kv) + (index > 0 ? "+" + std::to_string(index) : ""), std::to_string(m.max_context),
                   m.source});
    out.items.push_back({{"name", m.name},
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
                         {"source", m.source},
                         {"note", m.note}});
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
  Listing out{TextTable({"case", "tokens per step", "hash"}), json::array(), {}};
  out.table.align_right(1);
  const Result<std::vector<PlannedCase>> cases =
      plan_suites(suites, arguments.has("full") ? "full" : "quick", Selection{});
  if (!cases.ok()) return cases.error();
  for (const PlannedCase& c : *cases) {
    out.names.push_back(c.work.id());
    out.table.row({c.work.id(), std::to_string(c.work.tokens_per_step()), c.work.hash()});
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

Result<Listing> listing(const std::string& what, const Catalogue& catalogue, const Arguments& arguments) {
  if (what == "models") return list_models(catalogue);
  if (what == "adapters") return list_adapters(arguments);
  if (what == "cases") return list_cases(catalogue, arguments);
  return list_suites(catalogue);
}

Result<int> list(const Arguments& arguments) {
  const Result<Catalogue> catalogue = load_catalogue();
  if (!catalogue.ok()) return catalogue.error();
  const std::string what = arguments.operands().empty() ? "suites" : arguments.operands().front();
  const Result<Listing> made = listing(what, *catalogue, arguments);
  if (!made.ok()) return made.error();
  std::string text;
  if (arguments.has("json")) {
    text = made->items.dump(2) + "\n";
  } else if (arguments.has("names")) {
    for (const std::string& name : made->names) text.append(name).append("\n");
  } else {
    text = made->table.render(stdout_options());
  }
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

}  // namespace

CommandSpec list_command() {
  CommandSpec spec;
  spec.name = "list";
  spec.summary = "suites, models, cases and adapters";
  spec.operands = "[suites|models|cases|adapters]";
  spec.max_operands = 1;
  spec.complete = Complete::kWords;
  spec.words = {"suites", "models", "cases", "adapters"};
  spec.about = "Without an operand: the suites.";
  spec.options = {{"suite", "SUITE", "cases of this suite or suite file only", Complete::kSuite, {}, true},
                  {"full", "", "cases of the full form", Complete::kNothing, {}, false},
                  {"names", "", "names only, one a line", Complete::kNothing, {}, false},
                  adapter_option(),
                  json_option()};
  spec.examples = {{"assay list models", "shapes with parameters (all and active), KV bytes and source"},
                   {"assay list cases --suite decode --full", "every case of the full decode suite"}};
  spec.run = list;
  return spec;
}

}  // namespace assay
