#include "results/import/import.h"

#include "harness/cli/common.h"
#include "harness/cli/terminal.h"
#include "harness/run/build_info.h"

namespace assay {
namespace {

constexpr char kDefaultFolder[] = "assay-out/imported";

// All files are read before the first record is written: a bad one leaves nothing behind.
Result<std::vector<Record>> read_all(const Arguments& arguments) {
  std::vector<Record> records;
  for (const std::string& file : arguments.operands()) {
    Result<std::vector<Record>> found = import_file(file, arguments.text("format"));
    if (!found.ok()) return found.error();
    if (arguments.has("chips")) {
      const Result<int64_t> chips = integer_value("--chips", arguments.text("chips"), 1, 1 << 20);
      if (!chips.ok()) return chips.error();
      if (const Status given = give_accelerators(*chips, &*found); !given.ok()) return given.error();
    }
    for (Record& r : *found) records.push_back(std::move(r));
  }
  for (Record& r : records) {
    r.tool_version = tool_version();
    r.tool_commit = tool_commit();
    r.build_flags = build_flags();
  }
  return records;
}

Result<int> run_import(const Arguments& arguments) {
  Result<std::vector<Record>> records = read_all(arguments);
  if (!records.ok()) return records.error();
  const std::string folder = arguments.has("out") ? arguments.text("out") : kDefaultFolder;
  for (Record& r : *records) {
    const Result<std::filesystem::path> written = write_record(r, folder);
    if (!written.ok()) return written.error();
  }
  const TableFormat format = arguments.has("json") ? TableFormat::kJson : TableFormat::kText;
  put_table(render_table(*records, format, stdout_options()));
  put_note(std::to_string(records->size()) + (records->size() == 1 ? " reported record in " : " reported records in ") +
           folder);
  return kExitOk;
}

}  // namespace

CommandSpec import_command() {
  CommandSpec spec;
  spec.name = "import";
  spec.summary = "results that other tools published, as reported records";
  spec.operands = "FILE...";
  spec.min_operands = 1;
  spec.max_operands = 1 << 16;
  spec.complete = Complete::kFile;
  spec.about =
      "Reads result files of other benchmarks into records. Their basis is \"reported\": the figures are the source's, "
      "each with the formula behind its name, and what the source does not say stays absent. A file that is not what "
      "it claims to be is refused, and then nothing is written.";
  std::vector<std::string> names;
  for (const ImportFormat& f : import_formats()) {
    names.push_back(f.name);
    spec.about += "\n  " + f.name + ": " + f.title;
  }
  spec.options = {
      {"out", "FOLDER", std::string("where the records go (") + kDefaultFolder + ")", Complete::kFolder, {}, false},
      {"chips", "N", "accelerators behind the figures, where the source doesn't say", Complete::kNothing, {}, false},
      {"format", "FORMAT", "what the files are, instead of finding out", Complete::kWords, names, false},
      json_option()};
  spec.examples = {{"assay import summary_results.json", "a published round of MLPerf Inference"},
                   {"assay import --out reported bench-*.json", "several files into one folder"},
                   {"assay import --chips 2 vllm-serve.json", "of 2 accelerators: then it has a cost"},
                   {"assay show reported", "what was imported, marked as reported"}};
  spec.run = run_import;
  return spec;
}

}  // namespace assay
