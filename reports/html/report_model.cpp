#include "reports/html/report_model.h"

#include <algorithm>
#include <map>
#include <utility>

#include "reports/html/model_parts.h"

namespace assay {
namespace {

ReportModel blank_model(const ReportOptions& options) {
  ReportModel model;
  model.title = options.title;
  model.created = options.created;
  model.tool_version = options.tool_version;
  model.tool_commit = options.tool_commit;
  return model;
}

void name_threads(const std::string& threads, ReportRow* row) {
  if (threads.empty()) return;
  row->options += (row->options.empty() ? "threads=" : " threads=") + threads;
  row->warnings.push_back("ran with threads " + threads);
}

// Drops the rows that stand for no group; curves and groups then point at what is left.
void keep_group_rows(ReportModel* model) {
  std::vector<ReportRow> kept;
  std::vector<size_t> place(model->rows.size(), 0);
  kept.reserve(model->groups.size());
  for (ReportGroup& group : model->groups) {
    place[group.row] = kept.size();
    kept.push_back(std::move(model->rows[group.row]));
    group.row = kept.size() - 1;
  }
  for (ReportCurve& curve : model->curves) curve.row = place[curve.row];
  model->rows = std::move(kept);
  model->aggregated = true;
}

void add_curve(const Record& record, size_t row, const ReportOptions& options, ReportModel* model) {
  if (model->curves.size() >= options.max_curves) return;
  ReportCurve curve = curve_of(record, model->rows[row], row);
  if (!curve.p.empty()) model->curves.push_back(std::move(curve));
}

void add_ops(const Record& record, size_t test_case, const ReportOptions& options, ReportModel* model) {
  if (model->ops.size() >= options.max_op_cases) return;
  const bool known = std::any_of(model->ops.begin(), model->ops.end(),
                                 [&](const ReportOps& ops) { return ops.test_case == test_case; });
  if (known) return;
  ReportOps ops{test_case, record_ops(record)};
  if (!ops.of.ops.empty()) model->ops.push_back(std::move(ops));
}

// Devices of several machines share their names ("cpu:0"): curves are of one chip and one basis.
void add_derived_curves(const std::vector<Record>& records, const std::vector<Metrics>& of_each,
                        const std::vector<size_t>& chips, ReportModel* model) {
  std::map<std::pair<size_t, std::string>, std::vector<MeasuredRecord>> apart;
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i].status == "ok" && !records[i].model.empty())
      apart[{chips[i], records[i].basis}].push_back({&records[i], &of_each[i]});
  }
  for (const auto& [key, of_chip] : apart) {
    for (SkewCurve& curve : skew_curves(of_chip, kSkewRanks)) model->skew.push_back({key.first, std::move(curve)});
    for (ContextCurve& curve : context_curves(of_chip)) model->context.push_back({key.first, std::move(curve)});
  }
}

// `of_each`, `chips`: of each record, its metrics and its chip.
void conclude(const std::vector<Record>& records, const std::vector<Metrics>& of_each, const std::vector<size_t>& chips,
              const ReportOptions& options, ReportModel* model) {
  model->answer = answer_of(*model);
  add_derived_curves(records, of_each, chips, model);
  if (options.pricing) {
    model->targets = options.pricing->targets;
    model->costs = costs_of(records, of_each, *options.pricing, *model, &model->cost_left_out);
    model->cost_answer = cost_answer_of(model->costs, *model);
  }
  model->clips = clips_of(records, options.pricing ? &*options.pricing : nullptr, *model);
  model->incomparable = incomparable_of(*model);
}

}  // namespace

ReportModel report_model(const std::vector<Record>& records, const ReportOptions& options) {
  ReportModel model = blank_model(options);
  model.records = records.size();
  Register names(&model);
  std::vector<Metrics> of_each;
  std::vector<size_t> chips;
  const Setups setups(records);
  for (const Record& record : records) {
    of_each.push_back(metrics(record));
    ReportRow row = row_of(record, of_each.back());
    name_threads(setups.threads(record), &row);
    names.place(record, &row);
    chips.push_back(row.chip);
    model.rows.push_back(std::move(row));
  }
  model.groups = group_rows(model.rows);
  model.environment = environment_of(records, chips, model.chips.size());
  for (const ReportGroup& group : model.groups) {
    add_curve(records[group.row], group.row, options, &model);
    add_ops(records[group.row], group.test_case, options, &model);
  }
  if (records.size() > options.max_rows) keep_group_rows(&model);
  model.trends = trends_of(records, model, options.max_trends);
  conclude(records, of_each, chips, options, &model);
  return model;
}

Result<ReportModel> report_model(const Store& store, const ReportOptions& options) {
  const Result<uint64_t> count = store.count();
  if (!count.ok()) return count.error();
  if (*count <= options.max_rows) {
    const Result<std::vector<Record>> records = store.records();
    if (!records.ok()) return records.error();
    return report_model(*records, options);
  }
  const Result<std::vector<Headline>> headlines = store.headlines();
  if (!headlines.ok()) return headlines.error();
  ReportModel model = blank_model(options);
  model.records = headlines->size();
  Register names(&model);
  for (const Headline& headline : *headlines) {
    ReportRow row = row_of(headline);
    names.place(headline, &row);
    model.rows.push_back(std::move(row));
  }
  model.groups = group_rows(model.rows);
  model.trends_unread = static_cast<size_t>(std::count_if(model.groups.begin(), model.groups.end(),
                                                          [](const ReportGroup& g) { return g.ok >= kFewestOfTrend; }));
  std::vector<Record> details;
  std::vector<Metrics> of_each;
  std::vector<size_t> chips;
  for (size_t g = 0; g < model.groups.size() && g < options.max_details; ++g) {
    ReportRow& row = model.rows[model.groups[g].row];
    Result<Record> record = store.record(row.id);
    if (!record.ok()) return record.error();
    of_each.push_back(metrics(*record));
    ReportRow whole = row_of(*record, of_each.back());
    whole.chip = row.chip;
    whole.test_case = row.test_case;
    row = std::move(whole);
    names.complete(*record, row);
    add_curve(*record, model.groups[g].row, options, &model);
    add_ops(*record, row.test_case, options, &model);
    chips.push_back(row.chip);
    details.push_back(std::move(record).value());
  }
  model.environment = environment_of(details, chips, model.chips.size());
  keep_group_rows(&model);
  conclude(details, of_each, chips, options, &model);
  return model;
}

}  // namespace assay
