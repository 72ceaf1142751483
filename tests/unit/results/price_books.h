// The shipped price book, and parts of one that a test writes.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "results/prices/price_book.h"

namespace assay::price_books {

inline PriceBook shipped() {
  Result<PriceBook> book = read_price_book(ASSAY_SOURCE_DIR "/results/prices/shipped.json");
  EXPECT_TRUE(book.ok()) << book.error().message;
  return book.ok() ? *book : PriceBook{};
}

inline std::string cell(const std::string& figures) {
  return "{" + figures + ", \"date\": \"2026-11\", \"source\": \"offer 17\", \"grade\": \"V\"}";
}
inline std::string book_with(const std::string& members) {
  return R"({"schema_version": 1, "name": "mine", "date": "2026-11-20", )" + members + "}";
}
inline std::string chip_with(const std::string& members) { return R"("chips": [{"id": "h100-sxm", )" + members + "}]"; }

}  // namespace assay::price_books
