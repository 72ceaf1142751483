// What a terminal would act on, or a reader could not see, is shown; everything else stays as it is.
#include "suites/base/visible.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace assay {
namespace {

TEST(Visible, PlainTextStaysAsItIs) {
  for (const char* text : {"", "NVIDIA H200", "a | b <c> `d` \\x", "某卡 – é 🙂", "\u200d"}) {
    EXPECT_EQ(visible(text), text);
    EXPECT_EQ(visible_lines(text), text);
  }
}

TEST(Visible, ControlCharactersAreShown) {
  EXPECT_EQ(visible("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m");
  EXPECT_EQ(visible("a\x7f\u009b2J"), "a\\u007f\\u009b2J") << "DEL, and CSI as one character";
  EXPECT_EQ(visible("a\u202eb\u2066c\u2028d"), "a\\u202eb\\u2066c\\u2028d");
  EXPECT_EQ(visible(std::string("a\0b", 3)), "a\\x00b");
}

// 0x9b alone is CSI to a terminal of eight bits; c0 80 and ed... are no shortest or whole forms.
TEST(Visible, BytesThatAreNoUtf8AreShown) {
  EXPECT_EQ(visible("a\x9b"
                    "b"),
            "a\\x9bb");
  EXPECT_EQ(visible("\xc0\x80"), "\\xc0\\x80");
  EXPECT_EQ(visible("\xe6\x9f"), "\\xe6\\x9f");
  EXPECT_EQ(visible("\xff\xf5"), "\\xff\\xf5");
}

TEST(Visible, LinesEndOnlyWhereTheyMay) {
  EXPECT_EQ(visible("a\nb\tc\rd"), "a b c\\x0dd");
  EXPECT_EQ(visible_lines("a\nb\tc\r\nd\re\r"), "a\nb\tc\r\nd\\x0de\\x0d");
}

TEST(Visible, JsonIsShownWithinItsStringsAndStaysJson) {
  const nlohmann::json original = {{"esc", "\x1b[2J"}, {"back", "\\u001b"}, {"lines", "a\nb\r\b\x7f\u202e"}};
  const nlohmann::json shown = nlohmann::json::parse(visible_json(original.dump()));
  EXPECT_EQ(shown.at("esc"), "\\x1b[2J");
  EXPECT_EQ(shown.at("back"), "\\u001b") << "a backslash and letters, as it was";
  EXPECT_EQ(shown.at("lines"), "a\nb\\r\\b\\u007f\\u202e");
}

// JSON on a terminal means what it said.
TEST(Visible, LinesOfJsonKeepTheirMeaning) {
  const nlohmann::json original = {{"text", "\x1b\x7f\u009b\u202e\n某"}};
  EXPECT_EQ(nlohmann::json::parse(visible_lines(original.dump(2))), original);
}

}  // namespace
}  // namespace assay
