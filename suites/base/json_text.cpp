#include "suites/base/json_text.h"

#include <algorithm>
#include <deque>
#include <vector>

#include "suites/base/visible.h"

namespace assay::json_text {
namespace {

using nlohmann::json;

constexpr size_t kLongestQuoted = 60, kMaxDuplicates = 100;

// Builds the document and stops at the first excess of depth or syntax error.
class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(std::string_view text, int max_depth) : text_(text), max_depth_(max_depth) {}
  json root;
  std::string fault;
  int64_t fault_line = 0;
  std::vector<std::pair<std::string, std::string>> duplicates;  // path of the object, name of the member

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
    keys_.back() = name;
    const auto [member, fresh] = stack_.back()->get_ref<json::object_t&>().try_emplace(name);
    member_ = &member->second;
    if (fresh) return true;
    if (duplicates.size() < kMaxDuplicates) duplicates.emplace_back(path(), name);
    member_ = &unused_.emplace_back();
    return true;
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
    *member_ = std::move(value);
    return member_;
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
    stack_.push_back(place(std::move(value)));
    keys_.emplace_back();
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
        out = member_path(out, keys_[i - 1]);
      }
    }
    return out;
  }

  std::string_view text_;
  int max_depth_;
  std::vector<json*> stack_;       // containers being read; a parent does not grow while its child is open
  std::vector<std::string> keys_;  // the member being read of each of them
  json* member_ = nullptr;         // its value
  std::deque<json> unused_;        // the values of duplicate members
};

// Finds where in a text that is known to be JSON a value begins.
class LineFinder {
 public:
  explicit LineFinder(std::string_view text) : text_(text) {}
  // 0 where there is no such value.
  int64_t line_of(const std::string& path, int nth) {
    wanted_ = path;
    left_ = nth;
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
    if (path == wanted_ && --left_ == 0) found_ = line_;
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
  int left_ = 1;
  size_t i_ = 0;
  int64_t line_ = 1, found_ = 0;
};

}  // namespace

// In single quotes; bytes that a terminal might act on are escaped; shortened.
std::string in_quotes(std::string_view text) {
  std::string out = "'" + visible(text.substr(0, kLongestQuoted));
  return out + (text.size() > kLongestQuoted ? "...'" : "'");
}

std::string member_path(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

JsonText read_json(std::string_view text, int max_depth) {
  Builder builder(text, max_depth);
  const bool whole = json::sax_parse(text.begin(), text.end(), &builder);
  std::vector<Fault> duplicates;
  for (const auto& [path, name] : builder.duplicates) {
    duplicates.push_back({line_of_value(text, member_path(path, name), 2),
                          (path.empty() ? "" : path + ": ") + "duplicate field " + in_quotes(name)});
  }
  if (!whole) return {nullptr, std::move(duplicates), builder.fault, builder.fault_line};
  return {std::move(builder.root), std::move(duplicates), "", 0};
}

int64_t line_of_value(std::string_view text, const std::string& path, int nth) {
  return LineFinder(text).line_of(path, nth);
}

}  // namespace assay::json_text
