#include "suites/base/json_input.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "suites/base/nearest.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr size_t kLongestQuoted = 60;
constexpr size_t kMaxFaults = 100;

// In single quotes; bytes that a terminal might act on are escaped; shortened.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, kLongestQuoted)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      constexpr char kDigits[] = "0123456789abcdef";
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      out += c;
    }
  }
  return out + (text.size() > kLongestQuoted ? "...'" : "'");
}

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

std::string member_path(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

// Builds the document and stops at the first duplicate member, excess of depth or syntax error.
class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(std::string_view text, int max_depth) : text_(text), max_depth_(max_depth) {}
  json root;
  std::string fault_path, fault;
  int64_t fault_line = 0;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& /*raw*/) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(size_t /*elements*/) override { return open(json::object()); }
  bool start_array(size_t /*elements*/) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    key_ = name;
    if (!stack_.back()->contains(name)) return true;
    fault_path = path();
    fault = "duplicate field " + in_quotes(name);
    return false;
  }
  bool parse_error(size_t position, const std::string& /*token*/, const nlohmann::detail::exception& e) override {
    // The library's text begins with an id and its own position: "[json...] parse error at line 1, column 5: ..."
    std::string message = e.what();
    const size_t id_end = message.find("] ");
    if (id_end != std::string::npos) message.erase(0, id_end + 2);
    const size_t column = message.find(", column ");
    const size_t text_start = column == std::string::npos ? column : message.find(": ", column);
    if (text_start != std::string::npos) message.erase(0, text_start + 2);
    const std::string_view before = text_.substr(0, position == 0 ? 0 : position - 1);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const size_t newline = before.rfind('\n');
    const size_t in_line = before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
    for (char& c : message) c = static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
    fault_line = line;
    fault = "line " + std::to_string(line) + ", column " + std::to_string(in_line) +
            ": not valid JSON: " + message.substr(0, 300);
    return false;
  }

 private:
  json* place(json value) {
    if (stack_.empty()) {
      root = std::move(value);
      return &root;
    }
    json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    json& member = parent[key_];
    member = std::move(value);
    return &member;
  }
  bool add(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json value) {
    if (stack_.size() >= static_cast<size_t>(max_depth_)) {
      fault = "more than " + std::to_string(max_depth_) + " objects and arrays inside one another";
      return false;
    }
    keys_.push_back(key_);
    stack_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    stack_.pop_back();
    keys_.pop_back();
    return true;
  }
  // Of the object or array being read.
  std::string path() const {
    std::string out;
    for (size_t i = 1; i < stack_.size(); ++i) {
      const json& parent = *stack_[i - 1];
      if (parent.is_array()) {
        out += '[';
        out += std::to_string(parent.size() - 1);
        out += ']';
      } else {
        out = member_path(out, keys_[i]);
      }
    }
    return out;
  }

  std::string_view text_;
  int max_depth_;
  std::vector<json*> stack_;  // containers being read; a parent does not grow while its child is open
  std::vector<std::string> keys_;
  std::string key_;
};

const json& value_at(const void* value) { return *static_cast<const json*>(value); }

// Finds where in a text that is known to be JSON a value begins.
class LineFinder {
 public:
  explicit LineFinder(std::string_view text) : text_(text) {}
  // 0 where there is no such value.
  int64_t line_of(const std::string& path) {
    wanted_ = path;
    value("");
    return found_;
  }

 private:
  [[nodiscard]] char at() const { return i_ < text_.size() ? text_[i_] : '\0'; }
  void blanks() {
    for (; i_ < text_.size() && std::string_view(" \t\r\n,:").find(text_[i_]) != std::string_view::npos; ++i_) {
      if (text_[i_] == '\n') ++line_;
    }
  }
  std::string_view quoted() {
    const size_t begin = ++i_;
    while (i_ < text_.size() && text_[i_] != '"') i_ += text_[i_] == '\\' ? 2 : 1;
    return text_.substr(begin, i_++ - begin);
  }
  void value(const std::string& path) {
    blanks();
    if (path == wanted_) found_ = line_;
    if (found_ != 0 || i_ >= text_.size()) return;
    if (at() == '"') {
      quoted();
    } else if (at() == '{' || at() == '[') {
      container(path, at() == '{');
    } else {
      while (i_ < text_.size() && std::string_view(" \t\r\n,]}").find(text_[i_]) == std::string_view::npos) ++i_;
    }
  }
  void container(const std::string& path, bool object) {
    ++i_;
    size_t index = 0;
    for (blanks(); i_ < text_.size() && at() != '}' && at() != ']' && found_ == 0; blanks()) {
      value(object ? member_path(path, std::string(quoted())) : path + "[" + std::to_string(index++) + "]");
    }
    ++i_;
  }

  std::string_view text_;
  std::string wanted_;
  size_t i_ = 0;
  int64_t line_ = 1, found_ = 0;
};

}  // namespace

struct JsonInput::Document {
  Document() : root(nullptr) {}
  json root;
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
  Builder builder(text, limits.max_depth);
  if (json::sax_parse(text.begin(), text.end(), &builder)) {
    document_->root = std::move(builder.root);
  } else {
    const std::string place = builder.fault_path.empty() ? "" : builder.fault_path + ": ";
    // Broken text has no values to look a line up by.
    text_.clear();
    add_fault(builder.fault_line, place + builder.fault);
  }
}

JsonInput::~JsonInput() = default;

JsonNode JsonInput::root() { return {this, ok() ? &document_->root : nullptr, ""}; }

void JsonInput::fail(const std::string& path, const std::string& message, const std::string& at) {
  if (error_.faults.size() >= kMaxFaults) return;
  add_fault(LineFinder(text_).line_of(at), (path.empty() ? "" : path + ": ") + message);
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
  fields(std::vector<std::string>(known.begin(), known.end()));
}

void JsonNode::fields(const std::vector<std::string>& known) const {
  if (!present()) return;
  if (!is_object()) return fail_expected("an object");
  for (const auto& [name, value] : value_at(value_).items()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    input_->fail(path_, "unknown field " + in_quotes(name) + suggestion(name, known), member_path(path_, name));
  }
}

bool JsonNode::has(const char* name) const {
  return is_object() && value_at(value_).contains(name) && !value_at(value_)[name].is_null();
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
    fail("expected " + std::to_string(min) + " to " + std::to_string(max) + " elements, found " +
         std::to_string(value.size()));
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

std::string JsonNode::canonical() const { return present() ? value_at(value_).dump() : "null"; }

std::string JsonNode::canonical_without(const char* name) const {
  if (!is_object()) return canonical();
  std::string out = "{";
  for (const auto& [key, value] : value_at(value_).items()) {
    if (key == name) continue;
    if (out.size() > 1) out += ',';
    out += json(key).dump() + ":" + value.dump();
  }
  return out + "}";
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
