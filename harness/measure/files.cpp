#include "harness/measure/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace assay {
namespace {

constexpr size_t kMaxFileBytes = 16u << 20;  // /proc/stat of a large machine is below 1 MiB
constexpr int kMaxListedCpus = 1 << 16;

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0'; }

Error cannot_read(std::string_view relative, int error) {
  const std::string path = "/" + std::string(relative);
  if (error == ENOENT || error == ENOTDIR) return {ErrorKind::kUnsupported, "no " + path};
  return {ErrorKind::kIo, path + ": " + std::strerror(error)};
}

}  // namespace

std::filesystem::path below(const SystemRoot& root, std::string_view relative) { return root.root / relative; }

Result<std::string> read_text(const SystemRoot& root, std::string_view relative) {
  const Descriptor file{open(below(root, relative).c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return cannot_read(relative, errno);
  std::string text;
  char buffer[8192];
  while (text.size() < kMaxFileBytes) {
    const ssize_t n = read(file.fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cannot_read(relative, errno);
    if (n == 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  while (!text.empty() && is_space(text.back())) text.pop_back();
  return text;
}

std::optional<uint64_t> parse_u64(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end || text.empty()) return std::nullopt;
  return value;
}

Result<uint64_t> read_u64(const SystemRoot& root, std::string_view relative) {
  const Result<std::string> text = read_text(root, relative);
  if (!text) return text.error();
  const std::optional<uint64_t> value = parse_u64(*text);
  if (!value) {
    return Error{ErrorKind::kIo,
                 "/" + std::string(relative) + ": expected a number, found '" + text->substr(0, 40) + "'"};
  }
  return *value;
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
      continue;
    }
    const size_t begin = at;
    while (at < text.size() && !is_space(text[at])) ++at;
    words.emplace_back(text.substr(begin, at - begin));
  }
  return words;
}

std::optional<std::vector<int>> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    const std::string_view part = text.substr(at, end - at);
    const size_t dash = part.find('-');
    const auto low = parse_u64(part.substr(0, dash));
    const auto high = dash == std::string_view::npos ? low : parse_u64(part.substr(dash + 1));
    if (!low || !high || *low > *high || *high >= kMaxListedCpus) return std::nullopt;
    for (uint64_t cpu = *low; cpu <= *high; ++cpu) cpus.push_back(static_cast<int>(cpu));
    at = end + 1;
  }
  return cpus;
}

}  // namespace assay
