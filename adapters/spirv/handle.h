// What a runtime's create call gave, released at the end.
#pragma once

#include <utility>

namespace assay::spirv {

// T: a pointer that the release call takes; Result: what that call returns.
template <typename T, typename Result>
class Handle {
 public:
  using Release = Result (*)(T);
  Handle() = default;
  Handle(T value, Release release) : value_(value), release_(release) {}
  Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, nullptr)), release_(other.release_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(value_, other.value_);
    std::swap(release_, other.release_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (value_ != nullptr) release_(value_);
  }
  [[nodiscard]] T get() const { return value_; }

 private:
  T value_ = nullptr;
  Release release_ = nullptr;
};

}  // namespace assay::spirv
