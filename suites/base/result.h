// Result<T>: a value or an Error; exceptions stop at module edges.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace assay {

// What a caller must do about it: kBadInput ends the program with exit code 2.
enum class ErrorKind { kBadInput, kUnsupported, kOutOfMemory, kIo, kAdapter, kTimeout, kInternal };

// One thing that is wrong with a file.
struct Fault {
  int64_t line = 0;     // 1-based; 0: the file as a whole
  std::string message;  // field, what was expected, what was found
};

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;          // where, what was expected, what was found; no trailing newline
  std::vector<Fault> faults{};  // of a file: all that is wrong with it, by line
};

inline Error bad_input(std::string message) { return {ErrorKind::kBadInput, std::move(message)}; }

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & {
    assert(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    assert(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    assert(ok());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  [[nodiscard]] const Error& error() const {
    assert(!ok());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

struct Unit {};
using Status = Result<Unit>;
inline Status ok_status() { return Unit{}; }

}  // namespace assay
