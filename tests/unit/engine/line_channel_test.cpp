// Whole lines out of whatever portions the kernel gives, and an end to lines that have none.
#include "harness/run/line_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace assay {
namespace {

using testing::HasSubstr;
using Wait = LineChannel::Wait;

class Channel : public testing::Test {
 protected:
  Channel() {
    std::array<int, 2> ends{-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    channel_ = std::make_unique<LineChannel>(ends[0], 1000);
    peer_ = ends[1];
  }
  ~Channel() override { hang_up(); }
  void say(const std::string& text) const {
    ASSERT_EQ(::send(peer_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  void hang_up() {
    if (peer_ >= 0) ::close(peer_);
    peer_ = -1;
  }
  std::optional<std::string> next(Wait wait = Wait::kPoll) const {
    Result<std::optional<std::string>> line = channel_->receive(wait);
    EXPECT_TRUE(line.ok()) << line.error().message;
    return line.ok() ? *line : std::nullopt;
  }

  std::unique_ptr<LineChannel> channel_;
  int peer_ = -1;
};

TEST_F(Channel, APartIsNoLine) {
  EXPECT_EQ(next(), std::nullopt);
  say("one");
  EXPECT_EQ(next(), std::nullopt);
  say(" line\n");
  EXPECT_EQ(next(), "one line");
  EXPECT_EQ(next(), std::nullopt);
  EXPECT_FALSE(channel_->closed());
}

TEST_F(Channel, SeveralLinesInOnePortionComeOneByOne) {
  say("a\n\nb\nrest");
  EXPECT_EQ(next(), "a");
  EXPECT_EQ(next(), "");
  EXPECT_EQ(next(), "b");
  EXPECT_EQ(next(), std::nullopt);
  say("\n");
  EXPECT_EQ(next(), "rest");
}

TEST_F(Channel, BytesOfAnyKindPass) {
  const std::string line("\0\xff{\r", 4);
  say(line + "\n");
  EXPECT_EQ(next(), line);
}

TEST_F(Channel, AnUnfinishedLineGoesWithTheStream) {
  say("whole\nunfinished");
  hang_up();
  EXPECT_EQ(next(Wait::kBlock), "whole");
  EXPECT_EQ(next(Wait::kBlock), std::nullopt);
  EXPECT_TRUE(channel_->closed());
}

TEST_F(Channel, ALineWithoutEndIsAnError) {
  say(std::string(1001, 'x'));
  const auto line = channel_->receive(Wait::kPoll);
  ASSERT_FALSE(line.ok());
  EXPECT_THAT(line.error().message, HasSubstr("line longer than 1000 bytes"));
  EXPECT_THAT(channel_->send(std::string(1001, 'x')).error().message, HasSubstr("at most 1000 are sent"));
}

TEST_F(Channel, SendingToOneWhoHasGoneIsAnErrorAndNoSignal) {
  hang_up();
  const Status sent = channel_->send("hello");
  ASSERT_FALSE(sent.ok());
  EXPECT_EQ(sent.error().kind, ErrorKind::kIo);
}

// Far more than the socket's buffer holds.
TEST(ChannelPair, AMegabyteGoesThroughWhole) {
  std::array<int, 2> ends{-1, -1};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  LineChannel a(ends[0], 2 << 20);
  LineChannel b(ends[1], 2 << 20);
  std::string sent;
  while (sent.size() < 1 << 20) sent += std::to_string(sent.size()) + " ";
  std::thread sender([&] { EXPECT_TRUE(a.send(sent).ok()); });
  const auto line = b.receive(Wait::kBlock);
  sender.join();
  ASSERT_TRUE(line.ok() && line->has_value());
  EXPECT_TRUE(**line == sent);
}

}  // namespace
}  // namespace assay
