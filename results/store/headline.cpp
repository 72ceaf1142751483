#include <array>

#include "results/metrics/energy.h"
#include "results/metrics/reported_rate.h"
#include "results/part.h"
#include "results/store/headline_columns.h"

namespace assay {
namespace {

using Text = std::string Headline::*;
using Integer = int64_t Headline::*;
using Number = std::optional<double> Headline::*;

template <typename Member>
struct Column {
  const char* name;
  Member member;
};

constexpr Column<Text> kHeadlineTexts[] = {{"id", &Headline::id},
                                           {"created", &Headline::created},
                                           {"suite", &Headline::suite},
                                           {"case_id", &Headline::case_id},
                                           {"case_hash", &Headline::case_hash},
                                           {"form", &Headline::form},
                                           {"step_kind", &Headline::step_kind},
                                           {"token_class", &Headline::token_class},
                                           {"model", &Headline::model},
                                           {"dtype", &Headline::dtype},
                                           {"tier", &Headline::tier},
                                           {"basis", &Headline::basis},
                                           {"part", &Headline::part},
                                           {"options", &Headline::options},
                                           {"status", &Headline::status},
                                           {"reason", &Headline::reason},
                                           {"adapter", &Headline::adapter},
                                           {"device", &Headline::device},
                                           {"device_product", &Headline::device_product},
                                           {"tool_commit", &Headline::tool_commit},
                                           {"unit", &Headline::unit}};
constexpr Column<Integer> kIntegers[] = {{"batch", &Headline::batch},
                                         {"tokens", &Headline::tokens},
                                         {"context", &Headline::context},
                                         {"tokens_per_step", &Headline::tokens_per_step}};
constexpr Column<Number> kNumbers[] = {{"rate", &Headline::rate},
                                       {"rate_low", &Headline::rate_low},
                                       {"rate_high", &Headline::rate_high},
                                       {"projected_rate", &Headline::projected_rate},
                                       {"p50_ns", &Headline::p50_ns},
                                       {"p99_ns", &Headline::p99_ns},
                                       {"p99_high_ns", &Headline::p99_high_ns},
                                       {"p999_ns", &Headline::p999_ns},
                                       {"p999_high_ns", &Headline::p999_high_ns},
                                       {"jitter_p99_ns", &Headline::jitter_p99_ns},
                                       {"mfu", &Headline::mfu},
                                       {"mbu", &Headline::mbu},
                                       {"joules_per_token", &Headline::joules_per_token}};

// f(name, SQL type) for every column, in the order of the table.
template <typename F>
void for_each_column(F f) {
  for (const auto& column : kHeadlineTexts) f(column.name, "TEXT NOT NULL");
  for (const auto& column : kIntegers) f(column.name, "INTEGER NOT NULL");
  for (const auto& column : kNumbers) f(column.name, "REAL");
  f("n", "INTEGER NOT NULL");
  f("disturbed", "INTEGER NOT NULL");
}

void take_quantiles(const Latency& step, Headline* out) {
  out->jitter_p99_ns = step.jitter_p99;
  for (const Quantile& q : step.quantiles) {
    if (q.p == 0.5) out->p50_ns = q.value;
    if (q.p == 0.99) std::tie(out->p99_ns, out->p99_high_ns) = std::tie(q.value, q.high);
    if (q.p == 0.999) std::tie(out->p999_ns, out->p999_high_ns) = std::tie(q.value, q.high);
  }
}

}  // namespace

Headline headline(const Record& r, const Metrics& m) {
  Headline out;
  out.id = r.id;
  out.created = r.created;
  out.suite = r.suite;
  out.case_id = r.case_id;
  out.case_hash = r.case_hash;
  out.form = r.form;
  out.step_kind = r.step_kind;
  out.token_class = r.token_class;
  out.model = r.model;
  out.dtype = r.dtype;
  out.tier = r.tier;
  out.basis = r.basis;
  out.part = part_text(r);
  out.options = adapter_options_text(r);
  out.status = r.status;
  out.reason = r.reason;
  out.adapter = r.adapter;
  out.device = r.device;
  out.device_product = r.device_product;
  out.tool_commit = r.tool_commit;
  out.batch = r.batch;
  out.tokens = r.tokens;
  out.context = r.context;
  out.tokens_per_step = r.tokens_per_step;
  out.n = r.samples.host_ns.size();
  out.disturbed = r.noise.disturbed;
  out.unit = m.unit;
  if (m.rate) {
    out.rate = m.rate->per_s;
    if (m.rate->n > 1) {
      out.rate_low = m.rate->interval.low;
      out.rate_high = m.rate->interval.high;
    }
  }
  const ReportedRates reported = reported_rates(r);
  if (const std::optional<ReportedFigure>& lead = reported.lead()) {
    out.unit = "tokens/s";
    out.rate = lead->value;
    out.rate_low = lead->low;
    out.rate_high = lead->high;
  }
  out.projected_rate = m.projected_rate;
  if (m.step) take_quantiles(*m.step, &out);
  out.mfu = m.mfu_attainable;
  out.mbu = m.mbu_attainable;
  out.joules_per_token = r.reported ? energy_figures(r).joules_per_token : m.joules_per_token;
  return out;
}

std::string headline_schema() {
  std::string sql;
  for_each_column([&](const char* name, const std::string& type) {
    sql += (sql.empty() ? "" : ", ") + std::string(name) + " " + type;
    if (name == std::string("id")) sql += " UNIQUE";
  });
  return sql;
}

std::string headline_insert() {
  std::string names, marks;
  for_each_column([&](const char* name, const char*) {
    names += (names.empty() ? "" : ", ") + std::string(name);
    marks += marks.empty() ? "?" : ", ?";
  });
  return "INSERT OR IGNORE INTO record(" + names + ") VALUES(" + marks + ")";
}

std::string headline_select() {
  std::string names;
  for_each_column([&](const char* name, const char*) { names += (names.empty() ? "" : ", ") + std::string(name); });
  return "SELECT " + names + " FROM record";
}

void bind_headline(const Headline& h, sqlite::Statement& insert) {
  int at = 0;
  for (const auto& column : kHeadlineTexts) insert.bind(at++, std::string_view(h.*column.member));
  for (const auto& column : kIntegers) insert.bind(at++, h.*column.member);
  for (const auto& column : kNumbers) insert.bind(at++, h.*column.member);
  insert.bind(at++, static_cast<int64_t>(h.n));
  insert.bind(at++, static_cast<int64_t>(h.disturbed ? 1 : 0));
}

Headline read_headline(const sqlite::Statement& row) {
  Headline out;
  int at = 0;
  for (const auto& column : kHeadlineTexts) out.*column.member = row.text(at++);
  for (const auto& column : kIntegers) out.*column.member = row.integer(at++);
  for (const auto& column : kNumbers) out.*column.member = row.number(at++);
  out.n = static_cast<uint64_t>(row.integer(at++));
  out.disturbed = row.integer(at++) != 0;
  return out;
}

}  // namespace assay
