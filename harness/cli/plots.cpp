#include "harness/cli/plots.h"

#include <cstdlib>

#include "harness/cli/common.h"
#include "harness/cli/outside.h"
#include "results/record.h"
#include "suites/base/json_input.h"
#include "suites/base/visible.h"

namespace assay {
namespace {

constexpr double kLimitS = 120;

Result<std::string> node_of(const std::string& option) {
  const std::optional<std::string> node = find_program({"node", "nodejs"}, "ASSAY_NODE");
  if (!node) return Error{ErrorKind::kUnsupported, option + ": no Node.js in the PATH (apt-get install nodejs)"};
  return *node;
}

}  // namespace

std::filesystem::path web_dir() { return data_dir().parent_path() / "web"; }

Status web_is_built() {
  if (std::filesystem::exists(web_dir() / "report.html")) return ok_status();
  return Error{ErrorKind::kUnsupported,
               "the page of the report is not built (" + web_dir().string() +
                   "): install Node.js 18 or later with npm (harness/dependencies.sh report), then\n"
                   "  cmake --build build/release --target assay_web\n"
                   "The forms json, csv, md and xlsx need neither."};
}

Status can_draw(const std::string& option, bool pictures) {
  Status built = web_is_built();
  if (!built.ok()) return built;
  const Result<std::string> node = node_of(option);
  if (!node.ok()) return node.error();
  if (!pictures) return ok_status();
  const Result<std::string> chromium = find_chromium();
  return chromium.ok() ? ok_status() : Status(Error{chromium.error().kind, option + ": " + chromium.error().message});
}

Status draw_plots(const std::string& option, const std::string& json, const std::filesystem::path& folder,
                  const std::string& lang) {
  const Status built = web_is_built();
  if (!built.ok()) return built.error();
  const Result<std::string> node = node_of(option);
  if (!node.ok()) return node.error();
  const ScratchFolder scratch;
  const std::filesystem::path source = scratch.path() / "charts.json";
  const Status written = write_file_atomic(source, visible_json(json));
  if (!written.ok()) return written.error();
  return run_program({*node, (web_dir() / "plots.mjs").string(), source.string(), folder.string(), lang}, kLimitS);
}

Status picture_of(const std::string& option, const std::filesystem::path& svg, const std::filesystem::path& png) {
  const Result<std::string> text = read_text_file(svg.string());
  if (!text.ok()) return text.error();
  const auto attribute = [&](const std::string& name) {
    const size_t at = text->find(" " + name + "=\"");
    return at == std::string::npos ? 0 : std::atoi(text->c_str() + at + name.size() + 3);
  };
  const Status drawn =
      run_chromium({"--force-device-scale-factor=2", "--hide-scrollbars",
                    "--window-size=" + std::to_string(attribute("width")) + "," + std::to_string(attribute("height")),
                    "--screenshot=" + png.string(), "file://" + svg.string()},
                   kLimitS);
  if (!drawn.ok()) return Error{drawn.error().kind, option + ": " + drawn.error().message};
  return ok_status();
}

}  // namespace assay
