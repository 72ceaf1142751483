// A command's arguments, checked against its specification. Boost.Program_options stays behind this.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/cli/command.h"
#include "suites/base/result.h"

namespace assay {

class Arguments {
 public:
  // `words`: what follows the command's name. An unknown option is an error that suggests the nearest known one.
  static Result<Arguments> parse(const CommandSpec& spec, const std::vector<std::string>& words);

  [[nodiscard]] bool has(const std::string& option) const { return values_.count(option) != 0; }
  // The option's value, or the last of them; "" where it is not given.
  [[nodiscard]] std::string text(const std::string& option) const;
  [[nodiscard]] std::vector<std::string> texts(const std::string& option) const;
  [[nodiscard]] const std::vector<std::string>& operands() const { return operands_; }
  [[nodiscard]] const std::vector<std::string>& words() const { return words_; }

 private:
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> operands_, words_;
};

// Values of options; errors read "--batch: expected a positive integer up to 1048576, found "-1"".
Result<int64_t> integer_value(const std::string& option, const std::string& text, int64_t min, int64_t max);
Result<double> seconds_value(const std::string& option, const std::string& text, double min, double max);
// "2", "2 %" as a share: 0.02. Of --margin.
Result<double> margin_value(std::string text);
Result<std::pair<std::string, std::string>> key_value(const std::string& option, const std::string& text);

}  // namespace assay
