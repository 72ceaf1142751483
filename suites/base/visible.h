// Text of others (a device's name, a driver's message, what a file holds), safe to print: what a terminal would act on
// or a reader could not see is shown instead. ESC becomes \x1b, U+202E \u202e, a byte that is no UTF-8 \xff.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// On one line: its ends and tabs become blanks.
std::string visible(std::string_view text);
// Line ends and tabs stay; nothing in JSON that a library wrote changes its meaning.
std::string visible_lines(std::string_view text);
// Of JSON: the same within its strings, where such characters are escaped.
std::string visible_json(std::string_view json);

}  // namespace assay
