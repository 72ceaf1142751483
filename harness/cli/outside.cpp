#include "harness/cli/outside.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <system_error>
#include <thread>

#include "suites/base/json_input.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// Waits for it; none where it did not end in time.
std::optional<int> wait_for(pid_t child, double timeout_s) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_s);
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) return status;
    if (ended < 0 && errno != EINTR) return -1;
    if (std::chrono::steady_clock::now() > end) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

// The line that names an error, where there is one: Node.js puts the stack and its version behind it.
std::string last_words(const fs::path& log) {
  const Result<std::string> text = read_text_file(log.string());
  if (!text.ok()) return "";
  std::istringstream lines(*text);
  std::string last, error;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) last = line;
    if (line.find("Error: ") != std::string::npos) error = line;
  }
  return error.empty() ? last : error;
}

}  // namespace

ScratchFolder::ScratchFolder() {
  std::string name = (fs::temp_directory_path() / "assay-XXXXXX").string();
  if (mkdtemp(name.data()) != nullptr) path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

std::optional<std::string> find_program(const std::vector<std::string>& names, const char* variable) {
  if (const char* set = std::getenv(variable); set != nullptr && *set != '\0') return set;
  const char* path = std::getenv("PATH");
  for (const std::string& name : names) {
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
      const fs::path file = fs::path(folder) / name;
      if (!folder.empty() && access(file.c_str(), X_OK) == 0) return file.string();
    }
  }
  return std::nullopt;
}

Status run_program(const std::vector<std::string>& command, double timeout_s) {
  const ScratchFolder scratch;
  if (scratch.path().empty()) return Error{ErrorKind::kIo, "can't create a temporary folder"};
  const std::string log = (scratch.path() / "log").string();
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // so that its children end with it
  pid_t child = 0;
  const int code = posix_spawnp(&child, words[0], &files, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) return Error{ErrorKind::kIo, command[0] + ": " + std::generic_category().message(code)};
  const std::optional<int> status = wait_for(child, timeout_s);
  if (!status) {
    kill(-child, SIGKILL);
    waitpid(child, nullptr, 0);
    return Error{ErrorKind::kTimeout,
                 command[0] + ": did not end within " + std::to_string(static_cast<int>(timeout_s)) + " s"};
  }
  if (WIFEXITED(*status) && WEXITSTATUS(*status) == 0) return ok_status();
  return Error{ErrorKind::kIo, command[0] + " failed: " + last_words(log)};
}

Result<std::string> find_chromium() {
  const std::optional<std::string> program =
      find_program({"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}, "ASSAY_CHROMIUM");
  if (!program) {
    return Error{ErrorKind::kUnsupported,
                 "no Chromium in the PATH (apt-get install chromium, or name one in ASSAY_CHROMIUM)"};
  }
  return *program;
}

Status run_chromium(const std::vector<std::string>& arguments, double timeout_s) {
  const Result<std::string> program = find_chromium();
  if (!program.ok()) return program.error();
  const ScratchFolder profile;
  std::vector<std::string> command{*program,
                                   "--headless",
                                   "--disable-gpu",
                                   "--disable-quic",
                                   "--no-first-run",
                                   "--disable-background-networking",
                                   "--disable-component-update",
                                   "--disable-sync",
                                   "--user-data-dir=" + profile.path().string()};
  // Its sandbox refuses to start for root.
  if (geteuid() == 0) command.emplace_back("--no-sandbox");
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_program(command, timeout_s);
}

}  // namespace assay
