// What part of a model a record is of, and what else sets it apart from others of its case.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "results/record.h"

namespace assay {

struct MeasuredRecord;

// Whether the record ran fewer layers or fewer experts than the model has: its rate is the part's.
bool is_part(const Record& record);
// "steal 4.1 %, gaps 3.2 %"; "" where nothing disturbed the run.
std::string disturbance(const Record& record);
// What part of the model a record ran, "2/24 layers, 8/64 experts"; "" where it was the whole.
std::string part_text(const Record& record);

// Whether a record is of a chunk of a prompt behind a context: slower than a prompt of its length, and no prompt.
bool is_chunk(const Record& record);
// What a step is a piece of that was measured apart: "chunk of 512 tokens of a prompt, behind 4096", "VAE tile of a
// clip"; "" where it is a whole prompt or token.
std::string piece_text(const std::string& step_kind, int64_t tokens, int64_t context);
std::string piece_text(const Record& record);  // "" where others report it

// "in pages of 16 tokens, in the order of seed 1": the KV cache of the record's case; "" where each sequence has one
// block.
std::string pages_text(const Record& record);
// What a record keeps of an adapter's options, the first of a key. It goes to others, whom this machine's folders don't
// concern: of a path stays the name of its file, and where an adapter remembers what it found (`cache_dir`) is left
// out, unless it may not (`off`).
std::map<std::string, std::string> kept_options(const std::vector<std::pair<std::string, std::string>>& options);
// "attention=own products=own": what the user set of the adapter, as kept_options() has it; "" where nothing, or where
// it isn't known.
std::string adapter_options_text(const Record& record);

// Threads that computed the steps. None where a device of its own does: there `threads` counts but the harness's
// helpers on the host.
std::optional<int> compute_threads(const Record& record);
// "products=own threads=2": what the user chose of the device. Runs that differ in it are no repeats of each other.
std::string setup_text(const Record& record);

// The same among given records, which names threads where runs of one device differ in them, and only there.
class Setups {
 public:
  explicit Setups(const std::vector<Record>& records);
  explicit Setups(const std::vector<const Record*>& records);
  explicit Setups(const std::vector<MeasuredRecord>& records);
  [[nodiscard]] std::string threads(const Record& record) const;  // "2"; "" where they need no name
  [[nodiscard]] std::string of(const Record& record) const;       // "products=own threads=2"

 private:
  void add(const Record& record);
  std::map<std::string, std::set<int>> threads_;  // by device
};

}  // namespace assay
