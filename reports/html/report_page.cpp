#include "reports/html/report_page.h"

namespace assay {
namespace {

Status fill(const std::string& mark, const std::string& text, std::string* page) {
  const size_t at = page->find(mark);
  if (at == std::string::npos) return Error{ErrorKind::kInternal, "the report's page has no " + mark};
  page->replace(at, mark.size(), text);
  return ok_status();
}

}  // namespace

Result<std::string> report_page(const std::string& page, const std::string& model_json, const std::string& lang) {
  std::string out = page;
  out.reserve(page.size() + model_json.size());
  // The language stands before the model, which may hold any text.
  for (const auto& [mark, text] : {std::pair<std::string, const std::string&>{"{{lang}}", lang},
                                   std::pair<std::string, const std::string&>{"{{model}}", model_json}}) {
    const Status filled = fill(mark, text, &out);
    if (!filled.ok()) return filled.error();
  }
  return out;
}

}  // namespace assay
