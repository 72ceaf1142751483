#include "results/store/write_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <thread>

#include "results/file_lock.h"
#include "results/store/sqlite.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinks = 40;
constexpr auto kAskAgain = std::chrono::milliseconds(50);
constexpr auto kPatienceWithReaders = std::chrono::seconds(10);

// What a symlink means, also where nothing is there yet.
fs::path target_of(fs::path file) {
  std::error_code code;
  for (int i = 0; i < kMostLinks && fs::is_symlink(file, code); ++i) {
    const fs::path to = fs::read_symlink(file, code);
    file = to.is_absolute() ? to : file.parent_path() / to;
  }
  return file;
}

Result<FileLock> wait_for_turn(const fs::path& file, const StoreWriting& writing) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(writing.patience_s);
  for (;;) {
    std::string holder;
    Result<std::optional<FileLock>> lock = FileLock::try_take(file.string() + ".lock", &holder);
    if (!lock.ok()) return lock.error();
    if (*lock) return std::move(**lock);
    if (std::chrono::steady_clock::now() > end) {
      return Error{ErrorKind::kTimeout, file.string() + ": " + holder + " has been writing it for " +
                                            std::to_string(static_cast<int64_t>(writing.patience_s)) +
                                            " s; nothing was added"};
    }
    if (writing.waiting && !writing.waiting(holder)) return Error{ErrorKind::kTimeout, "stopped; nothing was added"};
    std::this_thread::sleep_for(kAskAgain);
  }
}

// A store of no records yet under a name that nobody else has, removed unless it takes its place.
class FreshFile {
 public:
  explicit FreshFile(const fs::path& target) : name_(target.string() + ".XXXXXX") {
    const int descriptor = mkostemp(name_.data(), O_CLOEXEC);
    made_ = descriptor >= 0;
    if (!made_) return;
    // mkstemp makes the file private; a store is as readable as the one it replaces, or any other new file.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    struct stat before {};
    const mode_t mode = ::stat(target.c_str(), &before) == 0 ? before.st_mode & 0777 : 0666 & ~mask;
    made_ = ::fchmod(descriptor, mode) == 0;
    ::close(descriptor);
  }
  ~FreshFile() {
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(name_ + suffix, ignored);
  }
  FreshFile(const FreshFile&) = delete;
  FreshFile& operator=(const FreshFile&) = delete;
  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
  bool made_ = false;
};

// Ends the WAL of the store that is replaced: what lay in it would be taken for the new one's. Waits for readers, as
// theirs would stay. One that can't be opened has none worth keeping.
Status end_wal(const fs::path& file) {
  if (is_store_file(file)) {
    Result<sqlite::Database> before = sqlite::Database::open(file, sqlite::Database::Mode::kCreate);
    const auto end = std::chrono::steady_clock::now() + kPatienceWithReaders;
    for (bool ended = !before.ok(); !ended; std::this_thread::sleep_for(kAskAgain)) {
      const Status done = before->execute("PRAGMA journal_mode = DELETE");
      ended = done.ok() || done.error().kind == ErrorKind::kBadInput;
      if (!ended && std::chrono::steady_clock::now() > end) {
        return Error{ErrorKind::kIo, done.error().message + ": somebody reads the store that is to be replaced"};
      }
    }
  }
  std::error_code code;
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(file.string() + suffix, code);
  return ok_status();
}

// Nothing but a store is replaced or added to: of anything else what it is.
Status check_target(const fs::path& file) {
  std::error_code code;
  const fs::file_status status = fs::status(file, code);
  std::string found;
  if (fs::is_directory(status)) {
    found = "a folder";
  } else if (fs::exists(status) && !fs::is_regular_file(status)) {
    found = "no regular file";
  } else if (fs::exists(status) && fs::file_size(file, code) > 0) {  // an empty one, as mktemp makes it, holds nothing
    if (!is_store_file(file)) found = "another file";
    if (found.empty() && !is_store_of_records(file)) found = "another database";
  }
  if (found.empty()) return ok_status();
  return bad_input(file.string() + ": expected a store of records, or nothing there yet, found " + found +
                   "; it is left as it is");
}

Result<AddReport> build(const fs::path& file, const std::vector<fs::path>& places, const StoreWriting& writing) {
  const FreshFile fresh(file);
  if (!fresh.made()) {
    return bad_input(file.string() + ": can't create a file there: " + std::generic_category().message(errno));
  }
  Result<AddReport> report = Error{ErrorKind::kInternal, ""};
  {
    Result<Store> store = Store::create_or_open(fresh.name());
    report = store.ok() ? store->add(places, writing.progress) : Result<AddReport>(store.error());
  }
  if (!report.ok()) return report;
  if (const Status ended = end_wal(file); !ended.ok()) return ended.error();
  std::error_code code;
  fs::rename(fresh.name(), file, code);
  if (code) return Error{ErrorKind::kIo, file.string() + ": can't replace: " + code.message()};
  return report;
}

}  // namespace

Result<AddReport> write_store(const fs::path& named, const std::vector<fs::path>& places, const StoreWriting& writing) {
  const fs::path file = target_of(named);
  const Result<FileLock> turn = wait_for_turn(file, writing);
  if (!turn.ok()) return turn.error();
  if (const Status free = check_target(file); !free.ok()) return free.error();
  // Asked now: another may have made it meanwhile.
  if (writing.anew || !fs::exists(file)) return build(file, places, writing);
  Result<Store> store = Store::create_or_open(file);
  if (!store.ok()) return store.error();
  return store->add(places, writing.progress);
}

}  // namespace assay
