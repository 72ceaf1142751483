#include "results/zstd_frame.h"

#include <zstd.h>

#include <memory>

namespace assay {

std::string zstd_compress(std::string_view bytes, int level) {
  thread_local const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  std::string frame(ZSTD_compressBound(bytes.size()), '\0');
  // Fails only where the buffer is below the bound.
  frame.resize(ZSTD_compressCCtx(context.get(), frame.data(), frame.size(), bytes.data(), bytes.size(), level));
  return frame;
}

std::optional<std::string> zstd_decompress(std::string_view frame, uint64_t max_bytes, std::string* why) {
  thread_local const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    *why = "expected a zstd frame that states its size, found something else";
    return std::nullopt;
  }
  if (size > max_bytes) {
    *why = "expected at most " + std::to_string(max_bytes) + " bytes, found a frame of " + std::to_string(size);
    return std::nullopt;
  }
  std::string bytes(static_cast<size_t>(size), '\0');
  const size_t written = ZSTD_decompressDCtx(context.get(), bytes.data(), bytes.size(), frame.data(), frame.size());
  if (ZSTD_isError(written) != 0 || written != bytes.size()) {
    *why = std::string("damaged zstd frame: ") +
           (ZSTD_isError(written) != 0 ? ZSTD_getErrorName(written) : "shorter than it states");
    return std::nullopt;
  }
  return bytes;
}

}  // namespace assay
