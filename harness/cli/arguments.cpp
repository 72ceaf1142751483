#include "harness/cli/arguments.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cctype>
#include <charconv>
#include <cmath>

#include "suites/base/nearest.h"

namespace assay {
namespace {

namespace po = boost::program_options;

constexpr const char* kOperands = "operand";

const OptionSpec* find_option(const CommandSpec& spec, const std::string& name) {
  const auto found =
      std::find_if(spec.options.begin(), spec.options.end(), [&](const auto& o) { return o.name == name; });
  return found == spec.options.end() ? nullptr : &*found;
}

// "--batch -1" becomes "--batch=-1": Boost takes every word that begins with a dash for an option.
std::vector<std::string> join_negative_numbers(const CommandSpec& spec, const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (size_t i = 0; i < words.size(); ++i) {
    const bool number =
        words[i].size() > 1 && words[i][0] == '-' && std::isdigit(static_cast<unsigned char>(words[i][1]));
    const OptionSpec* option =
        i > 0 && words[i - 1].rfind("--", 0) == 0 ? find_option(spec, words[i - 1].substr(2)) : nullptr;
    if (number && option != nullptr && !option->value.empty()) {
      out.back() += "=" + words[i];
    } else {
      out.push_back(words[i]);
    }
  }
  return out;
}

// "-o FILE" becomes "--out FILE".
std::vector<std::string> spell_out_letters(const CommandSpec& spec, std::vector<std::string> words) {
  for (std::string& word : words) {
    for (const OptionSpec& option : spec.options) {
      if (!option.letter.empty() && word == "-" + option.letter) word = "--" + option.name;
    }
  }
  return words;
}

po::options_description describe(const CommandSpec& spec) {
  po::options_description described;
  for (const OptionSpec& option : spec.options) {
    if (option.value.empty()) {
      described.add_options()(option.name.c_str(), po::bool_switch(), option.help.c_str());
    } else {
      described.add_options()(option.name.c_str(), po::value<std::vector<std::string>>(), option.help.c_str());
    }
  }
  described.add_options()(kOperands, po::value<std::vector<std::string>>(), "");
  return described;
}

std::vector<std::string> option_names(const CommandSpec& spec) {
  std::vector<std::string> names{"--help"};
  for (const OptionSpec& option : spec.options) names.push_back("--" + option.name);
  return names;
}

Status check_values(const CommandSpec& spec, const std::map<std::string, std::vector<std::string>>& values) {
  for (const auto& [name, given] : values) {
    const OptionSpec* option = find_option(spec, name);
    if (option == nullptr) continue;
    const std::string where = "--" + name;
    if (!option->repeats && given.size() > 1) return bad_input(where + ": given more than once");
    for (const std::string& value : given) {
      if (!option->value.empty() && value.empty())
        return bad_input(where + ": expected " + option->value + ", found nothing");
      if (option->complete != Complete::kWords) continue;
      if (std::find(option->words.begin(), option->words.end(), value) == option->words.end()) {
        std::string message = where + ": unknown '";
        message.append(value).append("'").append(suggestion(value, option->words));
        return bad_input(message);
      }
    }
  }
  return ok_status();
}

Status check_operands(const CommandSpec& spec, const std::vector<std::string>& operands) {
  const auto count = static_cast<int>(operands.size());
  if (count < spec.min_operands)
    return bad_input("expected " + spec.operands + "; see 'assay " + spec.name + " --help'");
  if (count > spec.max_operands) {
    const std::string& extra = operands[static_cast<size_t>(spec.max_operands)];
    return bad_input("unexpected '" + extra + "'; see 'assay " + spec.name + " --help'");
  }
  for (const std::string& operand : operands) {
    // A letter that this command hasn't; Boost takes words with one dash for operands.
    if (operand.size() > 1 && operand[0] == '-') {
      std::string text = "unknown option '";
      return bad_input(text.append(operand).append("'; of a file of that name say './").append(operand).append("'"));
    }
    if (spec.complete != Complete::kWords) continue;
    if (std::find(spec.words.begin(), spec.words.end(), operand) == spec.words.end()) {
      return bad_input("unknown '" + operand + "'" + suggestion(operand, spec.words));
    }
  }
  return ok_status();
}

}  // namespace

Result<Arguments> Arguments::parse(const CommandSpec& spec, const std::vector<std::string>& words) {
  Arguments arguments;
  arguments.words_ = words;
  try {
    const po::options_description described = describe(spec);
    po::positional_options_description positions;
    positions.add(kOperands, -1);
    using Style = po::command_line_style::style_t;
    const int style = Style::allow_long | Style::long_allow_adjacent | Style::long_allow_next;
    po::command_line_parser parser(join_negative_numbers(spec, spell_out_letters(spec, words)));
    const po::parsed_options parsed = parser.options(described).positional(positions).style(style).run();
    po::variables_map map;
    po::store(parsed, map);
    for (const auto& [name, value] : map) {
      if (name == kOperands) {
        arguments.operands_ = value.as<std::vector<std::string>>();
      } else if (value.value().type() == typeid(bool)) {
        if (value.as<bool>()) arguments.values_[name];
      } else {
        arguments.values_[name] = value.as<std::vector<std::string>>();
      }
    }
  } catch (const po::unknown_option& e) {
    std::string name = e.get_option_name();
    name = name.substr(0, name.find('='));
    return bad_input("unknown option '" + name + "'" + suggestion(name, option_names(spec)));
  } catch (const po::invalid_command_line_syntax& e) {
    const std::string name = e.get_option_name();
    const OptionSpec* option = find_option(spec, name.substr(std::min(name.size(), name.find_first_not_of('-'))));
    if (option == nullptr) return bad_input(e.what());
    return bad_input("--" + option->name + ": expected " +
                     (option->value.empty() ? "no value" : option->value + ", found nothing"));
  } catch (const po::error& e) {
    return bad_input(e.what());
  }
  const Status values = check_values(spec, arguments.values_);
  if (!values.ok()) return values.error();
  const Status operands = check_operands(spec, arguments.operands_);
  if (!operands.ok()) return operands.error();
  return arguments;
}

std::string Arguments::text(const std::string& option) const {
  const auto found = values_.find(option);
  return found == values_.end() || found->second.empty() ? "" : found->second.back();
}

std::vector<std::string> Arguments::texts(const std::string& option) const {
  const auto found = values_.find(option);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

Result<int64_t> integer_value(const std::string& option, const std::string& text, int64_t min, int64_t max) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && value >= min && value <= max) return value;
  std::string expected = "an integer from " + std::to_string(min) + " to " + std::to_string(max);
  if (min == 1) expected = "a positive integer up to " + std::to_string(max);
  return bad_input(option + ": expected " + expected + ", found \"" + text + "\"");
}

Result<double> seconds_value(const std::string& option, const std::string& text, double min, double max) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && std::isfinite(value) && value >= min && value <= max) return value;
  const auto number = [](double v) {
    std::string out = std::to_string(v);
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
    return out;
  };
  return bad_input(option + ": expected seconds from " + number(min) + " to " + number(max) + ", found \"" + text +
                   "\"");
}

Result<double> margin_value(std::string text) {
  const std::string found = text;
  if (!text.empty() && text.back() == '%') text.pop_back();
  const Result<double> percent = seconds_value("--margin", text, 0, 1000);
  if (percent.ok()) return *percent / 100;
  return bad_input("--margin: expected a percentage from 0 to 1000, found \"" + found + "\"");
}

Result<std::pair<std::string, std::string>> key_value(const std::string& option, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return bad_input(option + ": expected KEY=VALUE, found \"" + text + "\"");
  }
  return std::pair{text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace assay
