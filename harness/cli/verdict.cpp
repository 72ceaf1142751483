#include "harness/cli/money.h"
#include "harness/cli/terminal.h"

namespace assay {
namespace {

Result<int> run_verdict(const Arguments& arguments) {
  if (!arguments.has("target")) {
    return bad_input("expected --target \"AMOUNT CURRENCY/COUNT tokens\" such as --target \"0.01 CNY/100k tokens\"");
  }
  const Result<Target> target = parse_target(arguments.text("target"), "--target");
  if (!target.ok()) return target.error();
  if (target->clips) return bad_input("--target: expected a price of tokens; 'assay claims' judges prices of clips");
  const Result<PricedRows> priced = priced_rows(arguments);
  if (!priced.ok()) return priced.error();
  const Result<Estimate> cny = in_yuan(1, target->currency, priced->book);
  if (!cny.ok()) return bad_input("--target: " + cny.error().message);
  if (cny->confidential) {
    return bad_input("--target: expected yuan, found '" + arguments.text("target") +
                     "': held against costs in yuan it would show your confidential rate of exchange");
  }
  if (priced->rows.empty())
    return bad_input("none of the records has a rate of tokens; 'assay claims' judges prices of clips");
  Sheet sheet = verdict_sheet(priced->rows, *target, *cny, reference_tariff(priced->book));
  sheet.notes.insert(sheet.notes.end(), priced->left_out.begin(), priced->left_out.end());
  put_table(render_sheet(sheet, table_format(arguments), stdout_options()));
  return kExitOk;
}

}  // namespace

CommandSpec verdict_command() {
  CommandSpec spec;
  spec.name = "verdict";
  spec.summary = "whether a target price of tokens is reached, and what is between";
  spec.operands = "[RECORD|FOLDER...]";
  spec.max_operands = 1 << 16;
  spec.complete = Complete::kFile;
  spec.about =
      "Reached if the whole 95 % interval of the cost is at or below the target, not reached if all of it is above, "
      "otherwise it can't tell. The press prints the same figure for 100K and for 1M tokens, so both are judged, and a "
      "number without its currency and count is refused.\n"
      "\n"
      "The waterfall goes from the target to the actual cost in factors whose product is the gap: peak, MFU/MBU, "
      "limits of "
      "latency, utilisation, capex, power, tariff, cache mix. Below it stands what one change alone would reach the "
      "target; "
      "where electricity alone costs more than the target, no price of an owned chip does.";
  spec.options = money_options();
  spec.options.insert(
      spec.options.begin(),
      {"target", "PRICE", "\"0.01 CNY/100k tokens\", \"0.65 USD/1M output tokens\"", Complete::kNothing, {}, false});
  spec.examples = {{"assay verdict assay-out/run --chip h100-sxm --target \"0.01 CNY/100k tokens\"", "of your records"},
                   {"assay verdict --rate blended=4951 --rent \"2 USD/h\" --target \"1 CNY/1M tokens\"",
                    "of a disclosure: 8 x over, and 80 x per 1M"}};
  spec.run = run_verdict;
  return spec;
}

}  // namespace assay
