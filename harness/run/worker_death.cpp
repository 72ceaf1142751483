#include "harness/run/worker_death.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "harness/run/layers.h"
#include "suites/base/visible.h"

namespace assay {
namespace {

constexpr double kCompileTimes = 10;

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal);
}

std::string how_it_ended(const WorkerEnd& end, bool in_adapter) {
  const std::string who = in_adapter ? "adapter" : "worker";
  if (end.killed_hung) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%s hung for %.3g s", who.c_str(), end.silent_s);
    return text.data();
  }
  if (end.killed_stop) return who + " did not stop when asked and was killed";
  if (!end.garbled.empty()) return "worker answered nonsense (" + end.garbled + ") and was killed";
  if (!end.known) return who + " died";
  if (WIFSIGNALED(end.wait_status)) {
    const int signal = WTERMSIG(end.wait_status);
    std::string text = who + " died with " + signal_name(signal);
    if (signal == SIGABRT) text += " (abort)";
    if (signal == SIGKILL) text += " (not by the harness: most likely the kernel, out of memory)";
    return text;
  }
  return who + " ended the process with exit code " + std::to_string(WEXITSTATUS(end.wait_status));
}

}  // namespace

std::string page_call(const SharedPage& page) {
  switch (page.in_adapter.load(std::memory_order_relaxed)) {
    case kInLastCall:
      return {page.last_call, strnlen(page.last_call, sizeof(page.last_call))};
    case kInSubmit:
      return "program.submit";
    case kInWait:
      return "program.wait";
    default:
      return "";
  }
}

double patience_s(const SharedPage& page, double hang_timeout_s) {
  const std::string call = page_call(page);
  const bool compiles = call == "open" || call == "program.supports" || call == "program.prepare";
  return hang_timeout_s * (compiles ? kCompileTimes : 1);
}

std::string death_reason(const WorkerEnd& end, const SharedPage& page, const std::string& tail) {
  const std::string call = page_call(page);
  std::string text = how_it_ended(end, !call.empty());
  if (!call.empty()) text += " in " + call;
  text += std::string(" (phase ") + phase_name(static_cast<Phase>(page.phase.load(std::memory_order_relaxed))) + ", " +
          std::to_string(page.steps.load(std::memory_order_relaxed)) + " steps)";
  const uint64_t planned = page.planned.load(std::memory_order_relaxed);
  if (planned > 0) text += ", " + bytes_text(planned) + " planned";
  if (!tail.empty()) text += "; it printed: " + tail;
  return text;
}

std::string output_tail(int fd, size_t max_bytes) {
  struct stat info {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0) return "";
  const auto size = static_cast<size_t>(info.st_size);
  const size_t first = size > max_bytes ? size - max_bytes : 0;
  std::string text(size - first, '\0');
  const ssize_t n = pread(fd, text.data(), text.size(), static_cast<off_t>(first));
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  const size_t line = text.find('\n');
  if (first > 0 && line != std::string::npos && line + 1 < text.size()) text.erase(0, line + 1);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return visible_lines(text);
}

}  // namespace assay
