#include <nlohmann/json.hpp>

#include "harness/cli/common.h"
#include "harness/cli/find_case.h"
#include "harness/cli/interrupt.h"
#include "harness/cli/terminal.h"
#include "harness/run/fit.h"
#include "harness/run/layers.h"

namespace assay {
namespace {

std::string tokens_text(int64_t n) { return std::to_string(n) + " tokens"; }

std::string fit_text(const Fit& fit, const Case& work, const std::string& device) {
  std::string out = work.id() + " on " + device + "\n\n";
  const std::string free = fit.free_bytes > 0 ? bytes_text(fit.free_bytes) : "unknown";
  out += "planned:   a context of " + tokens_text(fit.planned_context) + " by arithmetic, " + free + " free\n";
  if (fit.context > 0) {
    out += "allocated: a context of " + tokens_text(fit.context) + ", " + bytes_text(fit.allocated_bytes) + " for " +
           bytes_text(fit.planned_bytes) + " of tensors; " + bytes_text(fit.written_bytes) + " of it written\n";
  } else {
    out += "allocated: not even the smallest context that was tried\n";
  }
  if (fit.refused_context > 0) {
    out += "refused:   a context of " + tokens_text(fit.refused_context) + ": " + fit.refusal + "\n";
  } else {
    out += "refused:   none; " + tokens_text(fit.limit) + " is the model's own limit\n";
  }
  return out + "\nbasis: " + fit.basis + "; " + std::to_string(fit.tries) +
         " programs prepared by plain allocations, each alone\n";
}

std::string fit_json(const Fit& fit, const Case& work, const std::string& device) {
  nlohmann::json out = nlohmann::json::parse(fit_to_json(fit));
  out["case"] = work.id();
  out["device"] = device;
  return out.dump(2) + "\n";
}

Result<int> fit(const Arguments& a) {
  const Result<Catalogue> catalogue = load_catalogue();
  if (!catalogue.ok()) return catalogue.error();
  const Result<Suite> suite = catalogue->suite(a.operands()[0]);
  if (!suite.ok()) return suite.error();
  const Result<Case> work = find_case(*suite, a.operands()[1]);
  if (!work.ok()) return work.error();
  const Result<ChosenDevice> device = device_of(a);
  if (!device.ok()) return device.error();
  const Result<AdapterSettings> settings = adapter_settings(a);
  if (!settings.ok()) return settings.error();
  catch_interrupts();
  Result<std::unique_ptr<WorkerProcess>> worker = WorkerProcess::start({});
  if (!worker.ok()) return worker.error();
  const Result<std::string> text = (*worker)->ask(job_for(Job::Kind::kFit, *work, *device, *settings),
                                                  [](const Progress&) { return !interrupted(); });
  if (!text.ok()) return text.error();
  const Result<Fit> found = fit_from_json(*text);
  if (!found.ok()) return found.error();
  const std::string shown =
      a.has("json") ? fit_json(*found, *work, device->name) : fit_text(*found, *work, device->name);
  put_text(shown);
  return kExitOk;
}

}  // namespace

CommandSpec fit_command() {
  CommandSpec spec;
  spec.name = "fit";
  spec.summary = "the largest context that a device really holds, by allocating";
  spec.operands = "SUITE CASE";
  spec.min_operands = 2;
  spec.max_operands = 2;
  spec.complete = Complete::kSuite;
  spec.complete_next = Complete::kCase;
  spec.about =
      "Prepares the whole program of a decode case with one context after the other, by the adapter's plain "
      "allocations, until the largest that succeeds is known to 1 in 256. What the arithmetic of the tensors says "
      "stands beside it. Weights, inputs and the whole cache are written, so that no memory is "
      "merely promised. Nothing is run and no record is written.";
  spec.options = {{"device", "DEVICE", "where", Complete::kDevice, {}, false},
                  json_option(),
                  adapter_option(),
                  adapter_setting_option()};
  spec.examples = {{"assay fit decode llama-3.1-8b/bf16/b1/c4096 --device cuda:0", "how long a chat can get"}};
  spec.run = fit;
  return spec;
}

}  // namespace assay
