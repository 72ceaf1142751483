#include "harness/cli/interrupt.h"

#include <csignal>

namespace assay {
namespace {

volatile std::sig_atomic_t g_signals = 0;

void on_signal(int signal) {
  if (g_signals != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  g_signals = 1;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return g_signals != 0; }

}  // namespace assay
