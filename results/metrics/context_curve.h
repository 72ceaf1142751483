// How a step grows with the context in the cache: from records that differ in nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "results/metrics/metrics.h"
#include "results/metrics/throughput.h"
#include "results/record.h"

namespace assay {

// Least squares of y against x; the slope's 95 % interval by Student's t, absent below three points.
struct Line {
  double intercept = 0, slope = 0;
  std::optional<Interval> slope_interval;
};
std::optional<Line> fit_line(const std::vector<double>& x, const std::vector<double>& y);  // absent: one x only

struct ContextPoint {
  std::string case_id, record;  // record: its id
  int64_t context = 0;
  double step_ns = 0;
  std::optional<Interval> step_interval_ns;  // absent where projected
  std::string disturbed_by;                  // "" where nothing disturbed the run
};

// A context at which something happens, or why there is none.
struct ContextMark {
  std::optional<int64_t> context;
  std::string note;
};

struct ContextCurve {
  std::string device, model, dtype, step_kind;
  std::string layout;   // of the KV cache: page_layout()
  std::string options;  // Setups::of() among the given records
  int64_t batch = 0, tokens = 0;
  std::string basis, form;           // form: "whole model", "whole model projected", "2 of 61 layers"
  std::vector<ContextPoint> points;  // by context
  std::optional<Line> time;          // ns against tokens of context
  double kv_bytes_per_token = 0;     // of the whole model, per sequence, at the case's dtype; with an indexer's keys
  int64_t window = 0;                // of the model's windowed layers; 0: none
  double kv_bytes_behind_window = 0;
  // The context from which attention (with what expands or indexes the cache) takes more FLOPs than all else, its cache
  // more bytes than the weights, its time (by the line) more than the rest of the step.
  ContextMark knee_flops, knee_bytes, knee_time;
  ContextMark largest;  // that fits the device's memory with the whole model, 3 % left free
};

// One curve for each group of ok prefill or decode records with at least two contexts.
std::vector<ContextCurve> context_curves(const std::vector<MeasuredRecord>& records);
std::vector<ContextCurve> context_curves(const std::vector<Record>& records);

}  // namespace assay
