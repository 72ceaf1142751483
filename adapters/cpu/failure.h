// Inside the adapter a failed call throws this; entry.cpp turns it into a status and a text at the C edge.
#pragma once

#include <stdexcept>
#include <string>

#include "adapters/abi/assay_adapter.h"

namespace assay::cpu {

class Failure : public std::runtime_error {
 public:
  Failure(assay_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  [[nodiscard]] assay_status status() const { return status_; }

 private:
  assay_status status_;
};

}  // namespace assay::cpu
