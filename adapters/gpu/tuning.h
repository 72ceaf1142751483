// What timing decided on an earlier run, kept in a file: one line per device, driver, library and shape.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace assay::gpu {

// FNV-1a of a text, 16 hexadecimal digits: half a text, or one changed by hand, has another.
std::string check_of(const std::string& text);

// A product library's algorithm: its opaque words, what workspace it needs, what it took.
struct Tuned {
  std::vector<uint64_t> algorithm;
  uint64_t workspace = 0;
  double ns = 0;
  unsigned candidates = 1;  // how many were asked for when it was found the fastest
};

class TuningFile {
 public:
  // `identity` names device, driver and library with their versions: another machine's lines are no use here. `words`:
  // how many an algorithm of this library has. An empty path: nothing is kept.
  TuningFile(std::string path, std::string identity, size_t words);
  // nullptr: not known.
  [[nodiscard]] const Tuned* find(const std::string& shape) const;
  // Adds one and writes the file anew, by rename, with what others added meanwhile: writers wait for each other. "" or
  // why it can't be written.
  std::string keep(const std::string& shape, const Tuned& tuned);
  void forget(const std::string& shape) { known_.erase(shape); }
  [[nodiscard]] const std::string& path() const { return path_; }
  // "" or what was found in the file that could not be used: broken lines, and those of another identity.
  [[nodiscard]] std::string complaint() const;
  [[nodiscard]] std::string others() const;

 private:
  using Lines = std::map<std::string, Tuned>;  // by identity and shape, a tab between them
  struct Contents {
    Lines lines;
    uint64_t unreadable = 0, foreign = 0;
  };
  [[nodiscard]] Contents read() const;

  std::string path_, identity_;
  size_t words_;
  std::map<std::string, Tuned> known_;  // of this identity, by shape
  uint64_t unreadable_ = 0, foreign_ = 0;
};

}  // namespace assay::gpu
