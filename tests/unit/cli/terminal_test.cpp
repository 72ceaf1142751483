// Text for a terminal: widths count characters, nothing is cut inside one, and a table fits where it can.
#include "harness/cli/terminal.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Text, WidthIsInCharacters) {
  EXPECT_EQ(display_width(""), 0u);
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("é–…"), 3u);
}

TEST(Text, IsCutBetweenCharacters) {
  EXPECT_EQ(cut_to("abc", 3), "abc");
  EXPECT_EQ(cut_to("abcd", 3), "ab…");
  EXPECT_EQ(cut_to("éééé", 3), "éé…");
  EXPECT_EQ(cut_to("abcd", 1), "…");
  EXPECT_EQ(cut_to("abcd", 0), "");
}

TEST(Text, IsWrappedAtBlanks) {
  EXPECT_THAT(wrap("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrap("extraordinary word", 5), ElementsAre("extraordinary", "word"));
  EXPECT_THAT(wrap("", 5), ElementsAre(""));
}

// Colours are of the table, never of what stands in it.
TEST(Table, ShowsWhatATerminalWouldActOn) {
  TextTable table({"name", "note"});
  table.row({"\x1b[32mgood", "one\x1b[2J\ntwo"}, Mark::kBad);
  EXPECT_EQ(table.render({}), "name          note\n\\x1b[32mgood  one\\x1b[2J two\n");
  EXPECT_EQ(table.render({0, true}),
            "\033[1mname          \033[0mnote\n\033[31m\\x1b[32mgood  \033[0mone\\x1b[2J two\n");
}

TEST(Output, ShowsWhatATerminalWouldActOn) {
  testing::internal::CaptureStdout();
  put_text("a\x1b[2Jb\n");
  put_table("\x1b]0;title\x07 c\r\n");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "a\\x1b[2Jb\n\\x1b]0;title\\x07 c\r\n");
  testing::internal::CaptureStderr();
  put_note("d\x1b[1me");
  put_progress("f\ng\x1b[K");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "d\\x1b[1me\n\rf g\\x1b[K\033[K");
}

TEST(Table, AlignsAndWrapsItsLastColumn) {
  TextTable table({"name", "n", "note"});
  table.align_right(1);
  table.row({"a", "5", "short"});
  table.row({"long name", "1234", "a note of several words that has to be wrapped somewhere"});
  TableOptions wide;
  EXPECT_EQ(table.render(wide),
            "name          n  note\n"
            "a             5  short\n"
            "long name  1234  a note of several words that has to be wrapped somewhere\n");
  TableOptions narrow;
  narrow.width = 45;  // 17 for the first two, 28 for the last
  EXPECT_EQ(table.render(narrow),
            "name          n  note\n"
            "a             5  short\n"
            "long name  1234  a note of several words that\n"
            "                 has to be wrapped somewhere\n");
  narrow.width = 40;  // 23 are left for the last, under its least of 24: it goes below
  EXPECT_EQ(table.render(narrow),
            "name          n\n"
            "           note\n"
            "a             5\n"
            "           short\n"
            "long name  1234\n"
            "           a note of several words that\n"
            "           has to be wrapped somewhere\n");
}

TEST(Table, ColourOnlyWhereItIsWelcome) {
  TextTable table({"state"});
  table.row({"bad"}, Mark::kBad);
  TableOptions options;
  EXPECT_THAT(table.render(options), Not(HasSubstr("\033")));
}

TEST(Terminal, AFileIsNone) {
  const int fd = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  EXPECT_FALSE(is_terminal(fd));
  EXPECT_EQ(terminal_width(fd), 0);
  ::close(fd);
}

}  // namespace
}  // namespace assay
