#include "harness/cli/money.h"
#include "harness/cli/terminal.h"
#include "reports/plan_sheet.h"

namespace assay {
namespace {

Result<int> run_plan(const Arguments& arguments) {
  const Result<PriceBook> book = price_book(arguments);
  if (!book.ok()) return book.error();
  const Result<PlanRequest> request = read_plan(arguments.operands().front(), *book);
  if (!request.ok()) return request.error();
  const std::vector<Plan> found = plans(*request);
  put_table(render_sheet(plan_sheet(*request, found), table_format(arguments), stdout_options()));
  return found.front().problem.empty() ? kExitOk : kExitFailed;
}

}  // namespace

CommandSpec plan_command() {
  CommandSpec spec;
  spec.name = "plan";
  spec.summary = "the cheapest units for prefill and decode, of one kind or two";
  spec.operands = "REQUEST.json";
  spec.min_operands = 1;
  spec.max_operands = 1;
  spec.complete = Complete::kFile;
  spec.about =
      "Reads traffic (requests per second, prompt and output tokens, cache hits), limits of TTFT and TPOT, and the "
      "kinds of "
      "units that may be bought: a chip of the price book or the cost of an hour that one is there (in use or not), "
      "memory, link, and curves of prefill (tokens/s by prompt length) and decode "
      "(time of "
      "a step by batch and context), given or taken from records. Schema: results/plan/plan.schema.json.\n"
      "\n"
      "Each pair of kinds is tried, and each kind alone. Prefill needs units for its flow, for the wait that TTFT "
      "leaves "
      "(M/G/1) and for the KV cache that leaves over the link; decode for the batch that TPOT and memory admit. Curves "
      "are "
      "read linearly between points and never beyond the longest prompt or context that was measured. Memory, "
      "weights and KV bytes per token that aren't given come from the records, where the unit names any. What is then "
      "still unknown (a link always, where none is given) is not counted, which stands beside each plan, and where "
      "TTFT "
      "has a limit a pair of unknown KV transfer is not judged. Exit code 1 where "
      "nothing serves.";
  spec.options = {
      {"prices", "FILE", "a price book of yours, for chips, tariffs and rates of exchange", Complete::kFile, {}, true},
      format_option(),
      json_option()};
  spec.examples = {{"assay plan results/plan/example.json", "H200 and Ascend 910C by published curves, cheapest first"},
                   {"assay plan traffic.json --json", "the table for a script"}};
  spec.run = run_plan;
  return spec;
}

}  // namespace assay
