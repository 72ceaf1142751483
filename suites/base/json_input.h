// Checked reading of a JSON file that a user or another program wrote. Used by every file format.
//
//   JsonInput input(text, "my-suite.json");
//   JsonNode root = input.root();
//   root.fields({"name", "batch"});                       // an object with no other members
//   suite.name = root.at("name").text();
//   for (JsonNode item : root.at("batch").items()) suite.batch.push_back(item.integer(1, 4096));
//   if (!input.ok()) return input.error();
//
// A fault (kind kBadInput; "my-suite.json: batch[2]: expected ..., found ...") makes its read give a harmless default,
// so a parser needs one check at its end, and its error then lists every fault with its line. Nothing throws.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "suites/base/result.h"

namespace assay {

struct JsonLimits {
  size_t max_bytes = size_t{256} << 20;  // of the text
  int max_depth = 32;                    // objects and arrays inside one another
};

class JsonInput;

// A place in the document, present or not. Cheap to copy; valid while its JsonInput lives.
class JsonNode {
 public:
  [[nodiscard]] bool present() const { return value_ != nullptr; }
  [[nodiscard]] bool is_object() const;
  [[nodiscard]] bool is_text() const;
  // "file: field[2].sub"; for errors of the caller's own.
  [[nodiscard]] std::string where() const;

  // Demands an object; a member that is not listed is an error that suggests the nearest listed one.
  void fields(std::initializer_list<const char*> known) const;
  void fields(const std::vector<std::string>& known) const;
  [[nodiscard]] bool has(const char* name) const;       // the member is there and not null
  [[nodiscard]] JsonNode at(const char* name) const;    // a missing member is an error
  [[nodiscard]] JsonNode find(const char* name) const;  // a missing or null member is an absent node
  [[nodiscard]] std::vector<JsonNode> items(size_t min = 0, size_t max = SIZE_MAX) const;  // elements of an array
  [[nodiscard]] std::vector<std::pair<std::string, JsonNode>> members() const;             // of an object, by name

  // Bounds are inclusive. On a fault: the lower bound, "", false.
  [[nodiscard]] int64_t integer(int64_t min = INT64_MIN, int64_t max = INT64_MAX) const;
  [[nodiscard]] uint64_t unsigned_integer(uint64_t max = UINT64_MAX) const;
  [[nodiscard]] double number(double min, double max) const;
  [[nodiscard]] double number() const;  // any finite value
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] std::string text(size_t max_length = 4096) const;  // bytes of UTF-8; may be empty
  [[nodiscard]] std::string text_of(const std::vector<std::string>& allowed) const;
  [[nodiscard]] std::string text_of(std::initializer_list<const char*> allowed) const;
  [[nodiscard]] std::string canonical() const;  // JSON with sorted keys and no spaces
  // The same of an object that has no member `name`.
  [[nodiscard]] std::string canonical_without(const char* name) const;

  // The caller's own fault at this place: "where: message".
  void fail(const std::string& message) const;
  // Of the whole document so far: a caller that compares it before and after knows whether what it read is sound.
  [[nodiscard]] size_t fault_count() const;
  // "where: expected <what>, found <this value>".
  void fail_expected(const std::string& what) const;

 private:
  friend class JsonInput;
  JsonNode(JsonInput* input, const void* value, std::string path)
      : input_(input), value_(value), path_(std::move(path)) {}
  JsonInput* input_;
  const void* value_;  // nlohmann::json, or nullptr
  std::string path_;   // "quick.batch[2]"
};

class JsonInput {
 public:
  // `where` names the text in messages. Invalid JSON gives line and column; a duplicate member (the first is kept), a
  // text or a depth beyond the limits is a fault too.
  JsonInput(std::string_view text, std::string where, JsonLimits limits = {});
  ~JsonInput();
  JsonInput(const JsonInput&) = delete;
  JsonInput& operator=(const JsonInput&) = delete;

  [[nodiscard]] JsonNode root();  // absent if the text is not JSON
  [[nodiscard]] bool ok() const { return error_.message.empty(); }
  // The first fault as the message, all of them (at most 100) in order of their lines in `faults`.
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  friend class JsonNode;
  struct Document;
  // `at`: the path whose line is named.
  void fail(const std::string& path, const std::string& message, const std::string& at);
  void add_fault(int64_t line, const std::string& message);
  std::string text_, where_;
  std::unique_ptr<Document> document_;
  Error error_;
};

// The same JSON with sorted keys and no spaces; an error if the text is not JSON.
Result<std::string> canonical_json(std::string_view text, const std::string& where);

// A whole regular file; an error (kBadInput) that says why it can't be read or is beyond `max_bytes`.
Result<std::string> read_text_file(const std::string& path, size_t max_bytes = size_t{256} << 20);

}  // namespace assay
