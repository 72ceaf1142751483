/* Compiled as C11, C++17 and C++20 with every warning an error: the header alone, twice, and its macros in use. */
#include "adapters/abi/assay_adapter.h"

int assay_header_check(const assay_program_table* table);
int assay_header_check(const assay_program_table* table) { return ASSAY_HAS(table, assay_program_table, info) ? 1 : 0; }
