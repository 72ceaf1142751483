#include "adapters/gpu/tuning.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

namespace assay::gpu {

std::string check_of(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  char out[20];
  std::snprintf(out, sizeof(out), "%016llx", static_cast<unsigned long long>(hash));
  return out;
}

namespace {

constexpr const char* kTitle =
    "# assay: fastest algorithms by timing; identity, shape, algorithm, workspace, ns, how many asked for, check";
constexpr size_t kFields = 7, kMostLines = 20000, kMostText = 4096, kMostWords = 64;
constexpr uint64_t kMostWorkspace = uint64_t{1} << 40;

// A line is one record: what separates fields and lines may not stand in them.
std::string plain(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return text;
}

template <typename T, typename... Base>
bool parsed(const std::string& text, T* out, Base... base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out, base...);
  return error == std::errc() && end == text.data() + text.size();
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> out{""};
  for (const char c : line) {
    if (c == '\t') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

std::optional<Tuned> tuned_of(const std::vector<std::string>& fields) {
  Tuned out;
  const std::string& words = fields[2];
  if (words.empty() || words.size() % 16 != 0 || words.size() / 16 > kMostWords) return std::nullopt;
  for (size_t at = 0; at < words.size(); at += 16) {
    out.algorithm.push_back(0);
    if (!parsed(words.substr(at, 16), &out.algorithm.back(), 16)) return std::nullopt;
  }
  if (!parsed(fields[3], &out.workspace) || out.workspace > kMostWorkspace) return std::nullopt;
  if (!parsed(fields[4], &out.ns) || !(out.ns > 0) || !std::isfinite(out.ns)) return std::nullopt;
  if (!parsed(fields[5], &out.candidates)) return std::nullopt;
  return out;
}

std::string line_of(const std::string& key, const Tuned& tuned) {
  std::string out = key + "\t";
  char text[64];
  for (const uint64_t word : tuned.algorithm) {
    std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(word));
    out += text;
  }
  std::snprintf(text, sizeof(text), "\t%llu\t%.0f\t%u\t", static_cast<unsigned long long>(tuned.workspace), tuned.ns,
                tuned.candidates);
  out += text;
  return out + check_of(out) + "\n";
}

// Held by one writer at a time: the folder itself is locked, which leaves no file behind. Where a file system has no
// locks nothing is held; the rename still keeps the file whole.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder) : fd_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (fd_ >= 0) flock(fd_, LOCK_EX);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  int fd_;
};

}  // namespace

TuningFile::TuningFile(std::string path, std::string identity, size_t words)
    : path_(std::move(path)), identity_(plain(std::move(identity))), words_(words) {
  Contents contents = read();
  unreadable_ = contents.unreadable;
  foreign_ = contents.foreign;
  for (auto& [key, tuned] : contents.lines) {
    const size_t tab = key.find('\t');
    if (key.substr(0, tab) == identity_) known_.emplace(key.substr(tab + 1), std::move(tuned));
  }
}

TuningFile::Contents TuningFile::read() const {
  Contents out;
  std::ifstream file(path_.empty() ? "/dev/null" : path_);
  std::string line;
  for (size_t n = 0; n < kMostLines && std::getline(file, line); ++n) {
    if (line.empty() || line.front() == '#') continue;
    const std::vector<std::string> fields = split(line);
    std::optional<Tuned> tuned;
    if (line.size() <= kMostText && fields.size() == kFields && !fields[0].empty() && !fields[1].empty() &&
        check_of(line.substr(0, line.rfind('\t') + 1)) == fields.back()) {
      tuned = tuned_of(fields);
    }
    if (tuned && fields[0] == identity_ && tuned->algorithm.size() != words_) tuned.reset();
    if (!tuned) {
      ++out.unreadable;
      continue;
    }
    out.foreign += fields[0] == identity_ ? 0 : 1;
    out.lines[fields[0] + "\t" + fields[1]] = *tuned;
  }
  return out;
}

const Tuned* TuningFile::find(const std::string& shape) const {
  const auto found = known_.find(shape);
  return found == known_.end() ? nullptr : &found->second;
}

std::string TuningFile::keep(const std::string& shape, const Tuned& tuned) {
  known_[shape] = tuned;
  if (path_.empty()) return "";
  std::error_code error;
  const std::filesystem::path path(path_);
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  const FolderLock held(path.has_parent_path() ? path.parent_path().string() : ".");
  Lines lines = read().lines;
  for (const auto& [name, known] : known_) lines.emplace(identity_ + "\t" + name, known);
  lines[identity_ + "\t" + shape] = tuned;
  const std::string fresh = path_ + "." + std::to_string(getpid()) + "." + std::to_string(gettid());
  {
    std::ofstream file(fresh, std::ios::trunc);
    file << kTitle << "\n";
    for (const auto& [key, known] : lines) file << line_of(key, known);
    file.flush();
    if (!file) {
      std::string why = path_ + " can't be written: " + std::strerror(errno);
      std::filesystem::remove(fresh, error);
      return why;
    }
  }
  std::filesystem::rename(fresh, path, error);
  if (!error) return "";
  std::string why = path_ + " can't be written: " + error.message();
  std::filesystem::remove(fresh, error);
  return why;
}

std::string TuningFile::complaint() const {
  if (unreadable_ == 0) return "";
  return path_ + ": lines that can't be read, ignored: " + std::to_string(unreadable_);
}

std::string TuningFile::others() const {
  if (foreign_ == 0) return "";
  return path_ + ": lines of another device, driver or library, ignored: " + std::to_string(foreign_);
}

}  // namespace assay::gpu
