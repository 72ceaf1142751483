#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "harness/cli/common.h"
#include "harness/cli/find_case.h"
#include "harness/cli/interrupt.h"
#include "harness/cli/outside.h"
#include "harness/cli/plots.h"
#include "harness/cli/profile_peaks.h"
#include "harness/cli/terminal.h"
#include "harness/run/host_threads.h"
#include "results/part.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// Before anything is measured: whether a file can be put there.
Status can_write(const std::string& option, const std::string& name) {
  const fs::path file(name);
  const fs::path folder = file.parent_path().empty() ? "." : file.parent_path();
  std::error_code code;
  const fs::file_status there = fs::status(file, code);
  if (fs::exists(there) && !fs::is_regular_file(there)) {
    return bad_input(option + ": " + name + ": expected a file, or nothing there yet, found " +
                     (fs::is_directory(there) ? "a folder" : "no regular file"));
  }
  int error = fs::is_directory(folder, code) ? 0 : fs::exists(folder, code) ? ENOTDIR : ENOENT;
  if (error == 0 && ::access(folder.c_str(), W_OK | X_OK) != 0) error = errno;
  if (error == 0) return ok_status();
  return bad_input(option + ": " + name + ": can't be written: " + std::generic_category().message(error));
}

Status write_output(const std::string& option, const std::string& file, const std::string& content) {
  const Status written = write_file_atomic(file, content);
  return written.ok() ? written : Status(Error{written.error().kind, option + ": " + written.error().message});
}

bool is_picture(const std::string& file) { return fs::path(file).extension() == ".png"; }

// SVG or PNG by the file's ending.
Status can_draw_roofline(const std::string& file) {
  if (!is_picture(file) && fs::path(file).extension() != ".svg") {
    return bad_input("--roofline: expected a file that ends in .svg or .png, found '" + file + "'");
  }
  Status can = can_write("--roofline", file);
  return can.ok() ? can_draw("--roofline", is_picture(file)) : can;
}

Status write_roofline(const ProfileSheet& sheet, const std::string& file) {
  const ScratchFolder scratch;
  Status done = draw_plots("--roofline", profile_json(sheet), scratch.path(), "en");
  if (!done.ok()) return done;
  fs::path drawing = scratch.path() / "profile-roofline.svg";
  if (is_picture(file)) {
    const fs::path picture = scratch.path() / "profile-roofline.png";
    done = picture_of("--roofline", drawing, picture);
    if (!done.ok()) return done;
    drawing = picture;
  }
  const Result<std::string> content = read_text_file(drawing.string());
  return content.ok() ? write_output("--roofline", file, *content) : Status(content.error());
}

// The table first: what was measured is not lost with a file that can't be written.
Result<int> put_out(const Arguments& a, const ProfileSheet& sheet) {
  const TableFormat format = table_format(a);
  const std::string text =
      format == TableFormat::kJson ? profile_json(sheet) : profile_table(sheet, format == TableFormat::kMarkdown);
  put_table(text);
  std::fflush(stdout);
  const Status trace = a.has("trace") ? write_output("--trace", a.text("trace"), profile_trace(sheet)) : ok_status();
  const Status roofline = a.has("roofline") ? write_roofline(sheet, a.text("roofline")) : ok_status();
  if (!trace.ok() && !roofline.ok()) put_note("assay profile: " + trace.error().message);
  if (!roofline.ok()) return roofline.error();
  if (!trace.ok()) return trace.error();
  return kExitOk;
}

// Ceilings that were given stand for those that the pass measured before the case.
void take_peaks(ProfilePeaks peaks, ProfileSheet* sheet) {
  const Ceiling& own = sheet->run.ceiling;
  const bool given = peaks.flops_per_s.has_value();
  sheet->flops_per_s = given ? peaks.flops_per_s : own.flops_per_s;
  sheet->bytes_per_s = given ? peaks.bytes_per_s : own.read_bytes_per_s;
  sheet->attainable = given ? std::move(peaks.attainable)
                            : (own.flops_per_s && own.read_bytes_per_s
                                   ? sheet->run.basis + " before this pass, a GEMM in " + own.flops_dtype + ", a read"
                                   : own.reason);
  if (sheet->attainable.empty()) sheet->attainable = "the case is a ceiling itself";
  sheet->datasheet = std::move(peaks.datasheet);
  sheet->no_datasheet = std::move(peaks.no_datasheet);
}

// In a worker: an adapter that crashes or hangs takes its own process down.
Result<ProfileSheet> profiled(const Arguments& a, const Case& work, const ChosenDevice& device,
                              const AdapterSettings& settings) {
  catch_interrupts();
  Result<std::unique_ptr<WorkerProcess>> worker = WorkerProcess::start({});
  if (!worker.ok()) return worker.error();
  const Result<DeviceInfo> info = device_info(**worker, device, settings, 0);
  if (!info.ok()) return info.error();
  Result<ProfilePeaks> peaks = profile_peaks(a, work, *info);
  if (!peaks.ok()) return peaks.error();
  Job job = job_for(Job::Kind::kProfile, work, device, settings);
  job.counted_ops = a.text("counters");
  const Result<std::string> text = (*worker)->ask(job, [](const Progress&) { return !interrupted(); });
  if (!text.ok()) return text.error();
  Result<ProfileRun> run = profile_from_json(*text, work);
  if (!run.ok()) return run.error();
  ProfileSheet sheet;
  sheet.work = work;
  sheet.device = device.name;
  sheet.product = info->product;
  sheet.driver = info->driver;
  sheet.adapter = device.adapter.name + " " + device.adapter.version;
  for (const auto& [key, value] : kept_options(settings))
    sheet.adapter_options.append(sheet.adapter_options.empty() ? "" : " ").append(key).append("=").append(value);
  sheet.threads = HostThreads(job.threads).count();
  sheet.run = std::move(run).value();
  sheet.rows = profile_rows(sheet.run);
  take_peaks(std::move(peaks).value(), &sheet);
  return sheet;
}

Result<int> profile(const Arguments& a) {
  const Result<Catalogue> catalogue = load_catalogue();
  if (!catalogue.ok()) return catalogue.error();
  const Result<Suite> suite = catalogue->suite(a.operands()[0]);
  if (!suite.ok()) return suite.error();
  const Result<Case> work = find_case(*suite, a.operands()[1]);
  if (!work.ok()) return work.error();
  if (a.has("counters")) {
    const Result<Graph> graph = lower(*work, {});
    if (!graph.ok()) return graph.error();
    const Result<std::vector<uint64_t>> ops = ops_to_count(*graph, step_scalars(*work, *graph), a.text("counters"));
    if (!ops.ok()) return ops.error();
  }
  if (a.has("trace")) {
    const Status can = can_write("--trace", a.text("trace"));
    if (!can.ok()) return can.error();
  }
  if (a.has("roofline")) {
    const Status can = can_draw_roofline(a.text("roofline"));
    if (!can.ok()) return can.error();
  }
  const Result<ChosenDevice> device = device_of(a);
  if (!device.ok()) return device.error();
  const Result<AdapterSettings> settings = adapter_settings(a);
  if (!settings.ok()) return settings.error();
  const Result<ProfileSheet> sheet = profiled(a, *work, *device, *settings);
  return sheet.ok() ? put_out(a, *sheet) : Result<int>(sheet.error());
}

}  // namespace

CommandSpec profile_command() {
  CommandSpec spec;
  spec.name = "profile";
  spec.summary = "where the time of a step goes, op by op, and how near the peak";
  spec.operands = "SUITE CASE";
  spec.min_operands = 2;
  spec.max_operands = 2;
  spec.complete = Complete::kSuite;
  spec.complete_next = Complete::kCase;
  spec.about =
      "Runs the case's step in a pass of its own and asks the adapter what ran when. Equal ops of all layers stand in "
      "one row, the slowest first, with the time in which nothing ran before them. The step is timed without and with "
      "tracing, so that the overhead shows. Rates are held against ceilings measured before the pass, or those of "
      "--ceilings, and against the chip's datasheet. With --counters the device's own counters of those ops are read "
      "in a "
      "pass that may repeat the step: bytes of its memory, use of the matrix units, occupancy. With --trace the last "
      "step's timeline is written for Perfetto "
      "(ui.perfetto.dev) and chrome://tracing. What --json prints, kept in files, 'assay compare A.json B.json' holds "
      "against each other op by op.";
  OptionSpec format = format_option();
  format.words = {"text", "md", "json"};
  spec.options = {
      {"device", "DEVICE", "where to run it", Complete::kDevice, {}, false},
      {"trace", "FILE", "write the timeline of one step", Complete::kFile, {}, false},
      {"roofline", "FILE", "draw the ops on the roofline, .svg or .png", Complete::kFile, {}, false},
      {"ceilings", "FILE|FOLDER", "attainable peaks from the suite's records", Complete::kFile, {}, false},
      {"counters", "OPS", "all, or names with commas: counters of the device", Complete::kNothing, {}, false},
      {"chip", "NAME", "datasheet; else by the product's name", Complete::kChip, {}, false},
      format,
      json_option(),
      adapter_option(),
      adapter_setting_option()};
  spec.examples = {
      {"assay profile decode smollm2-135m/f32/b1/c512", "on the CPU"},
      {"assay profile prefill smollm2-135m/f32/b1/t512 --trace step.json", "and as a timeline"},
      {"assay profile prefill smollm2-135m/f32/b1/t512 --ceilings results", "against `assay run ceilings`"},
      {"assay profile decode smollm2-135m/f32/b1/c512 --json", "kept in files (> FILE), for `assay compare`"}};
  spec.run = profile;
  return spec;
}

}  // namespace assay
