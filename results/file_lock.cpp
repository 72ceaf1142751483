#include "results/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <system_error>
#include <utility>

namespace assay {
namespace {

namespace fs = std::filesystem;

// The disk's fault, or the place that was asked for.
Error lock_error(const fs::path& file, int code) {
  const bool place = code == ENOENT || code == ENOTDIR || code == EACCES || code == EROFS || code == ENAMETOOLONG;
  return {place ? ErrorKind::kBadInput : ErrorKind::kIo,
          file.string() + ": can't be created: " + std::generic_category().message(code)};
}

std::string holder_of(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t n = ::pread(descriptor, text.data(), text.size(), 0);
  std::string digits(text.data(), n > 0 ? static_cast<size_t>(n) : 0);
  while (!digits.empty() && digits.back() == '\n') digits.pop_back();
  const bool number = !digits.empty() &&
                      std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  return number ? "process " + digits : "another process";
}

// Whether the name still means this file: the one who held the lock before removes it.
bool is_at(const fs::path& file, int descriptor) {
  struct stat named {
  }, open{};
  return ::stat(file.c_str(), &named) == 0 && ::fstat(descriptor, &open) == 0 && named.st_ino == open.st_ino &&
         named.st_dev == open.st_dev;
}

}  // namespace

FileLock::FileLock(fs::path file, int descriptor) : file_(std::move(file)), descriptor_(descriptor) {}
FileLock::FileLock(FileLock&& other) noexcept
    : file_(std::move(other.file_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  ::unlink(file_.c_str());  // while it is held, so that nobody takes it by a name that is gone
  ::close(descriptor_);
}

Result<std::optional<FileLock>> FileLock::try_take(const fs::path& file, std::string* holder) {
  for (;;) {
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) return lock_error(file, errno);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int code = errno;
      if (code == EWOULDBLOCK) {
        *holder = holder_of(descriptor);
        ::close(descriptor);
        return std::optional<FileLock>();
      }
      // A file system without locks: the work goes on, as it can't be told who else is there.
      if (code != ENOLCK && code != ENOSYS && code != EOPNOTSUPP) {
        ::close(descriptor);
        return lock_error(file, code);
      }
    }
    if (!is_at(file, descriptor)) {
      ::close(descriptor);
      continue;
    }
    const std::string number = std::to_string(::getpid()) + "\n";
    const bool told = ::ftruncate(descriptor, 0) == 0 && ::pwrite(descriptor, number.data(), number.size(), 0) > 0;
    (void)told;  // on a full disk it holds all the same
    return std::optional<FileLock>(FileLock(file, descriptor));
  }
}

}  // namespace assay
