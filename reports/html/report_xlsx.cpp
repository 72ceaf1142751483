#include <unistd.h>
#include <xlsxwriter.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "reports/cost_sheet.h"
#include "reports/html/report_fields.h"
#include "reports/html/report_forms.h"
#include "reports/html/report_words.h"
#include "suites/base/json_input.h"
#include "suites/base/visible.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// A folder of its own, removed with what is in it: the library writes to a path only.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((fs::temp_directory_path() / "assay-xlsx-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Writes cells one after another; text stays text, whatever it begins with, and is visible.
class SheetWriter {
 public:
  SheetWriter(lxw_workbook* book, const char* name)
      : sheet_(workbook_add_worksheet(book, name)), bold_(workbook_add_format(book)) {
    format_set_bold(bold_);
  }
  void head(const std::string& text) { worksheet_write_string(sheet_, row_, column_++, visible(text).c_str(), bold_); }
  void text(const std::string& value) {
    if (!value.empty()) worksheet_write_string(sheet_, row_, column_, visible(value).c_str(), nullptr);
    ++column_;
  }
  void number(const std::optional<double>& value) {
    if (value) worksheet_write_number(sheet_, row_, column_, *value, nullptr);
    ++column_;
  }
  void field(const FieldValue& value) {
    if (const auto* n = std::get_if<double>(&value)) return number(*n);
    if (const auto* flag = std::get_if<bool>(&value)) return text(*flag ? "true" : "false");
    if (const auto* t = std::get_if<std::string>(&value)) return text(*t);
    std::string list;
    if (const auto* items = std::get_if<std::vector<std::string>>(&value)) {
      for (const std::string& item : *items) list.append(list.empty() ? "" : "; ").append(item);
    }
    text(list);
  }
  void next_row() {
    ++row_;
    column_ = 0;
  }
  void finish(double width) {
    worksheet_freeze_panes(sheet_, 1, 0);
    worksheet_set_column(sheet_, 0, 1, width, nullptr);
  }

 private:
  lxw_worksheet* sheet_;
  lxw_format* bold_;
  lxw_row_t row_ = 0;
  lxw_col_t column_ = 0;
};

void write_summary(const ReportModel& model, lxw_workbook* book) {
  SheetWriter sheet(book, "summary");
  const ReportTable table = summary_table(model);
  for (const std::string& title : table.titles) sheet.head(title);
  for (const std::vector<FieldValue>& row : table.rows) {
    sheet.next_row();
    for (const FieldValue& value : row) sheet.field(value);
  }
  sheet.finish(34);
}

void write_costs(const ReportModel& model, lxw_workbook* book) {
  SheetWriter sheet(book, "costs");
  for (const char* title : {"chip", "model", "dtype", "token class", "way", "used", "CNY/100K", "low 95 %", "high 95 %",
                            "CNY/1M", "electricity CNY/100K", "CNY/h", "basis", "price basis", "missing"}) {
    sheet.head(title);
  }
  const auto times = [](const std::optional<double>& v, double by) {
    return v ? std::optional<double>(*v * by) : std::nullopt;
  };
  for (const ReportCost& c : model.costs) {
    sheet.next_row();
    sheet.text(chip_name(model, c.chip));
    sheet.text(c.model);
    sheet.text(c.variant.empty() ? c.dtype : c.dtype + " " + c.variant);
    const bool known = c.missing.empty();
    const Amount none, &amount = known ? c.cost.of(c.cost.headline) : none;
    sheet.text(known ? token_class_name(c.cost.headline) : "");
    const std::optional<Estimate>& use = c.inputs.at(CostInput::kUtilisation);
    sheet.text(known ? way_text(c.inputs) : "");
    if (use && use->confidential) {
      sheet.text(use_text(c.inputs));
    } else {
      sheet.number(use ? std::optional<double>(use->typical) : std::nullopt);
    }
    sheet.number(times(amount.value, 1e5));
    const bool bounded = amount.value && !std::isnan(amount.interval.low);
    sheet.number(bounded ? std::optional<double>(amount.interval.low * 1e5) : std::nullopt);
    sheet.number(bounded ? std::optional<double>(amount.interval.high * 1e5) : std::nullopt);
    sheet.number(times(amount.value, 1e6));
    if (known && c.inputs.rented) {
      sheet.text("in the rent");
    } else {
      sheet.number(known ? times(c.cost.floor_of(c.cost.headline).value, 1e5) : std::nullopt);
    }
    sheet.number(known && !hour_is_confidential(c.inputs) ? c.cost.per_hour.value : std::nullopt);
    sheet.text(c.basis);
    sheet.text(known ? c.cost.price_basis : "");
    sheet.text(c.missing);
  }
  sheet.finish(30);
}

void write_rows(const ReportModel& model, lxw_workbook* book) {
  SheetWriter sheet(book, "records");
  sheet.head("chip_name");
  sheet.head("case_id");
  for (const ReportField& field : report_fields(ReportRow{})) sheet.head(field.name);
  for (const ReportRow& row : model.rows) {
    sheet.next_row();
    sheet.text(chip_name(model, row.chip));
    sheet.text(model.cases[row.test_case].id);
    for (const ReportField& field : report_fields(row)) sheet.field(field.value);
  }
  sheet.finish(34);
}

}  // namespace

Result<std::string> report_xlsx(const ReportModel& model) {
  const TemporaryFolder folder;
  if (folder.path().empty()) return Error{ErrorKind::kIo, "can't create a temporary folder"};
  const std::string path = folder.path() + "/report.xlsx";
  lxw_workbook* book = workbook_new(path.c_str());
  write_summary(model, book);
  if (!model.costs.empty()) write_costs(model, book);
  write_rows(model, book);
  const lxw_error error = workbook_close(book);
  if (error != LXW_NO_ERROR) return Error{ErrorKind::kIo, std::string("xlsx: ") + lxw_strerror(error)};
  return read_text_file(path);
}

}  // namespace assay
