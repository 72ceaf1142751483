#include <cstdio>
#include <filesystem>
#include <fstream>

#include "harness/cli/common.h"
#include "harness/cli/find_case.h"
#include "harness/cli/interrupt.h"
#include "harness/cli/outside.h"
#include "harness/cli/plots.h"
#include "harness/cli/profile_peaks.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

Status move_into(const std::string& option, const fs::path& part, const fs::path& file) {
  std::error_code code;
  fs::rename(part, file, code);
  if (!code) return ok_status();
  fs::remove(part, code);
  return bad_input(option + ": can't write " + file.string());
}

Status write_whole(const std::string& file, const std::string& text) {
  const std::string part = file + ".part";
  std::ofstream out(part, std::ios::binary);
  out << text;
  out.close();
  if (!out) return bad_input("--trace: can't write " + file);
  return move_into("--trace", part, file);
}

// SVG or PNG by the file's ending.
Status roofline_form(const std::string& file) {
  const std::string ending = fs::path(file).extension();
  if (ending != ".svg" && ending != ".png") {
    return bad_input("--roofline: expected a file that ends in .svg or .png, found '" + file + "'");
  }
  return web_is_built();
}

Status write_roofline(const ProfileSheet& sheet, const std::string& file) {
  const ScratchFolder scratch;
  Status done = draw_plots("--roofline", profile_json(sheet), scratch.path(), "en");
  if (!done.ok()) return done;
  fs::path drawing = scratch.path() / "profile-roofline.svg";
  if (fs::path(file).extension() == ".png") {
    const fs::path picture = scratch.path() / "profile-roofline.png";
    done = picture_of("--roofline", drawing, picture);
    if (!done.ok()) return done;
    drawing = picture;
  }
  // By way of a part beside it: the scratch folder may lie on another file system.
  const std::string part = file + ".part";
  std::error_code code;
  fs::copy_file(drawing, part, fs::copy_options::overwrite_existing, code);
  if (code) return bad_input("--roofline: can't write " + file);
  return move_into("--roofline", part, file);
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
  const Result<ChosenDevice> device = device_of(a);
  if (!device.ok()) return device.error();
  const Result<AdapterSettings> settings = adapter_settings(a);
  if (!settings.ok()) return settings.error();
  if (a.has("roofline")) {
    const Status can = roofline_form(a.text("roofline"));
    if (!can.ok()) return can.error();
  }
  const Result<ProfileSheet> sheet = profiled(a, *work, *device, *settings);
  if (!sheet.ok()) return sheet.error();
  if (a.has("trace")) {
    const Status written = write_whole(a.text("trace"), profile_trace(*sheet));
    if (!written.ok()) return written.error();
  }
  if (a.has("roofline")) {
    const Status written = write_roofline(*sheet, a.text("roofline"));
    if (!written.ok()) return written.error();
  }
  const TableFormat format = table_format(a);
  const std::string text =
      format == TableFormat::kJson ? profile_json(*sheet) : profile_table(*sheet, format == TableFormat::kMarkdown);
  std::fputs(text.c_str(), stdout);
  return kExitOk;
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
      "(ui.perfetto.dev) and chrome://tracing.";
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
      {"assay profile prefill smollm2-135m/f32/b1/t512 --ceilings results", "against `assay run ceilings`"}};
  spec.run = profile;
  return spec;
}

}  // namespace assay
