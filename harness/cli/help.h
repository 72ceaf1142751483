// Help pages, made from the commands' specifications.
#pragma once

#include <string>

#include "harness/cli/command.h"

namespace assay {

std::string overview();
std::string help_page(const CommandSpec& spec);

}  // namespace assay
