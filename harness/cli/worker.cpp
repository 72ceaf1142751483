// assay worker: what the other commands start to run an adapter in; not for users.
#include "harness/cli/arguments.h"
#include "harness/worker_protocol.h"

namespace assay {
namespace {

Result<int> work(const Arguments& arguments) {
  const Result<int64_t> fd = integer_value("--fd", arguments.text("fd"), 0, INT32_MAX);
  if (!fd.ok()) return fd.error();
  const Result<int64_t> page = integer_value("--page", arguments.text("page"), 0, INT32_MAX);
  if (!page.ok()) return page.error();
  return worker_main(static_cast<int>(*fd), static_cast<int>(*page));
}

}  // namespace

CommandSpec worker_command() {
  CommandSpec spec;
  spec.name = "worker";
  spec.summary = "runs one adapter; started by the other commands";
  spec.options = {{"fd", "NUMBER", "inherited socket of jobs", Complete::kNothing, {}, false},
                  {"page", "NUMBER", "inherited shared page", Complete::kNothing, {}, false}};
  spec.hidden = true;
  spec.run = work;
  return spec;
}

}  // namespace assay
