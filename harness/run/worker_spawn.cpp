#include "harness/run/worker_spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

extern char** environ;

namespace assay {
namespace {

constexpr int kWorkerSocket = 3;
constexpr int kWorkerPage = 4;

Error system_error(const std::string& what, int error) {
  return {ErrorKind::kIo, "worker process: " + what + ": " + std::strerror(error)};
}

// A descriptor number that the child's own (0 to 4) can't clash with.
class HighFd {
 public:
  explicit HighFd(int fd) : fd_(fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10)) {
    if (fd >= 0) close(fd);
  }
  ~HighFd() {
    if (fd_ >= 0) close(fd_);
  }
  HighFd(const HighFd&) = delete;
  HighFd& operator=(const HighFd&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

int spawn(const char* path, const char* command, int socket, int page_fd, int output, pid_t* pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, output, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&files, socket, kWorkerSocket);
  posix_spawn_file_actions_adddup2(&files, page_fd, kWorkerPage);
  posix_spawn_file_actions_addclosefrom_np(&files, kWorkerPage + 1);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string socket_text = std::to_string(kWorkerSocket);
  std::string page_text = std::to_string(kWorkerPage);
  std::array<std::string, 6> words{"assay", command, "--fd", socket_text, "--page", page_text};
  std::array<char*, 7> argv{};
  for (size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
  const int error = posix_spawn(pid, path, &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

}  // namespace

Result<SpawnedWorker> spawn_worker(const std::string& executable, const char* command) {
  std::array<int, 2> ends{-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return system_error("socketpair", errno);
  HighFd ours(ends[0]);
  HighFd theirs(ends[1]);
  HighFd page_fd(memfd_create("assay-page", MFD_CLOEXEC));
  HighFd output(memfd_create("assay-output", MFD_CLOEXEC));
  if (ours.get() < 0 || theirs.get() < 0 || page_fd.get() < 0 || output.get() < 0) return system_error("memfd", errno);
  // Appending, so that truncating the file between jobs starts it anew.
  if (fcntl(output.get(), F_SETFL, O_APPEND) != 0 || ftruncate(page_fd.get(), sizeof(SharedPage)) != 0) {
    return system_error("memfd", errno);
  }
  void* memory = mmap(nullptr, sizeof(SharedPage), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd.get(), 0);
  if (memory == MAP_FAILED) return system_error("mmap", errno);
  SpawnedWorker worker;
  const std::string path = executable.empty() ? "/proc/self/exe" : executable;
  const int error = spawn(path.c_str(), command, theirs.get(), page_fd.get(), output.get(), &worker.pid);
  if (error != 0) {
    munmap(memory, sizeof(SharedPage));
    return system_error("cannot run " + path, error);
  }
  worker.socket = ours.release();
  worker.output = output.release();
  worker.page = static_cast<SharedPage*>(memory);
  return worker;
}

}  // namespace assay
