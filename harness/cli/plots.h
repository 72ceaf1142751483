// Charts as files, drawn by the bundle of the report's page in Node.js, and as pictures by Chromium.
#pragma once

#include <filesystem>
#include <string>

#include "suites/base/result.h"

namespace assay {

// Where the bundle lies. kUnsupported, with how to build it, where it is not there.
std::filesystem::path web_dir();
Status web_is_built();
// Whether what draws is here: the bundle, Node.js, and for pictures Chromium. kUnsupported with what is missing.
Status can_draw(const std::string& option, bool pictures);

// Every chart of the JSON (a report's model or a profile) as an SVG file into the folder, which exists. Errors begin
// with `option`. lang: "zh" or "en".
Status draw_plots(const std::string& option, const std::string& json, const std::filesystem::path& folder,
                  const std::string& lang);
// The picture of a drawing, twice its size in pixels.
Status picture_of(const std::string& option, const std::filesystem::path& svg, const std::filesystem::path& png);

}  // namespace assay
