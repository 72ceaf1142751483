#include "harness/cli/money.h"
#include "harness/cli/terminal.h"

namespace assay {
namespace {

Result<int> run_cost(const Arguments& arguments) {
  const Result<PricedRows> priced = priced_rows(arguments);
  if (!priced.ok()) return priced.error();
  Sheet sheet = cost_sheet(priced->rows, priced->clips);
  sheet.notes.insert(sheet.notes.end(), priced->left_out.begin(), priced->left_out.end());
  put_table(render_sheet(sheet, table_format(arguments), stdout_options()));
  return kExitOk;
}

}  // namespace

CommandSpec cost_command() {
  CommandSpec spec;
  spec.name = "cost";
  spec.summary = "yuan per token of each class, with what moves it";
  spec.operands = "[RECORD|FOLDER...]";
  spec.max_operands = 1 << 16;
  spec.complete = Complete::kFile;
  spec.about =
      "Prices the rates of records. Records of one chip, model and dtype make one cost: the best prefill rate for "
      "input "
      "tokens, the best decode rate for output tokens, within --ttft and --tpot where they are given.\n"
      "\n"
      "Owned, an hour of use costs [CRF x (price with server - salvage discounted) + opex] / (8760 x utilisation) + kW "
      "at "
      "the wall x PUE x tariff; rented, the rent. A token costs an hour / (3600 x tokens per second); a clip, its "
      "seconds / 3600 of an hour, where "
      "the records hold the parts of one. Imported records count where their source says of how many accelerators its "
      "rate "
      "is.\n"
      "\n"
      "Every input is listed with its range, source and grade. The 95 % interval comes from drawing all of them at "
      "once. "
      "Prices stay out of records: a book of yours with \"confidential\": true is used and never printed.";
  spec.options = money_options();
  spec.examples = {{"assay cost assay-out/run --chip h100-sxm --rent \"13.2 CNY/h\"", "rented"},
                   {"assay cost assay-out/run --prices offers.json --tariff cn-gansu", "your offers, subsidised power"},
                   {"assay cost --rate output=36667 --rent \"13.2 CNY/h\"", "a rate that someone reports"}};
  spec.run = run_cost;
  return spec;
}

}  // namespace assay
