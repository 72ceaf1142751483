// llama-bench output (-o json, jsonl, sql, csv): one record per test. The rate it prints is the mean of the rates of
// its repetitions, and the definition says so; where the repetitions stand in the file, the mean has an interval.
#include <algorithm>
#include <cmath>

#include "results/import/source.h"
#include "results/metrics/student.h"

namespace assay::import {
namespace {

constexpr char kLlamaBench[] = "llama-bench";

// A test by the tool's field names, values as text; samples only where JSON gives them.
struct Test {
  std::string place;
  std::map<std::string, std::string> fields;
  std::vector<double> samples_ns;
};

std::string field(const Test& test, const char* name) {
  const auto found = test.fields.find(name);
  return found == test.fields.end() ? "" : found->second;
}

Error refuse(const Source& source, const Test& test, const std::string& message) {
  return bad_input(source.where + ": " + (test.place.empty() ? "" : test.place + ": ") + message);
}

Result<double> number(const Source& source, const Test& test, const char* name, double min, double max) {
  const std::optional<double> value = parse_number(field(test, name));
  if (value && *value >= min && *value <= max) return *value;
  const std::string found = test.fields.count(name) == 0 ? "none" : "'" + field(test, name) + "'";
  return refuse(source, test,
                std::string(name) + ": expected a number from " + std::to_string(min) + " to " + std::to_string(max) +
                    ", found " + found);
}

// "pp512", "tg128", "pp512+tg128", "@ d4096" for a depth: as the tool's own tables name a test.
std::string test_name(double prompt, double gen, double depth) {
  const auto whole = [](double value) { return std::to_string(static_cast<int64_t>(value)); };
  std::string out = prompt > 0 ? "pp" + whole(prompt) : "";
  if (gen > 0) out += (out.empty() ? "tg" : "+tg") + whole(gen);
  return depth > 0 ? out + "-d" + whole(depth) : out;
}

void describe(const Test& test, const std::string& name, Record* r) {
  r->tier = "program";
  r->model = field(test, "model_type");
  // With no layer on a GPU the CPU is what ran, whatever else is in the machine.
  const bool gpu = !field(test, "gpu_info").empty() && field(test, "n_gpu_layers") != "0";
  r->device = field(test, "backends");
  r->device_product = field(test, gpu ? "gpu_info" : "cpu_info");
  r->reported->producer_version = field(test, "build_number").empty()
                                      ? field(test, "build_commit")
                                      : field(test, "build_commit") + " (" + field(test, "build_number") + ")";
  r->reported->source_date = field(test, "test_time");
  const std::string& date = r->reported->source_date;
  if (!date.empty() && date.back() == 'Z') r->created = date;
  if (const auto threads = parse_number(field(test, "n_threads")); threads && *threads >= 0 && *threads <= 1 << 20)
    r->threads = static_cast<int>(*threads);
  std::string model = r->model;
  for (char& c : model) c = c == '/' || c == ' ' ? '-' : c;
  set_case(r, kLlamaBench, model + "/" + name,
           {{"model", r->model},
            {"model_size", field(test, "model_size")},
            {"test", name},
            {"type_k", field(test, "type_k")},
            {"type_v", field(test, "type_v")}});
  for (const auto& [key, value] : test.fields) state(r, key, value);
}

// The deviation stated must be that of the samples beside it.
Status check_spread(const Source& source, const Test& test, double tokens, double stated) {
  const auto n = static_cast<double>(test.samples_ns.size());
  if (n < 2) return ok_status();
  double sum = 0, squares = 0;
  for (const double ns : test.samples_ns) sum += tokens / (ns / 1e9);
  for (const double ns : test.samples_ns) squares += std::pow(tokens / (ns / 1e9) - sum / n, 2);
  const double found = std::sqrt(squares / (n - 1));
  if (std::abs(found - stated) <= 0.01 * std::max(found, stated) + 1e-4 * sum / n) return ok_status();
  return refuse(source, test,
                "stddev_ts: expected about " + std::to_string(found) + ", that of samples_ns, found " +
                    std::to_string(stated) + ": the file contradicts itself");
}

// 95 % of the mean of n repetitions. Repetitions equal to the digit say nothing of how far it could be off.
void add_interval(double mean, double spread, ReportedFigure* figure) {
  if (!figure->n || *figure->n < 2 || spread <= 0) return;
  const auto n = static_cast<double>(*figure->n);
  const double half = student_two_sided(0.95, n - 1) * spread / std::sqrt(n);
  if (half >= mean) return;  // so few that the rate could be anything
  figure->low = mean - half;
  figure->high = mean + half;
}

Result<Record> record_of(const Source& source, const Test& test) {
  Record r = begin_record(source, kLlamaBench, "llama-bench", test.place);
  double prompt = 0, gen = 0, depth = 0;
  struct Count {
    const char* name;
    double* out;
  };
  for (const Count& c : {Count{"n_prompt", &prompt}, Count{"n_gen", &gen}, Count{"n_depth", &depth}}) {
    if (test.fields.count(c.name) == 0 && c.out == &depth) continue;  // older versions have none
    const Result<double> value = number(source, test, c.name, 0, 1e9);
    if (!value.ok()) return value.error();
    *c.out = *value;
  }
  if (prompt + gen <= 0) return refuse(source, test, "expected n_prompt or n_gen over 0, found neither");
  const Result<double> rate = number(source, test, "avg_ts", 1e-12, kMaxRate);
  if (!rate.ok()) return rate.error();
  const Result<double> spread = number(source, test, "stddev_ts", 0, kMaxRate);
  if (!spread.ok()) return spread.error();
  const Result<double> time = number(source, test, "avg_ns", 1, kMaxSeconds * 1e9);
  if (!time.ok()) return time.error();
  // The mean of rates is at least total tokens / mean time, and not far over it unless the spread is large.
  const double mean_rate = (prompt + gen) / (*time / 1e9), ratio = *rate / mean_rate;
  if (ratio < 0.99 || ratio > 1.01 + 4 * (*spread / *rate) * (*spread / *rate)) {
    return refuse(source, test,
                  "avg_ts: expected about " + std::to_string(mean_rate) + ", the test's tokens over avg_ns, found " +
                      std::to_string(*rate) + ": the file contradicts itself");
  }
  const std::string kind = gen <= 0 ? "input_tokens_per_s" : prompt <= 0 ? "output_tokens_per_s" : "tokens_per_s";
  r.token_class = gen <= 0 ? "input" : prompt <= 0 ? "output" : "";
  const std::optional<uint64_t> n =
      test.samples_ns.empty() ? std::nullopt : std::optional<uint64_t>(test.samples_ns.size());
  if (const Status agrees = check_spread(source, test, prompt + gen, *spread); !agrees.ok()) return agrees.error();
  add_figure(&r, kind, "tokens/s", "mean", "tokens-per-s/mean-of-rates", "avg_ts", *rate, n);
  add_interval(*rate, *spread, &r.reported->figures.back());
  add_figure(&r, kind, "tokens/s", "std", "tokens-per-s/standard-deviation", "stddev_ts", *spread, n);
  add_figure(&r, "time", "s", "mean", "time/mean-of-repetitions", "avg_ns", *time / 1e9, n);
  r.context = static_cast<int64_t>(depth);
  describe(test, test_name(prompt, gen, depth), &r);
  return r;
}

void test_from_json(const JsonNode& node, Test* test) {
  for (const char* needed : {"build_commit", "model_type", "avg_ts", "n_prompt", "n_gen"}) (void)node.at(needed);
  for (const auto& [name, value] : node.members()) {
    if (name == "samples_ns") {
      for (const JsonNode& item : value.items(0, 1 << 20))
        test->samples_ns.push_back(item.number(1, kMaxSeconds * 1e9));
    } else if (name.compare(0, 8, "samples_") != 0) {
      test->fields[name] = text_or_empty(node, name.c_str());
    }
  }
}

Result<std::vector<Test>> tests_of_json(const Source& source) {
  JsonInput input(source.text, source.where);
  std::vector<Test> tests;
  for (const JsonNode& item : input.root().items(1, 1 << 20)) {
    tests.push_back({"[" + std::to_string(tests.size()) + "]", {}, {}});
    test_from_json(item, &tests.back());
  }
  if (!input.ok()) return input.error();
  return tests;
}

Result<std::vector<Test>> tests_of_jsonl(const Source& source) {
  std::vector<Test> tests;
  const std::vector<std::string_view> lines = split_lines(source.text);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (trimmed(lines[i]).empty()) continue;
    const std::string place = "line " + std::to_string(i + 1);
    JsonInput input(lines[i], source.where + ": " + place);
    tests.push_back({place, {}, {}});
    test_from_json(input.root(), &tests.back());
    if (!input.ok()) return input.error();
  }
  return tests;
}

Result<std::vector<Test>> tests_of_csv(const Source& source) {
  const Result<std::vector<CsvRow>> rows = parse_csv(source);
  if (!rows.ok()) return rows.error();
  std::vector<Test> tests;
  for (size_t i = 1; i < rows->size(); ++i) {
    const CsvRow& row = (*rows)[i];
    const std::vector<std::string>& head = (*rows)[0].fields;
    if (row.fields.size() != head.size()) {
      return line_error(
          source, row.line,
          "expected " + std::to_string(head.size()) + " fields, found " + std::to_string(row.fields.size()));
    }
    tests.push_back({"line " + std::to_string(row.line), {}, {}});
    for (size_t c = 0; c < head.size(); ++c) tests.back().fields[head[c]] = row.fields[c];
  }
  return tests;
}

// A parenthesised list from `at`: bare names, numbers, or texts in single quotes with '' for one quote. Gives the place
// behind it; npos where it is none.
size_t sql_list(std::string_view text, size_t at, std::vector<std::string>* out) {
  at = text.find_first_not_of(" \t\r\n", at);
  if (at == std::string_view::npos || text[at] != '(') return std::string_view::npos;
  for (++at;;) {
    at = text.find_first_not_of(" \t\r\n", at);
    if (at == std::string_view::npos) return at;
    std::string item;
    if (text[at] == '\'') {
      for (++at; at < text.size(); ++at) {
        if (text[at] != '\'') {
          item += text[at];
        } else if (at + 1 < text.size() && text[at + 1] == '\'') {
          item += text[at++];
        } else {
          break;
        }
      }
      if (at >= text.size()) return std::string_view::npos;
      at = text.find_first_not_of(" \t\r\n", at + 1);
    } else {
      const size_t end = text.find_first_of(",)", at);
      if (end == std::string_view::npos) return end;
      item = std::string(trimmed(text.substr(at, end - at)));
      at = end;
    }
    out->push_back(std::move(item));
    if (at == std::string_view::npos || (text[at] != ',' && text[at] != ')')) return std::string_view::npos;
    if (text[at++] == ')') return at;
  }
}

Result<std::vector<Test>> tests_of_sql(const Source& source) {
  static constexpr std::string_view kInsert = "INSERT INTO llama_bench", kValues = "VALUES";
  const std::string_view text = source.text;
  std::vector<Test> tests;
  for (size_t at = text.find(kInsert); at != std::string_view::npos; at = text.find(kInsert, at)) {
    const auto line =
        static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    std::vector<std::string> names, values;
    at = sql_list(text, at + kInsert.size(), &names);
    if (at != std::string_view::npos) at = text.find_first_not_of(" \t\r\n", at);
    if (at != std::string_view::npos && text.compare(at, kValues.size(), kValues) == 0) {
      at = sql_list(text, at + kValues.size(), &values);
    }
    if (at == std::string_view::npos || names.size() != values.size() || names.empty()) {
      return line_error(source, line + 1, "expected INSERT INTO llama_bench (names) VALUES (as many values)");
    }
    tests.push_back({"line " + std::to_string(line + 1), {}, {}});
    for (size_t i = 0; i < names.size(); ++i) tests.back().fields[names[i]] = values[i];
  }
  return tests;
}

enum class Form { kNone, kJson, kJsonLines, kSql, kCsv };

Form form_of(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return Form::kNone;
  const std::string head = text.substr(first, 4096);
  const bool named = head.find("build_commit") != std::string::npos && head.find("n_prompt") != std::string::npos;
  if (head.find("llama_bench (") != std::string::npos) return Form::kSql;
  if (!named) return Form::kNone;
  if (head[0] == '[') return Form::kJson;
  return head[0] == '{' ? Form::kJsonLines : Form::kCsv;
}

bool is_llama_bench(const Source& source, const JsonNode& /*root*/) { return form_of(source.text) != Form::kNone; }

Result<std::vector<Test>> tests_of(const Source& source) {
  switch (form_of(source.text)) {
    case Form::kJson:
      return tests_of_json(source);
    case Form::kJsonLines:
      return tests_of_jsonl(source);
    case Form::kSql:
      return tests_of_sql(source);
    case Form::kCsv:
      return tests_of_csv(source);
    case Form::kNone:
      break;
  }
  return bad_input(source.where + ": expected llama-bench output (json, jsonl, sql or csv), found something else");
}

Result<std::vector<Record>> read_llama_bench(const Source& source) {
  const Result<std::vector<Test>> tests = tests_of(source);
  if (!tests.ok()) return tests.error();
  std::vector<Record> records;
  for (const Test& test : *tests) {
    Result<Record> record = record_of(source, test);
    if (!record.ok()) return record.error();
    records.push_back(std::move(record).value());
  }
  return records;
}

}  // namespace

Importer llama_bench_importer() {
  return {kLlamaBench, "llama-bench -o json, jsonl, sql or csv", is_llama_bench, read_llama_bench};
}

}  // namespace assay::import
