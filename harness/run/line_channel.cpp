#include "harness/run/line_channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace assay {
namespace {

Error io_error(const char* call) {
  return {ErrorKind::kIo, std::string(call) + " on the worker's socket: " + std::strerror(errno)};
}

}  // namespace

LineChannel::LineChannel(int fd, size_t max_line_bytes) : fd_(fd), max_line_bytes_(max_line_bytes) {}

LineChannel::~LineChannel() { close(); }

void LineChannel::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  closed_ = true;
}

Status LineChannel::send(const std::string& line) {
  if (line.size() > max_line_bytes_) {
    return Error{ErrorKind::kIo, "message of " + std::to_string(line.size()) + " bytes, at most " +
                                     std::to_string(max_line_bytes_) + " are sent"};
  }
  const std::string text = line + '\n';
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = ::send(fd_, text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (n >= 0) {
      done += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, -1) < 0 && errno != EINTR) return io_error("poll");
    } else if (errno != EINTR) {
      return io_error("send");
    }
  }
  return ok_status();
}

Result<bool> LineChannel::fill(Wait wait) {
  std::array<char, 65536> portion{};
  const int flags = wait == Wait::kPoll ? MSG_DONTWAIT : 0;
  while (true) {
    const ssize_t n = ::recv(fd_, portion.data(), portion.size(), flags);
    if (n > 0) {
      buffer_.append(portion.data(), static_cast<size_t>(n));
      return true;
    }
    if (n == 0 || errno == ECONNRESET) {
      closed_ = true;
      return false;
    }
    if (errno == EAGAIN && wait == Wait::kPoll) return false;
    if (errno != EINTR && errno != EAGAIN) return io_error("recv");
  }
}

Result<std::optional<std::string>> LineChannel::receive(Wait wait) {
  while (true) {
    const size_t end = buffer_.find('\n', searched_);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      searched_ = 0;
      return std::optional<std::string>(std::move(line));
    }
    searched_ = buffer_.size();
    if (buffer_.size() > max_line_bytes_) {
      return Error{ErrorKind::kIo, "line longer than " + std::to_string(max_line_bytes_) + " bytes"};
    }
    if (closed_) return std::optional<std::string>();
    Result<bool> got = fill(wait);
    if (!got.ok()) return got.error();
    if (!*got) return std::optional<std::string>();
  }
}

}  // namespace assay
