#include "suites/base/json_input.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "suites/base/json_text.h"
#include "suites/base/nearest.h"

namespace assay {
namespace {

using json_text::in_quotes;
using json_text::JsonText;
using json_text::line_of_value;
using json_text::member_path;
using json_text::read_json;
using nlohmann::json;

constexpr size_t kMaxFaults = 100;

std::string describe(const json& value) {
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    case json::value_t::string:
      return "the text " + in_quotes(value.get_ref<const std::string&>());
    case json::value_t::array:
      return "an array of " + std::to_string(value.size());
    case json::value_t::object:
      return "an object";
    default:
      return value.dump();
  }
}

std::string number_text(double value) { return json(value).dump(); }

const json& value_at(const void* value) { return *static_cast<const json*>(value); }

}  // namespace

struct JsonInput::Document {
  Document() : root(nullptr) {}
  json root;
  bool read = false;  // the text is JSON
};

JsonInput::JsonInput(std::string_view text, std::string where, JsonLimits limits)
    : text_(text.size() > limits.max_bytes ? std::string_view() : text),
      where_(std::move(where)),
      document_(std::make_unique<Document>()) {
  if (text.size() > limits.max_bytes) {
    add_fault(0,
              "expected at most " + std::to_string(limits.max_bytes) + " bytes, found " + std::to_string(text.size()));
    return;
  }
  JsonText read = read_json(text, limits.max_depth);
  for (const Fault& f : read.duplicates) add_fault(f.line, f.message);
  if (read.fault.empty()) {
    document_->root = std::move(read.root);
    document_->read = true;
  } else {
    // Broken text has no values to look a line up by.
    text_.clear();
    add_fault(read.fault_line, read.fault);
  }
}

JsonInput::~JsonInput() = default;

JsonNode JsonInput::root() { return {this, document_->read ? &document_->root : nullptr, ""}; }

void JsonInput::fail(const std::string& path, const std::string& message, const std::string& at) {
  if (error_.faults.size() >= kMaxFaults) return;
  add_fault(line_of_value(text_, at), (path.empty() ? "" : path + ": ") + message);
}

void JsonInput::add_fault(int64_t line, const std::string& message) {
  if (ok()) error_ = bad_input(where_ + ": " + message);
  const auto same = [&](const Fault& f) { return f.line == line && f.message == message; };
  auto& faults = error_.faults;
  if (std::any_of(faults.begin(), faults.end(), same)) return;
  const auto later = [](int64_t at, const Fault& f) { return at < f.line; };
  faults.insert(std::upper_bound(faults.begin(), faults.end(), line, later), {line, message});
}

std::string JsonNode::where() const { return input_->where_ + (path_.empty() ? "" : ": " + path_); }

void JsonNode::fail(const std::string& message) const { input_->fail(path_, message, path_); }

void JsonNode::fail_expected(const std::string& what) const {
  if (present()) fail("expected " + what + ", found " + describe(value_at(value_)));
}

size_t JsonNode::fault_count() const { return input_->error_.faults.size(); }

bool JsonNode::is_object() const { return present() && value_at(value_).is_object(); }

bool JsonNode::is_text() const { return present() && value_at(value_).is_string(); }

void JsonNode::fields(std::initializer_list<const char*> known) const {
  const auto is_known = [&](const std::string& name) {
    return std::any_of(known.begin(), known.end(), [&](const char* k) { return name == k; });
  };
  if (is_object()) {
    const auto& members = value_at(value_).get_ref<const json::object_t&>();
    if (std::all_of(members.begin(), members.end(), [&](const auto& m) { return is_known(m.first); })) return;
  }
  fields(std::vector<std::string>(known.begin(), known.end()));
}

void JsonNode::fields(const std::vector<std::string>& known) const {
  if (!present()) return;
  if (!is_object()) return fail_expected("an object");
  // A record has sixty fields and there may be 100,000 records: a list in order is searched as one.
  const bool in_order = std::is_sorted(known.begin(), known.end());
  for (const auto& [name, value] : value_at(value_).items()) {
    if (in_order ? std::binary_search(known.begin(), known.end(), name)
                 : std::find(known.begin(), known.end(), name) != known.end()) {
      continue;
    }
    input_->fail(path_, "unknown field " + in_quotes(name) + suggestion(name, known), member_path(path_, name));
  }
}

bool JsonNode::has(const char* name) const {
  if (!is_object()) return false;
  const auto found = value_at(value_).find(name);
  return found != value_at(value_).end() && !found->is_null();
}

JsonNode JsonNode::at(const char* name) const {
  const std::string path = member_path(path_, name);
  if (!present()) return {input_, nullptr, path};
  if (!is_object()) {
    fail_expected("an object");
    return {input_, nullptr, path};
  }
  const auto found = value_at(value_).find(name);
  if (found != value_at(value_).end()) return {input_, &*found, path};
  fail("field '" + std::string(name) + "' is missing");
  return {input_, nullptr, path};
}

JsonNode JsonNode::find(const char* name) const {
  if (has(name)) return at(name);
  return {input_, nullptr, member_path(path_, name)};
}

std::vector<JsonNode> JsonNode::items(size_t min, size_t max) const {
  if (!present()) return {};
  const json& value = value_at(value_);
  if (!value.is_array()) {
    fail_expected("an array");
    return {};
  }
  if (value.size() < min || value.size() > max) {
    const std::string wanted = max == SIZE_MAX ? "at least " + std::to_string(min)
                               : min == max    ? std::to_string(min)
                                               : std::to_string(min) + " to " + std::to_string(max);
    fail("expected " + wanted + " elements, found " + std::to_string(value.size()));
    return {};
  }
  std::vector<JsonNode> out;
  for (const json& item : value) out.push_back({input_, &item, path_ + "[" + std::to_string(out.size()) + "]"});
  return out;
}

std::vector<std::pair<std::string, JsonNode>> JsonNode::members() const {
  if (!present()) return {};
  if (!is_object()) {
    fail_expected("an object");
    return {};
  }
  std::vector<std::pair<std::string, JsonNode>> out;
  for (const auto& [name, value] : value_at(value_).items()) {
    out.emplace_back(name, JsonNode{input_, &value, member_path(path_, name)});
  }
  return out;
}

int64_t JsonNode::integer(int64_t min, int64_t max) const {
  if (!present()) return min;
  const json& value = value_at(value_);
  constexpr auto kLargest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const bool fits = value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= kLargest);
  if (fits && value.get<int64_t>() >= min && value.get<int64_t>() <= max) return value.get<int64_t>();
  fail_expected("an integer from " + std::to_string(min) + " to " + std::to_string(max));
  return min;
}

uint64_t JsonNode::unsigned_integer(uint64_t max) const {
  if (!present()) return 0;
  const json& value = value_at(value_);
  if (value.is_number_unsigned() && value.get<uint64_t>() <= max) return value.get<uint64_t>();
  fail_expected("an integer from 0 to " + std::to_string(max));
  return 0;
}

double JsonNode::number(double min, double max) const {
  if (!present()) return min;
  const json& value = value_at(value_);
  if (value.is_number() && value.get<double>() >= min && value.get<double>() <= max) return value.get<double>();
  fail_expected("a number from " + number_text(min) + " to " + number_text(max));
  return min;
}

double JsonNode::number() const {
  if (!present()) return 0;
  const json& value = value_at(value_);
  if (value.is_number() && std::isfinite(value.get<double>())) return value.get<double>();
  fail_expected("a number");
  return 0;
}

bool JsonNode::boolean() const {
  if (!present()) return false;
  if (value_at(value_).is_boolean()) return value_at(value_).get<bool>();
  fail_expected("true or false");
  return false;
}

std::string JsonNode::text(size_t max_length) const {
  if (!present()) return "";
  const json& value = value_at(value_);
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() <= max_length) return text;
    fail("expected a text of at most " + std::to_string(max_length) + " bytes, found " + std::to_string(text.size()));
    return "";
  }
  fail_expected("a text");
  return "";
}

std::string JsonNode::text_of(const std::vector<std::string>& allowed) const {
  const size_t faults = fault_count();
  std::string found = text();
  if (!present() || fault_count() > faults || std::find(allowed.begin(), allowed.end(), found) != allowed.end()) {
    return found;
  }
  fail("unknown value " + in_quotes(found) + suggestion(found, allowed));
  return "";
}

std::string JsonNode::text_of(std::initializer_list<const char*> allowed) const {
  if (is_text()) {
    const auto& found = value_at(value_).get_ref<const std::string&>();
    if (std::any_of(allowed.begin(), allowed.end(), [&](const char* a) { return found == a; })) return found;
  }
  return text_of(std::vector<std::string>(allowed.begin(), allowed.end()));
}

std::string JsonNode::canonical() const { return present() ? value_at(value_).dump() : "null"; }

std::string JsonNode::canonical_without(const char* name) const {
  if (!has(name)) return canonical();
  // The document is the input's own and not const: the member leaves it for as long as the rest is written.
  auto& members = const_cast<json::object_t&>(value_at(value_).get_ref<const json::object_t&>());
  auto member = members.extract(name);
  std::string out = canonical();
  members.insert(std::move(member));
  return out;
}

Result<std::string> canonical_json(std::string_view text, const std::string& where) {
  JsonInput input(text, where);
  if (!input.ok()) return input.error();
  return input.root().canonical();
}

Result<std::string> read_text_file(const std::string& path, size_t max_bytes) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code)) {
    return bad_input(path + ": " + (code ? code.message() : "expected a regular file"));
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return bad_input(path + ": can't be opened for reading");
  const uintmax_t size = std::filesystem::file_size(path, code);
  if (code || size > max_bytes) {
    return bad_input(path + ": expected at most " + std::to_string(max_bytes) + " bytes, found " +
                     std::to_string(size));
  }
  std::string text(static_cast<size_t>(size), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file) return bad_input(path + ": can't be read");
  return text;
}

}  // namespace assay
