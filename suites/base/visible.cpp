#include "suites/base/visible.h"

#include <algorithm>
#include <cstdint>

namespace assay {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr uint32_t kNoCharacter = UINT32_MAX;

unsigned byte_at(std::string_view text, size_t i) { return static_cast<unsigned char>(text[i]); }

// The character that begins there and how many bytes it has; kNoCharacter of one byte where it is no UTF-8.
uint32_t character_at(std::string_view text, size_t at, size_t* bytes) {
  const unsigned first = byte_at(text, at);
  *bytes = 1;
  if (first < 0x80) return first;
  const size_t length = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length == 0 || first >= 0xf5 || at + length > text.size()) return kNoCharacter;
  uint32_t character = first & (0xffU >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte_at(text, at + i) & 0xc0U) != 0x80U) return kNoCharacter;
    character = character << 6 | (byte_at(text, at + i) & 0x3fU);
  }
  *bytes = length;
  return character;
}

// C1 controls, DEL, line and paragraph separators, and what turns the direction of a line.
bool is_hidden(uint32_t c) {
  return (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void append_byte(unsigned byte, std::string* out) { *out += {'\\', 'x', kHexDigits[byte >> 4], kHexDigits[byte & 15]}; }

void append_character(uint32_t c, std::string* out) {
  *out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) *out += kHexDigits[c >> shift & 15U];
}

// Text without any of them is the rule.
bool plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

template <typename OfControl>
std::string shown(std::string_view text, const OfControl& of_control) {
  if (plain(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0, bytes = 0; at < text.size(); at += bytes) {
    const uint32_t c = character_at(text, at, &bytes);
    if (c == kNoCharacter) {
      append_byte(byte_at(text, at), &out);
    } else if (c < 0x20) {
      of_control(at, &out);
    } else if (is_hidden(c)) {
      append_character(c, &out);
    } else {
      out += text.substr(at, bytes);
    }
  }
  return out;
}

}  // namespace

std::string visible(std::string_view text) {
  return shown(text, [&](size_t at, std::string* out) {
    if (text[at] == '\n' || text[at] == '\t') {
      *out += ' ';
    } else {
      append_byte(byte_at(text, at), out);
    }
  });
}

std::string visible_lines(std::string_view text) {
  return shown(text, [&](size_t at, std::string* out) {
    const char c = text[at];
    if (c == '\n' || c == '\t' || (c == '\r' && text.substr(at + 1, 1) == "\n")) {
      *out += c;
    } else {
      append_byte(byte_at(text, at), out);
    }
  });
}

std::string visible_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (size_t at = 0, bytes = 0; at < json.size(); at += bytes) {
    const uint32_t c = character_at(json, at, &bytes);
    if (c == '\\') {
      // An escape: \u and four digits, or one more character.
      bytes = std::min<size_t>(json.substr(at + 1, 1) == "u" ? 6 : 2, json.size() - at);
      const std::string_view escape = json.substr(at, bytes);
      if (escape.substr(0, 5) == "\\u000" || escape.substr(0, 5) == "\\u001") {
        out.append("\\\\x").append(escape.substr(4));
      } else {
        if (escape == "\\b" || escape == "\\f" || escape == "\\r") out += '\\';
        out += escape;
      }
    } else if (c != kNoCharacter && is_hidden(c)) {
      out += '\\';
      append_character(c, &out);
    } else {
      out += json.substr(at, bytes);
    }
  }
  return out;
}

}  // namespace assay
