#include "harness/cli/report_files.h"

#include <algorithm>

#include "harness/cli/common.h"
#include "harness/cli/outside.h"
#include "harness/cli/plots.h"
#include "reports/html/report_forms.h"
#include "reports/html/report_page.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr double kBrowserLimitS = 120;

// A form the report can be written in, by the ending of its file. What it gives is the file's content.
struct Form {
  const char *ending, *help;
  Result<std::string> (*render)(const ReportModel& model, const Arguments& arguments);
};

Result<std::string> html(const ReportModel& model, const Arguments& arguments) {
  const Status built = web_is_built();
  if (!built.ok()) return built.error();
  const Result<std::string> page = read_text_file((web_dir() / "report.html").string());
  if (!page.ok()) return page.error();
  return report_page(*page, report_json(model), arguments.text("lang"));
}

// What Chromium prints of the page, with all its charts drawn.
Result<std::string> pdf(const ReportModel& model, const Arguments& arguments) {
  const Result<std::string> page = html(model, arguments);
  if (!page.ok()) return page.error();
  const ScratchFolder scratch;
  const fs::path source = scratch.path() / "report.html", target = scratch.path() / "report.pdf";
  const Status written = write_file_atomic(source, *page);
  if (!written.ok()) return written.error();
  const std::string lang = arguments.has("lang") ? "#lang=" + arguments.text("lang") : "";
  const Status printed = run_chromium({"--no-pdf-header-footer", "--print-to-pdf=" + target.string(),
                                       "--virtual-time-budget=10000", "file://" + source.string() + lang},
                                      kBrowserLimitS);
  if (!printed.ok()) return Error{printed.error().kind, "--pdf: " + printed.error().message};
  return read_text_file(target.string());
}

Result<std::string> json_page(const ReportModel& model, const Arguments&) { return report_json(model) + "\n"; }
Result<std::string> csv(const ReportModel& model, const Arguments&) { return report_csv(model); }
Result<std::string> markdown(const ReportModel& model, const Arguments&) { return report_markdown(model); }
Result<std::string> xlsx(const ReportModel& model, const Arguments&) { return report_xlsx(model); }

const std::vector<Form>& forms() {
  static const std::vector<Form> kForms{{"html", "one self-contained page", html},
                                        {"pdf", "the page on A4, by an installed Chromium", pdf},
                                        {"json", "every figure of the page, for scripts", json_page},
                                        {"csv", "a line per record, for spreadsheets", csv},
                                        {"md", "answer and tables, for mails", markdown},
                                        {"xlsx", "a workbook: summary, costs, records", xlsx}};
  return kForms;
}

// The forms asked for, the one that --out ends in first.
Result<std::vector<const Form*>> chosen_forms(const Arguments& arguments, const fs::path& out) {
  std::vector<const Form*> chosen;
  std::string endings;
  for (const Form& form : forms()) {
    endings += std::string(endings.empty() ? "" : ", ") + "." + form.ending;
    if (out.extension() == std::string(".") + form.ending) chosen.push_back(&form);
  }
  if (chosen.empty()) {
    return bad_input("--out: expected a file that ends in one of " + endings + ", found '" + out.string() + "'");
  }
  for (const Form& form : forms()) {
    if (arguments.has(form.ending) && &form != chosen.front()) chosen.push_back(&form);
  }
  return chosen;
}

// The picture of each plot beside its drawing.
Status add_pictures(const fs::path& folder) {
  std::vector<fs::path> drawings;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".svg") drawings.push_back(entry.path());
  }
  std::sort(drawings.begin(), drawings.end());
  for (const fs::path& drawing : drawings) {
    Status drawn = picture_of("--plots png", drawing, fs::path(drawing).replace_extension("png"));
    if (!drawn.ok()) return drawn;
  }
  return ok_status();
}

// Drawn in a folder of its own beside the target and renamed, so that none stands half done.
Result<fs::path> plots(const ReportModel& model, const fs::path& out, const Arguments& arguments) {
  const fs::path folder = fs::absolute(fs::path(out).replace_extension("").string() + "-plots");
  const fs::path half = folder.string() + ".part";
  std::error_code code;
  fs::remove_all(half, code);
  fs::create_directories(half, code);
  if (code) return Error{ErrorKind::kIo, half.string() + ": can't create the folder: " + code.message()};
  Status done = draw_plots("--plots", report_json(model), half, arguments.text("lang") == "zh" ? "zh" : "en");
  if (done.ok() && arguments.text("plots") == "png") done = add_pictures(half);
  if (!done.ok()) {
    fs::remove_all(half, code);
    return done.error();
  }
  fs::remove_all(folder, code);
  fs::rename(half, folder, code);
  if (code) return Error{ErrorKind::kIo, folder.string() + ": can't be replaced: " + code.message()};
  return folder;
}

}  // namespace

std::vector<OptionSpec> report_form_options() {
  std::vector<OptionSpec> options;
  for (const Form& form : forms()) options.push_back({form.ending, "", std::string(form.help) + ", beside --out"});
  options.push_back(
      {"plots", "FORM", "every plot as a file of its own, in a folder beside --out", Complete::kWords, {"svg", "png"}});
  return options;
}

bool is_report_ending(const std::string& ending) {
  return std::any_of(forms().begin(), forms().end(),
                     [&](const Form& f) { return ending == "." + std::string(f.ending); });
}

Result<std::vector<fs::path>> write_report(const ReportModel& model, const fs::path& out, const Arguments& arguments) {
  const Result<std::vector<const Form*>> chosen = chosen_forms(arguments, out);
  if (!chosen.ok()) return chosen.error();
  std::vector<std::pair<fs::path, std::string>> files;
  for (const Form* form : *chosen) {
    Result<std::string> content = form->render(model, arguments);
    if (!content.ok()) return content.error();
    files.emplace_back(fs::path(out).replace_extension(form->ending), std::move(content).value());
  }
  std::vector<fs::path> written;
  if (arguments.has("plots")) {
    Result<fs::path> folder = plots(model, out, arguments);
    if (!folder.ok()) return folder.error();
    written.push_back(std::move(folder).value());
  }
  for (const auto& [file, content] : files) {
    const Status done = write_file_atomic(file, content);
    if (!done.ok()) return done.error();
    written.push_back(file);
  }
  return written;
}

}  // namespace assay
