// assay report: what the records say, for people.
#include "harness/cli/money.h"
#include "harness/cli/report_files.h"
#include "harness/cli/terminal.h"
#include "harness/measure/clock.h"
#include "harness/run/build_info.h"
#include "results/store/store.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// The price book, what is chosen of it, and the targets that costs are held against.
Result<ReportPricing> pricing_of(const Arguments& arguments) {
  ReportPricing pricing;
  Result<PriceBook> book = price_book(arguments);
  if (!book.ok()) return book.error();
  pricing.book = std::move(book).value();
  Result<CostChoices> choices = choices_of(arguments, pricing.book);
  if (!choices.ok()) return choices.error();
  pricing.choices = std::move(choices).value();
  const Result<LatencyLimits> limits = limits_of(arguments);
  if (!limits.ok()) return limits.error();
  pricing.limits = *limits;
  const Result<CostOptions> draws = draws_of(arguments);
  if (!draws.ok()) return draws.error();
  pricing.options = *draws;
  std::vector<std::string> targets = arguments.texts("target");
  // The press prints the same number for both units: both are held against.
  if (targets.empty()) targets = {"0.01 CNY/100k tokens", "0.01 CNY/1M tokens"};
  for (const std::string& text : targets) {
    const Result<Target> target = parse_target(text, "--target");
    if (!target.ok()) return target.error();
    if (target->clips) return bad_input("--target: expected a price per tokens, found '" + text + "'");
    const Result<Estimate> cny = in_yuan(1, target->currency, pricing.book);
    if (!cny.ok()) return bad_input("--target: " + cny.error().message);
    if (cny->confidential)
      return bad_input("--target: expected yuan, found '" + text +
                       "': in yuan the report would show your confidential rate of exchange");
    pricing.targets.push_back({target->text(), target->value * cny->typical / target->per});
  }
  return pricing;
}

Result<ReportModel> model_of(const Arguments& arguments) {
  ReportOptions options;
  Result<ReportPricing> pricing = pricing_of(arguments);
  if (!pricing.ok()) return pricing.error();
  options.pricing = std::move(pricing).value();
  options.title = arguments.text("title");
  options.created = utc_now();
  options.tool_version = tool_version();
  options.tool_commit = tool_commit();
  const std::vector<std::string>& places = arguments.operands();
  // One store alone may hold more than should be read whole.
  if (places.size() == 1 && is_store_file(places[0])) {
    const Result<Store> store = Store::open_read_only(places[0]);
    if (!store.ok()) return store.error();
    return report_model(*store, options);
  }
  const Result<std::vector<Record>> records = records_of(places);
  if (!records.ok()) return records.error();
  return report_model(*records, options);
}

// --html and its like are switches, though other commands take a file there.
Status check_places(const std::vector<std::string>& places) {
  for (const std::string& place : places) {
    const std::string ending = fs::path(place).extension();
    if (ending == ".json" || fs::is_directory(place) || !is_report_ending(ending)) continue;
    std::string text = place;
    text.append(": expected a record, a folder or a store to read, found the name of a report's file; -o ")
        .append(place);
    return bad_input(text.append(" writes it"));
  }
  return ok_status();
}

Status check_prices(const Arguments& arguments, const ReportModel& model) {
  const Result<PriceBook> book = price_book(arguments);
  if (!book.ok()) return book.error();
  std::vector<std::string> products;
  for (const ReportCost& c : model.costs) products.push_back(model.chips[c.chip].product);
  for (const ReportClip& c : model.clips) products.push_back(model.chips[c.chip].product);
  return check_given_prices(arguments, products, *book);
}

Result<int> report(const Arguments& arguments) {
  if (const Status right = check_places(arguments.operands()); !right.ok()) return right.error();
  const Result<ReportModel> model = model_of(arguments);
  if (!model.ok()) return model.error();
  if (const Status one = check_prices(arguments, *model); !one.ok()) return one.error();
  const fs::path out = arguments.has("out") ? arguments.text("out") : "report.html";
  const Result<std::vector<fs::path>> written = write_report(*model, out, arguments);
  if (!written.ok()) return written.error();
  for (const fs::path& file : *written) put_text(file.string() + "\n");
  return kExitOk;
}

}  // namespace

CommandSpec report_command() {
  CommandSpec spec;
  spec.name = "report";
  spec.summary = "the report people look at: one offline page, zh and en";
  spec.operands = "RECORD|FOLDER|STORE...";
  spec.min_operands = 1;
  spec.max_operands = 1 << 16;
  spec.complete = Complete::kFile;
  spec.options = {
      {"out", "FILE", "where to; its ending says the form (default report.html)", Complete::kFile, {}, false, "o"},
      {"title", "TEXT", "heading of the report"},
      {"target",
       "PRICE",
       "what costs are held against, such as \"0.01 CNY/100k tokens\"",
       Complete::kNothing,
       {},
       true},
      {"lang", "LANG", "language it opens in; else the browser's", Complete::kWords, {"zh", "en"}}};
  for (OptionSpec& option : price_options()) spec.options.push_back(std::move(option));
  for (OptionSpec& option : report_form_options()) spec.options.push_back(std::move(option));
  spec.examples = {
      {"assay report results/published -o report.html", "a page to open in any browser, also without a network"},
      {"assay report results.db -o nightly.html --csv --plots png", "of a store, with a table and plots for a mail"},
      {"assay report results/published/2026-11-26-h200 --rent \"13.2 CNY/h\"", "costs as with assay cost"},
      {"assay report results/published -o report.pdf --lang zh", "for print"}};
  spec.run = report;
  return spec;
}

}  // namespace assay
