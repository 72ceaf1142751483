// The columns of a store's headline table and how they bind: one list, so that schema, insert and select agree.
#pragma once

#include <string>

#include "results/store/sqlite.h"
#include "results/store/store.h"

namespace assay {

std::string headline_schema();  // column definitions
std::string headline_insert();  // INSERT OR IGNORE with all columns as parameters
std::string headline_select();  // SELECT of all columns FROM record
void bind_headline(const Headline& headline, sqlite::Statement& insert);
Headline read_headline(const sqlite::Statement& row);

}  // namespace assay
