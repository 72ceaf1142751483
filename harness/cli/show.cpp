#include <nlohmann/json.hpp>

#include "harness/cli/common.h"
#include "harness/cli/terminal.h"
#include "reports/clips.h"
#include "reports/curves.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRanks = 8;

// The step times of one record, as the replay adapter plays them.
Result<int> print_samples(const std::vector<Record>& records) {
  if (records.size() != 1) {
    return bad_input("--samples: expected one record, found " + std::to_string(records.size()));
  }
  const Samples& s = records[0].samples;
  nlohmann::json out = {{"start_ns", s.start_ns}, {"host_ns", s.host_ns}};
  if (!s.device_ns.empty()) out["device_ns"] = s.device_ns;
  put_text(out.dump() + "\n");
  return kExitOk;
}

// The records, and in the forms for people what curves they hold; or the one table that was asked for.
std::string tables(const std::vector<Record>& records, const std::string& which, int64_t ranks, TableFormat format) {
  const TableOptions options = stdout_options();
  if (which == "clips") return "";
  if (which == "context") return render_context_curves(records, format, options);
  if (which == "skew") return render_skew_curves(records, ranks, format, options);
  std::string text = render_table(records, format, options);
  if (which == "records" || format == TableFormat::kCsv || format == TableFormat::kJson) return text;
  for (const std::string& curves :
       {render_context_curves(records, format, options), render_skew_curves(records, ranks, format, options)}) {
    if (!curves.empty()) text += "\n" + curves;
  }
  return text;
}

// What a table that was asked for would be made of, where the records hold nothing of it.
std::string missing_table(const std::vector<Record>& records, const std::string& which, int64_t ranks) {
  const TableOptions plain;
  if (which == "context" && render_context_curves(records, TableFormat::kText, plain).empty())
    return "records that differ in the context alone";
  if (which == "skew" && render_skew_curves(records, ranks, TableFormat::kText, plain).empty())
    return "records that differ in the routing of experts alone";
  if (which == "clips" && render_clips(compose_clips(records), TableFormat::kText).empty())
    return "denoising passes of a video model";
  return "";
}

Result<int> show(const Arguments& arguments) {
  const Result<std::vector<Record>> found = records_of(arguments.operands());
  if (!found.ok()) return found.error();
  const std::vector<Record>& records = *found;
  if (arguments.has("samples")) return print_samples(records);
  const TableFormat format = table_format(arguments);
  const bool people = format == TableFormat::kText || format == TableFormat::kMarkdown;
  const bool clips_alone = arguments.text("table") == "clips";
  if (clips_alone && !people) return bad_input("--table clips: expected it with --format text or md");
  const bool page = records.size() == 1 && format == TableFormat::kText && fs::is_regular_file(arguments.operands()[0]);
  const Result<int64_t> ranks =
      arguments.has("ranks") ? integer_value("--ranks", arguments.text("ranks"), 1, 1 << 16) : Result<int64_t>(kRanks);
  if (!ranks.ok()) return ranks.error();
  if (const std::string missing = missing_table(records, arguments.text("table"), *ranks); !missing.empty())
    return bad_input("--table " + arguments.text("table") + ": expected " + missing + ", found none");
  const std::string text = page ? render_record_page(records[0], stdout_options())
                                : tables(records, arguments.text("table"), *ranks, format);
  put_table(text);
  if (!page && people && (!arguments.has("table") || clips_alone)) {
    const std::string clips = render_clips(compose_clips(records), format);
    if (!clips.empty()) put_text((clips_alone ? "" : "\n") + clips);
  }
  return kExitOk;
}

}  // namespace

CommandSpec show_command() {
  CommandSpec spec;
  spec.name = "show";
  spec.summary = "records as a table; one record as a page";
  spec.operands = "RECORD|FOLDER...";
  spec.min_operands = 1;
  spec.max_operands = 1 << 16;
  spec.complete = Complete::kFile;
  spec.about =
      "Records that differ in the context alone also make a table of step time against context, those that differ in "
      "the routing of experts one of rate against skew, and passes of a video model one of what its clips take of the "
      "passes, the text encoder and the VAE tiles.";
  spec.options = {
      {"table", "NAME", "this table alone", Complete::kWords, {"records", "context", "skew", "clips"}, false},
      {"ranks",
       "N",
       "devices that share the experts, for the imbalance of the skew table; default 8",
       Complete::kNothing,
       {},
       false},
      format_option(),
      json_option(),
      {"samples", "", "every step time of one record as JSON, in ns", Complete::kNothing, {}, false}};
  spec.examples = {{"assay show assay-out/quickstart", "the table of a run"},
                   {"assay show assay-out/quickstart --format csv", "the same for a spreadsheet"},
                   {"assay show FILE.record.json --samples", "the raw times, which the replay adapter plays again"}};
  spec.run = show;
  return spec;
}

}  // namespace assay
