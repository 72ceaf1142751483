// What a user waits for and what memory it takes: from the start of `assay run` to the first timed step, and the
// largest memory of the worker against the weights. The command runs behind a terminal, whose progress line says when
// timing begins. Targets: under 3 s for prefill of SmolLM2-135M; weights once plus under 200 MB.
//
//   bench_startup [runs]
#include <pty.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "tests/bench/bench_program.h"

namespace assay::bench {
namespace {

namespace fs = std::filesystem;

struct Start {
  double seconds = 0;  // to the first timed step, as the progress line shows it
  double peak_mb = 0;  // of the largest process
};

Start run_once(const char* suite, const char* filter, const fs::path& out) {
  const std::string command = std::string("exec " ASSAY_BINARY_DIR "/bin/assay run ") + suite + " --quick --case '" +
                              filter + "' --time-limit 1 --out " + out.string();
  const double begin = now_s();
  int terminal = -1;
  const winsize size{24, 200, 0, 0};
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child < 0) fail("no pseudo terminal");
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  Start start;
  std::string seen;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(terminal, buffer, sizeof buffer)) > 0;) {
    seen.append(buffer, static_cast<size_t>(n));
    if (start.seconds == 0 && seen.find("  timed ") != std::string::npos) start.seconds = now_s() - begin;
  }
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) != child || status != 0) fail("this command failed: " + command + "\n" + seen);
  close(terminal);
  if (start.seconds == 0) fail("the progress line never said that timing began:\n" + seen);
  start.peak_mb = static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;
  return start;
}

double weights_mb(const Catalogue& catalogue, const char* model, const char* dtype) {
  Case c;
  c.kind = StepKind::kDecode;
  c.model = take(catalogue.model(model));
  c.dtype = dtype;
  c.context = 512;
  return static_cast<double>(graph_memory(take(lower(c, {}))).weight_bytes) / 1e6;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  using namespace assay;
  using namespace assay::bench;
  const int runs = argc > 1 ? std::atoi(argv[1]) : 5;
  if (runs < 1) fail("expected a positive number of runs");
  const auto catalogue = take(Catalogue::load(ASSAY_BINARY_DIR "/share/assay/suites"));
  const fs::path root = fs::temp_directory_path() / ("assay-startup-" + std::to_string(::getpid()));
  std::vector<double> seconds, peak;
  for (int i = 0; i < runs; ++i) {
    seconds.push_back(run_once("prefill", "smollm2-135m/f32/b1/t128", root / ("p" + std::to_string(i))).seconds);
    peak.push_back(run_once("decode", "qwen2.5-0.5b/f32/b1/c512", root / ("d" + std::to_string(i))).peak_mb);
  }
  fs::remove_all(root);
  const double weights = weights_mb(catalogue, "qwen2.5-0.5b", "f32");
  const double beyond = *std::max_element(peak.begin(), peak.end()) - weights;
  std::printf("start to first timed step, prefill smollm2-135m f32 128: %6.2f s, median of %d  (target < 3) %s\n",
              median(seconds), runs, median(seconds) < 3 ? "reached" : "MISSED");
  std::printf("peak memory, decode qwen2.5-0.5b f32: weights %.0f MB + %.0f MB  (target < 200) %s\n", weights, beyond,
              beyond < 200 ? "reached" : "MISSED");
  return 0;
}
