// JSON lines over a socket: whole lines in, whole lines out, whatever the kernel's portions are.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "suites/base/result.h"

namespace assay {

// Owns the descriptor. One thread at a time.
class LineChannel {
 public:
  // A line longer than `max_line_bytes` is an error, so that a broken peer can't fill the memory.
  LineChannel(int fd, size_t max_line_bytes);
  ~LineChannel();
  LineChannel(const LineChannel&) = delete;
  LineChannel& operator=(const LineChannel&) = delete;

  // Sends `line` (without a line feed in it) and a line feed; waits while the peer's buffer is full.
  Status send(const std::string& line);

  enum class Wait { kBlock, kPoll };
  // The next line without its line feed; nullopt with `closed()` at the end of the stream, nullopt without it when
  // nothing is there yet (kPoll). An unfinished last line is dropped with the stream.
  Result<std::optional<std::string>> receive(Wait wait);
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] int fd() const { return fd_; }
  void close();

 private:
  Result<bool> fill(Wait wait);  // false: nothing to read now, or closed

  int fd_;
  size_t max_line_bytes_;
  bool closed_ = false;
  size_t searched_ = 0;  // bytes of buffer_ known to hold no line feed
  std::string buffer_;
};

}  // namespace assay
