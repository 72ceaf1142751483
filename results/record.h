// Record: one run of one case on one device, with everything needed to redo it. Schema:
// results/schema/record.schema.json. Plain data. Optional or unavailable values are std::optional / empty with a reason
// beside them, never 0 or NaN.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "suites/base/result.h"

namespace assay {

inline constexpr int kRecordSchemaVersion = 1;

// Timed steps, in order. All in ns; start_ns counts from the first timed step's start.
struct Samples {
  std::vector<uint64_t> start_ns;     // host clock before submit
  std::vector<uint64_t> host_ns;      // host interval submit..wait
  std::vector<uint64_t> device_ns;    // empty where the adapter has no device clock
  std::string device_clock = "none";  // none, event, timestamp
  uint64_t device_clock_step_ns = 0;
};

// A launch of the run: its program prepared, loaded and warmed up anew, in a process that had not run the case before.
struct RunLaunch {
  uint64_t steps = 0;
  uint64_t start_ns = 0;  // of its first step, on the host's monotonic clock (samples count from the first launch's)
  double mean_step_ns = 0;
  std::optional<double> relative_error;  // standard error of the mean by the launch's own steps; absent for one step
  double error_dof = 0;                  // degrees of freedom of that
};

// What launches of equal work differ by, pooled over cases (results/metrics/launches.h).
struct BetweenLaunches {
  std::string formula;        // with its version: "launches/1"
  double relative_sd = 0;     // of a launch's true mean: beyond what its own steps tell
  double variance_error = 0;  // standard error of relative_sd^2
  double dof = 0;             // launches less one, summed over the cases
  int64_t cases = 0;          // that were launched more than once
};

struct RunLaunches {
  int64_t planned = 0;
  std::vector<RunLaunch> each;             // in order; their steps lie in the samples one launch after the other
  std::optional<BetweenLaunches> between;  // none: no case of the campaign was launched twice
};

struct OpNumerics {
  std::string op, kind, dtype;
  double error = 0, limit = 0;
  uint64_t elements = 0;
  bool pass = false;
  std::string detail;
};

struct Numerics {
  std::string verdict = "not-run";  // pass, fail, not-run
  std::string reason;               // why not run, or which op failed
  uint64_t seed = 0;
  std::vector<OpNumerics> ops;      // each op at its real shape
  std::optional<OpNumerics> whole;  // the timed program's hidden rows against the reference at full depth
};

struct Counter {
  std::string name;
  std::optional<double> value;  // per timed part of the run
  std::string reason;           // why absent
};

struct NoiseReport {
  bool disturbed = false;
  std::vector<std::string> causes;  // "steal 4.1 %", "foreign CPU 12 %", "clock drift 6 %", "gaps 3.2 %"
  std::map<std::string, double>
      values;  // steal_share, foreign_cpu_share, gap_share, gap_max_ns, clock_mhz_before, clock_mhz_after, ...
  std::vector<uint64_t> host_gap_start_ns, host_gap_ns;  // gaps seen while timing, on the samples' time axis
  // When the device held its clocks down, on the same axis, and why (ASSAY_THROTTLE_* bits).
  std::vector<uint64_t> throttle_start_ns, throttle_ns, throttle_reasons;
};

struct LaunchCeiling {  // the same beside one launch
  std::optional<double> flops_per_s, read_bytes_per_s;
  std::string measured;
};

struct Ceiling {                      // attainable peaks, measured by the harness on the same device
  std::optional<double> flops_per_s;  // large GEMM at the executed dtype
  std::string flops_dtype;
  std::optional<double> read_bytes_per_s;  // large read
  std::string when;                        // "before this case, same worker" or the ceilings record's id
  std::string reason;                      // why absent
  int64_t gemm_size = 0;                   // its m = n = k; 0 where not known, as in old records
  uint64_t read_bytes = 0;                 // of the read, an argmax over read_dtype; 0 where not known
  std::string read_dtype;
  std::string measured;  // UTC, ISO 8601; "" where not known
  // Of each launch where each was measured, the first's again; empty: the above serves all launches.
  std::vector<LaunchCeiling> of_launches;
};

struct Extrapolation {  // k of L layers were run; figures for the whole model are projected from it
  int64_t layers_run = 0, layers_total = 0;
  std::optional<double> step_ns_run_layers, step_ns_fewer_layers;
  int64_t fewer_layers = 0;
  std::optional<double> projected_step_ns;  // t1 + slope * (L - k1); basis "projected"
  std::string method, reason;
  int64_t experts_run = 0, experts_total = 0;  // routed experts of each layer; 0 of 0: the model has none
};

struct RoutingReport {       // of a model with experts: which got how many rows
  std::string distribution;  // as the case names it, "zipf:1.2"; a trace by its hash
  uint64_t seed = 0;
  int64_t experts = 0, top_k = 0, tokens = 0;  // of a layer as it ran
  double expert_bytes = 0;                     // weights of one expert of one layer
  std::optional<double> expected_active;       // experts with a row by the distribution; none for a trace
  std::vector<uint64_t> expert_rows;           // [layer][expert], layers that ran
};

// What one look at a power sensor gave. Absent: not valid in that reading.
struct PowerSample {
  uint64_t t_ns = 0;  // half way through the reading
  std::optional<double> energy_j, power_w;
};

struct Energy {
  std::optional<double> joules, idle_watts, watts_mean;
  std::optional<double>
      uncertainty_j;  // standard uncertainty of joules, terms in quadrature (results/metrics/energy.h)
  std::string source = "none";
  std::string code;    // trusted, or why not: no-source, empty-window, too-few, edge, gap, stuck, averaging, ...
  std::string reason;  // the same in words: why absent or untrusted
  std::optional<double> power_limit_w;  // the device's own, where it tells one: what it can't draw is not believed
  uint64_t averaging_ns = 0;            // window over which the source itself averages
  uint64_t window_start_ns = 0, window_end_ns = 0;  // the timed part, on the readings' clock
  std::vector<uint64_t> pause_start_ns, pause_ns;   // between launches, within the window: not the run's energy
  std::vector<PowerSample> samples;                 // what the source said, from which the above can be redone
};

struct StopReport {
  std::string reason;  // precision, time-limit, interrupted, failed, fixed
  double target_half_width = 0;
  std::optional<double> achieved_half_width;
  uint64_t warmup_steps = 0;
  double warmup_s = 0, timed_s = 0;
  std::string warmup_end;  // drift-ended, limit
};

// A figure that a source states without its samples.
struct ReportedFigure {
  std::string name;          // what it is: "output_tokens_per_s", "ttft", "tpot", "itl", "e2e", "time", "power", ...
  std::string unit;          // "tokens/s", "requests/s", "s", "W", ...: the base unit, whatever the source wrote
  std::string statistic;     // "total", "mean", "median", "p99", "min", "max", "std", "estimate"
  std::string definition;    // id of the formula behind the name (results/import/definitions.h)
  std::string source_field;  // the source's own name of it
  double value = 0;
  std::optional<double> low, high;  // an interval that the source states, or that follows from its samples
  std::optional<uint64_t> n;        // values behind it, where the source says how many
};

// What someone else published. Figures of equal name compare only where the definition is equal too.
struct Reported {
  std::string format;                         // name of the importer: "vllm-serve"
  std::string producer, producer_version;     // the tool that wrote the source
  std::string source_file, source_xxh3;       // base name, and XXH3-128 of its bytes in hex
  std::string source_place;                   // line or field within the file; "" where it is the whole
  std::string source_date;                    // as written there
  std::vector<ReportedFigure> figures;        // the first is what the source leads with; one at least if ok
  std::map<std::string, std::string> stated;  // what else it says of system, software and load, by its own names
};

struct Record {
  int schema_version = kRecordSchemaVersion;
  std::string id;       // xxh3-128 of the record's JSON without id
  std::string created;  // UTC, ISO 8601
  std::string tool_version, tool_commit, build_flags;
  std::string tier = "program";
  std::string basis;   // measured, simulated, projected, reported
  std::string status;  // ok, failed, unsupported, interrupted
  std::string reason;  // why not ok

  std::string suite, suite_hash, case_id, case_hash, case_json;  // case_json: the canonical case, embedded as an object
  std::string form;                                              // quick, full
  std::string model, dtype, step_kind, token_class, executed;
  int64_t batch = 0, tokens = 0, context = 0, tokens_per_step = 0;
  double step_flops = 0, step_weight_bytes = 0, step_kv_bytes = 0, step_activation_bytes = 0;
  uint64_t seed = 0;

  std::string adapter, adapter_version, adapter_vendor, adapter_build_json, adapter_abi;
  std::string device, device_product, device_arch, device_driver, device_serial_hash;
  uint64_t device_memory_bytes = 0;
  std::string support;  // support step of architecture.md
  // What the user set of the adapter (--adapter-option), which changes what was measured, as kept_options() has it;
  // none: not known, as of records made before this was kept.
  std::optional<std::map<std::string, std::string>> adapter_options;
  int threads = 0;
  std::map<std::string, std::string> environment;  // os, kernel, cpu, governor, virtualisation, thp, numa, ...
  std::vector<std::string> warnings;

  double prepare_s = 0, load_s = 0;
  std::string lowering;
  uint32_t launches = 0;                // of kernels, per step
  uint64_t program_bytes = 0;           // allocated, as the adapter says
  uint64_t planned_bytes = 0;           // what the graph's tensors need; 0: made before this was kept
  std::optional<uint64_t> taken_bytes;  // by how much the device's free memory fell

  Samples samples;
  std::optional<RunLaunches> run_launches;  // none: made before launches were told apart, or nothing was timed
  StopReport stop;
  Numerics numerics;
  std::vector<Counter> counters;
  NoiseReport noise;
  Ceiling ceiling;
  std::optional<Extrapolation> extrapolation;
  std::optional<RoutingReport> routing;
  Energy energy;
  std::map<std::string, std::string> timing_truth;  // checks of the device clock and their outcome
  std::optional<Reported> reported;                 // there exactly where basis is "reported"
};

// Canonical JSON (samples compressed) and back. Unknown or malformed content is an error with the field.
std::string record_to_json(const Record& record);
Result<Record> record_from_json(const std::string& text, const std::string& where);

// Writes DIR/<case id with / as _>-<8 of id>.record.json by rename; sets record.id. Nothing half written. `before`: the
// file of the record that this one replaces.
Result<std::filesystem::path> write_record(Record& record, const std::filesystem::path& dir,
                                           const std::filesystem::path& before = {});
Result<Record> read_record(const std::filesystem::path& file);
// All records of a file, below a directory or in a store, each once, sorted by case id then time. A bad file is an
// error naming it. `copies`, where given: how many more files hold one of them.
Result<std::vector<Record>> read_records(const std::filesystem::path& file_or_dir, size_t* copies = nullptr);
// Keeps the first of the records of equal id, which say the same; gives how many it dropped.
size_t drop_copies(std::vector<Record>* records);

// Writes text to path by a temporary file beside it, fsync and rename.
Status write_file_atomic(const std::filesystem::path& path, const std::string& text);

}  // namespace assay
