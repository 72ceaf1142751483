// Inside the adapter a failed call throws this; entry.cpp turns it into a status and a text at the C edge.
#pragma once

#include "adapters/sdk/adapter.h"

namespace assay::cpu {

using sdk::Failure;

}  // namespace assay::cpu
