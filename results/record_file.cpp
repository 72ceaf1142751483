#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <tuple>
#include <unordered_set>

#include "results/record.h"
#include "results/record_files.h"
#include "results/record_id.h"
#include "results/store/store.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr char kSuffix[] = ".record.json";

Error io_error(const fs::path& path, const char* what, int code) {
  return {ErrorKind::kIo, path.string() + ": can't " + what + ": " + std::generic_category().message(code)};
}

// A new file beside its target, removed unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target) : name_(target.string() + ".XXXXXX") {
    descriptor_ = mkostemp(name_.data(), O_CLOEXEC);
    if (descriptor_ < 0) name_.clear();
  }
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] bool open() const { return descriptor_ >= 0; }

  // Each gives 0 or errno.
  [[nodiscard]] int write(const std::string& text) const {
    for (size_t done = 0; done < text.size();) {
      const ssize_t n = ::write(descriptor_, text.data() + done, text.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return n < 0 ? errno : ENOSPC;
      done += static_cast<size_t>(n);
    }
    // mkstemp makes the file private; a record is as readable as any other new file.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(descriptor_, 0666 & ~mask) != 0) return errno;
    return ::fsync(descriptor_) == 0 ? 0 : errno;
  }
  // Some file systems report a full disk only here.
  int close() {
    const int result = ::close(descriptor_);
    descriptor_ = -1;
    return result == 0 ? 0 : errno;
  }
  int rename_to(const fs::path& target) {
    if (::rename(name_.c_str(), target.c_str()) != 0) return errno;
    name_.clear();
    return 0;
  }

 private:
  std::string name_;
  int descriptor_ = -1;
};

// Makes the rename itself last. Some file systems refuse to sync a folder (EINVAL): nothing more can be done there.
int sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const int code = ::fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
  ::close(descriptor);
  return code;
}

std::string file_name(const Record& record) {
  std::string name = record.case_id.empty() ? "unknown" : record.case_id;
  for (char& c : name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    if (!plain) c = '_';
  }
  if (name.front() == '.') name.front() = '_';
  return name.substr(0, 200) + "-" + record.id.substr(0, 8) + kSuffix;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

Result<std::vector<fs::path>> record_files(const fs::path& place) {
  std::error_code code;
  const fs::file_status status = fs::status(place, code);
  if (!fs::exists(status)) return bad_input(place.string() + ": no such file or directory");
  if (!fs::is_directory(status)) return std::vector<fs::path>{place};
  std::vector<fs::path> files;
  fs::recursive_directory_iterator it(place, code), end;
  for (; !code && it != end; it.increment(code)) {
    if (ends_with(it->path().filename().string(), kSuffix)) files.push_back(it->path());
  }
  if (code) return bad_input(place.string() + ": can't be listed: " + code.message());
  std::sort(files.begin(), files.end());
  return files;
}

Result<Record> record_of_text(const std::string& text, const fs::path& where) {
  Result<Record> record = record_from_json(text, where.string());
  if (record.ok() && record->id.empty())
    return bad_input(where.string() + ": id: expected the record's hash, found ''");
  return record;
}

Status write_file_atomic(const fs::path& path, const std::string& text) {
  TemporaryFile file(path);
  if (!file.open()) return io_error(path, "create a file there", errno);
  if (const int code = file.write(text)) return io_error(path, "write", code);
  if (const int code = file.close()) return io_error(path, "write", code);
  if (const int code = file.rename_to(path)) return io_error(path, "replace", code);
  if (const int code = sync_folder(path.parent_path())) return io_error(path, "make the new name last", code);
  return ok_status();
}

Result<fs::path> write_record(Record& record, const fs::path& dir, const fs::path& before) {
  record.id.clear();
  record.id = record_id(record_to_json(record));
  const std::string text = record_to_json(record);
  const fs::path path = dir / file_name(record);
  // What can't be read back must not be kept as a result: a NaN, a sample list of the wrong length.
  const Result<Record> back = record_from_json(text, path.string());
  if (!back.ok()) return Error{ErrorKind::kInternal, "record would not be readable: " + back.error().message};
  std::error_code code;
  fs::create_directories(dir, code);
  if (code) return Error{ErrorKind::kIo, dir.string() + ": can't create the folder: " + code.message()};
  // Over the old one and then by its own name: at no moment are there both, or none.
  const Status written = write_file_atomic(before.empty() ? path : before, text + "\n");
  if (!written.ok()) return written.error();
  if (!before.empty() && before != path) fs::rename(before, path, code);
  if (code)
    return Error{ErrorKind::kIo, before.string() + ": can't rename to " + path.string() + ": " + code.message()};
  return path;
}

Result<Record> read_record(const fs::path& file) {
  const Result<std::string> text = read_text_file(file.string());
  if (!text.ok()) return text.error();
  return record_of_text(*text, file);
}

size_t drop_copies(std::vector<Record>* records) {
  std::unordered_set<std::string> known;
  const auto copy = [&](const Record& r) { return !known.insert(r.id).second; };
  const size_t before = records->size();
  records->erase(std::remove_if(records->begin(), records->end(), copy), records->end());
  return before - records->size();
}

Result<std::vector<Record>> read_records(const fs::path& file_or_dir, size_t* copies) {
  if (is_store_file(file_or_dir)) {
    const Result<Store> store = Store::open_read_only(file_or_dir);
    if (!store.ok()) return store.error();
    return store->records();
  }
  const Result<std::vector<fs::path>> files = record_files(file_or_dir);
  if (!files.ok()) return files.error();
  std::vector<Record> records;
  for (const fs::path& file : *files) {
    Result<Record> record = read_record(file);
    if (!record.ok()) return record.error();
    records.push_back(std::move(record).value());
  }
  const size_t dropped = drop_copies(&records);
  if (copies != nullptr) *copies = dropped;
  std::stable_sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
    return std::tie(a.case_id, a.created, a.id) < std::tie(b.case_id, b.created, b.id);
  });
  return records;
}

}  // namespace assay
