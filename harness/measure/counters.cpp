#include "harness/measure/counters.h"

#include <optional>
#include <utility>

#include "harness/measure/clock.h"
#include "harness/measure/papi_events.h"
#include "harness/measure/perf_events.h"
#include "harness/measure/powercap.h"

namespace assay {
namespace {

constexpr const char* kPackageEnergy = "powercap::PACKAGE_ENERGY_J";
constexpr uint64_t kEnergyWrapNs = 60'000'000'000;  // the shortest time in which a 32-bit RAPL counter wraps

class AllCounters : public Counters {
 public:
  explicit AllCounters(const SystemRoot& root) : hardware_(root), software_(root) {
    Result<PackageEnergy> energy = PackageEnergy::open(root);
    if (energy) {
      energy_ = std::move(*energy);
    } else {
      energy_reason_ = energy.error().message;
    }
  }

  void start() override {
    begin_ns_ = now_ns();
    begin_j_ = read_energy();
    software_.start();
    hardware_.start();
  }

  void peek(std::vector<double>& out) override {
    out.clear();
    hardware_.peek(out);
    software_.peek(out);
    out.push_back(0);  // energy: too coarse for a moment's look
  }

  std::vector<Counter> stop() override {
    std::vector<Counter> out;
    hardware_.stop(out);
    software_.stop(out);
    const std::optional<double> end_j = read_energy();
    Counter energy{kPackageEnergy, std::nullopt, energy_reason_};
    if (energy_ && now_ns() - begin_ns_ > kEnergyWrapNs) {
      energy.reason = "longer than the counter takes to wrap; the run's energy is sampled and stands there";
    } else if (begin_j_ && end_j) {
      energy.value = *end_j - *begin_j_;
    }
    out.push_back(std::move(energy));
    return out;
  }

 private:
  std::optional<double> read_energy() {
    if (!energy_) return std::nullopt;
    const Result<double> joules = energy_->read_j();
    if (joules) return *joules;
    energy_reason_ = joules.error().message;
    return std::nullopt;
  }

  HardwareEvents hardware_;
  SoftwareEvents software_;
  std::optional<PackageEnergy> energy_;
  std::string energy_reason_;
  uint64_t begin_ns_ = 0;
  std::optional<double> begin_j_;
};

}  // namespace

std::unique_ptr<Counters> open_counters(const SystemRoot& root) { return std::make_unique<AllCounters>(root); }

}  // namespace assay
