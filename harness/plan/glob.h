// Choosing cases by name.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// '*' stands for any run of characters, also none and also '/', '?' for one, '[a-c]' and '[!a]' for one of a set.
bool glob_match(std::string_view pattern, std::string_view text);

// With one of *?[ the filter is a pattern of the whole id; without, a part of it. A whole element matches whole where
// it can: "b1" chooses ".../b1/..." and not ".../b16/...", unless no case has such an element.
bool is_glob(std::string_view filter);

// `element`: between slashes; "b1" or "f32/b1" in "decode/m/f32/b1/c512".
bool has_elements(std::string_view id, std::string_view elements);

}  // namespace assay
