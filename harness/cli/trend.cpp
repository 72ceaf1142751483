#include "reports/trend.h"
#include "harness/cli/common.h"
#include "harness/cli/outside.h"
#include "harness/cli/plots.h"
#include "harness/cli/terminal.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

Result<std::vector<Record>> trend_records(const std::vector<std::string>& places) {
  std::vector<Record> out;
  for (const std::string& place : places) {
    Result<std::vector<Record>> found = read_records(place);
    if (!found.ok()) return found.error();
    if (found->empty()) return bad_input(place + ": expected records (*.record.json), found none");
    for (Record& r : *found) out.push_back(std::move(r));
  }
  return out;
}

Result<TrendOptions> trend_options(const Arguments& arguments) {
  TrendOptions options;
  options.case_filter = arguments.text("case");
  if (arguments.has("edge")) {
    const Result<int64_t> edge = integer_value("--edge", arguments.text("edge"), 1, 1000);
    if (!edge.ok()) return edge.error();
    options.edge = static_cast<size_t>(*edge);
  }
  if (arguments.has("margin")) {
    const Result<double> margin = margin_value(arguments.text("margin"));
    if (!margin.ok()) return margin.error();
    options.margin = *margin;
  }
  return options;
}

// A drawing for each series: FILE, or of several FILE's name with the case's behind it.
Status write_plots(const std::vector<TrendSeries>& series, const fs::path& file) {
  for (size_t i = 0; i < series.size(); ++i) {
    const ScratchFolder scratch;
    Status done = draw_plots("--plot", trend_plot_json(trend_plot(series[i])), scratch.path(), "en");
    if (!done.ok()) return done;
    fs::path drawing = scratch.path() / "trend.svg";
    if (file.extension() == ".png") {
      done = picture_of("--plot", drawing, scratch.path() / "trend.png");
      if (!done.ok()) return done;
      drawing = scratch.path() / "trend.png";
    }
    fs::path target = file;
    if (series.size() > 1)
      target.replace_filename(file.stem().string() + "-" + std::to_string(i + 1) + file.extension().string());
    // By way of a part beside it: the scratch folder may lie on another file system.
    const fs::path part = target.string() + ".part";
    std::error_code code;
    fs::copy_file(drawing, part, fs::copy_options::overwrite_existing, code);
    if (!code) fs::rename(part, target, code);
    if (code) return bad_input("--plot: can't write " + target.string() + ": " + code.message());
  }
  return ok_status();
}

// Whether the gate fails, with the reason on stderr where the sheet doesn't show it.
bool slower(const std::vector<TrendSeries>& series) {
  bool compared = false, failed = false;
  for (const TrendSeries& s : series) {
    compared = compared || s.ends;
    failed = failed || (s.ends && s.ends->verdict == Difference::kSlower) || !s.newest_without.empty();
  }
  if (compared || failed) return failed;
  put_note("assay trend: --fail-on: expected a case with records to hold against each other, found none");
  return true;
}

Result<int> run_trend(const Arguments& arguments) {
  const Result<TrendOptions> options = trend_options(arguments);
  if (!options.ok()) return options.error();
  const fs::path plot = arguments.text("plot");
  if (arguments.has("plot")) {
    if (plot.extension() != ".svg" && plot.extension() != ".png")
      return bad_input("--plot: expected a file that ends in .svg or .png, found '" + plot.string() + "'");
    if (const Status built = web_is_built(); !built.ok()) return built.error();
  }
  const Result<std::vector<Record>> records = trend_records(arguments.operands()),
                                    baseline = trend_records(arguments.texts("baseline"));
  if (!records.ok()) return records.error();
  if (!baseline.ok()) return baseline.error();
  const std::vector<TrendSeries> series = trends(*records, *baseline, *options);
  if (series.empty()) {
    return bad_input(arguments.has("case")
                         ? "--case: expected cases with figures that match '" + options->case_filter + "', found none"
                         : "expected records with figures of their own, found none");
  }
  const TableFormat format = table_format(arguments);
  put_table(render_sheet(trend_sheet(series, *options, format), format, stdout_options()));
  if (arguments.has("plot")) {
    if (const Status drawn = write_plots(series, plot); !drawn.ok()) return drawn.error();
  }
  return arguments.has("fail-on") && slower(series) ? kExitFailed : kExitOk;
}

}  // namespace

CommandSpec trend_command() {
  CommandSpec spec;
  spec.name = "trend";
  spec.summary = "a case's rate over many nights, and a gate that sees what creeps";
  spec.operands = "RECORD|FOLDER|STORE...";
  spec.min_operands = 1;
  spec.max_operands = 1 << 16;
  spec.complete = Complete::kFile;
  spec.about =
      "Of each case on each chip the records by date: rate with its 95 % interval, held against the first and the best "
      "before; where the level changed; how it drifts a day; and where the tool, the driver, the card or the host did. "
      "Records that compare keeps apart (basis, tier, adapter options, threads of a CPU) are series of their own.\n"
      "Exit code: 0; 1 with --fail-on slower where the last records of a case are slower than the first (or the "
      "baseline) beyond the margin, where the newest failed, or where there was nothing to compare; 2 for bad input.";
  spec.options = {
      {"case",
       "FILTER",
       "cases whose id has this part, or matches this pattern (* ? [])",
       Complete::kNothing,
       {},
       false},
      {"margin", "PERCENT", "the smallest change worth telling (2)", Complete::kNothing, {}, false},
      {"edge", "N", "records at each end that are held against each other (3)", Complete::kNothing, {}, false},
      {"baseline", "RECORD|FOLDER", "hold the last records against these, not the first", Complete::kFile, {}, true},
      {"fail-on", "WHAT", "exit with 1 on it", Complete::kWords, {"slower"}, false},
      {"plot",
       "FILE",
       "draw rate, intervals and changes by date, .svg or .png; of several series FILE-1, FILE-2, ...",
       Complete::kFile,
       {},
       false},
      format_option(),
      json_option()};
  spec.examples = {{"assay trend nightly.db --fail-on slower", "a gate for what no two nights show"},
                   {"assay trend nights/* --case 'decode/*' --plot decode.svg", "and a drawing"},
                   {"assay trend nights/* --baseline release-1.4 --fail-on slower", "against a release"}};
  spec.run = run_trend;
  return spec;
}

}  // namespace assay
