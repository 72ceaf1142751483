// assay store: many records in one SQLite file.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "harness/cli/common.h"
#include "harness/cli/interrupt.h"
#include "harness/cli/terminal.h"
#include "harness/plan/found_records.h"
#include "results/store/store.h"
#include "results/store/write_store.h"
#include "suites/base/nearest.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string number_text(const std::optional<double>& value, double unit = 1) {
  if (!value) return "–";
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", *value / unit);
  return text;
}

json maybe(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

json headline_json(const Headline& h) {
  return {{"id", h.id},
          {"created", h.created},
          {"case_id", h.case_id},
          {"case_hash", h.case_hash},
          {"device", h.device},
          {"device_product", h.device_product},
          {"adapter", h.adapter},
          {"tier", h.tier},
          {"basis", h.basis},
          {"part", h.part},
          {"options", h.options},
          {"status", h.status},
          {"reason", h.reason},
          {"disturbed", h.disturbed},
          {"n", h.n},
          {"unit", h.unit},
          {"rate", maybe(h.rate)},
          {"rate_low", maybe(h.rate_low)},
          {"rate_high", maybe(h.rate_high)},
          {"projected_rate", maybe(h.projected_rate)},
          {"p50_ns", maybe(h.p50_ns)},
          {"p99_ns", maybe(h.p99_ns)},
          {"p99_high_ns", maybe(h.p99_high_ns)},
          {"p999_ns", maybe(h.p999_ns)},
          {"p999_high_ns", maybe(h.p999_high_ns)},
          {"mfu_attainable", maybe(h.mfu)},
          {"mbu_attainable", maybe(h.mbu)},
          {"joules_per_token", maybe(h.joules_per_token)}};
}

// A name that neither the store nor the catalogue has is a typing error, not an empty list.
Status known_name(const Store& store, const std::string& option, const std::string& name) {
  const Result<std::vector<Headline>> all = store.headlines();
  if (!all.ok()) return all.error();
  const bool suite = option == "suite";
  std::set<std::string> known;
  for (const Headline& h : *all) known.insert(suite ? h.suite : h.model);
  known.erase("");
  if (const Result<Catalogue> catalogue = load_catalogue(); catalogue.ok() && known.count(name) == 0) {
    for (const Suite& s : catalogue->suites()) {
      if (suite) known.insert(s.name);
    }
    for (const ModelShape& m : catalogue->models()) {
      if (!suite) known.insert(m.name);
    }
    for (const VideoShape& v : catalogue->videos()) {
      if (!suite) known.insert(v.name);
    }
  }
  if (known.count(name) != 0) return ok_status();
  return bad_input("--" + option + ": unknown " + option + " '" + name + "'" +
                   suggestion(name, {known.begin(), known.end()}));
}

Result<int> print(const Store& store, const Arguments& arguments) {
  for (const char* option : {"suite", "model"}) {
    if (!arguments.has(option)) continue;
    if (const Status known = known_name(store, option, arguments.text(option)); !known.ok()) return known.error();
  }
  HeadlineFilter filter;
  filter.suite = arguments.text("suite");
  filter.model = arguments.text("model");
  filter.status = arguments.text("status");
  const Result<std::vector<Headline>> found = store.headlines(filter);
  if (!found.ok()) return found.error();
  if (arguments.has("json")) {
    json out = json::array();
    for (const Headline& h : *found) out.push_back(headline_json(h));
    put_text(out.dump(2) + "\n");
    return kExitOk;
  }
  TextTable table({"created", "case", "device", "rate", "unit", "p50 ms", "p99 ms", "basis", "status"});
  for (const size_t column : {3U, 5U, 6U}) table.align_right(column);
  for (const Headline& h : *found) {
    table.row({h.created, h.case_id, h.device_product.empty() ? h.device : h.device_product, number_text(h.rate),
               h.unit, number_text(h.p50_ns, 1e6), number_text(h.p99_ns, 1e6), h.basis, h.status},
              h.status == "ok" ? Mark::kNone : Mark::kWarning);
  }
  put_table(table.render(stdout_options()));
  return kExitOk;
}

// On a terminal with a line that says how far it is, or for whom it waits.
StoreWriting writing_of(const Arguments& arguments) {
  const bool terminal = is_terminal(2);
  StoreWriting writing;
  writing.anew = arguments.has("anew");
  writing.progress = [terminal](uint64_t done, uint64_t total) {
    if (terminal) {
      put_progress("adding records: " + std::to_string(done) + " of " + std::to_string(total));
      if (done == total) put_note("");
    }
    return !interrupted();
  };
  writing.waiting = [terminal, told = std::string()](const std::string& holder) mutable {
    if (terminal && told != holder) put_note("waiting for " + holder + ", which writes the store");
    told = holder;
    return !interrupted();
  };
  return writing;
}

Result<int> store(const Arguments& arguments) {
  const fs::path file = arguments.operands().front();
  const bool writes = arguments.operands().size() > 1;
  if (arguments.has("anew") && !writes) {
    return bad_input("--anew: expected the folders whose records the store is built from, found none");
  }
  if (!writes) {
    const Result<Store> opened = Store::open_read_only(file);
    if (!opened.ok()) return opened.error();
    if (const Status whole = opened->check(); !whole.ok()) return whole.error();
    return print(*opened, arguments);
  }
  catch_interrupts();
  const Result<FoundFiles> found = found_files({arguments.operands().begin() + 1, arguments.operands().end()});
  if (!found.ok()) return found.error();
  for (const std::string& note : found->notes) put_note("assay: " + note);
  const Result<AddReport> report = write_store(file, found->files, writing_of(arguments));
  if (!report.ok() && interrupted()) {
    put_note("assay store: interrupted; " + file.string() + " is as it was");
    return kExitInterrupted;
  }
  if (!report.ok()) return report.error();
  put_text(file.string() + ": " + std::to_string(report->added) + " records added, " + std::to_string(report->known) +
           " were there\n");
  return kExitOk;
}

}  // namespace

CommandSpec store_command() {
  CommandSpec spec;
  spec.name = "store";
  spec.summary = "many records in one SQLite file";
  spec.operands = "DATABASE [RECORD|FOLDER...]";
  spec.min_operands = 1;
  spec.max_operands = 1 << 16;
  spec.complete = Complete::kFile;
  spec.about =
      "With records or folders: adds them, each once. Without: lists what the store holds. The record files\n"
      "stay the truth: a store can be built from them again at any time. Every command that takes records\n"
      "takes a store too. A damaged store is told and not listed.";
  spec.options = {{"anew", "", "build the store from nothing but these records", Complete::kNothing, {}, false},
                  {"suite", "SUITE", "list only this suite", Complete::kSuite, {}, false},
                  {"model", "MODEL", "list only this model", Complete::kModel, {}, false},
                  {"status",
                   "STATUS",
                   "list only records of this status",
                   Complete::kWords,
                   {"ok", "failed", "unsupported", "interrupted"},
                   false},
                  json_option()};
  spec.examples = {{"assay store results.db assay-out", "everything measured so far in one file"},
                   {"assay store results.db --suite decode", "what it holds of one suite"},
                   {"assay show results.db", "the same records as a table"}};
  spec.run = store;
  return spec;
}

}  // namespace assay
