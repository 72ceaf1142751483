// One zstd frame in memory. Contexts are kept per thread: making one costs more than a small frame.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

std::string zstd_compress(std::string_view bytes, int level);
// nullopt: no frame that states its size, over `max_bytes` by its own statement, or damaged; `why` says which.
std::optional<std::string> zstd_decompress(std::string_view frame, uint64_t max_bytes, std::string* why);

}  // namespace assay
