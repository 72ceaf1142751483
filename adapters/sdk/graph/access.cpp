#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "adapters/sdk/graph/graph.h"

namespace assay::sdk {

namespace {

constexpr int32_t kUnwritten = INT32_MIN;  // an entry of a page table that the host has not written

[[noreturn]] void invalid(const std::string& text) { throw Failure(ASSAY_INVALID_ARGUMENT, text); }

// The cache that an op's pos must lie in; nullptr: none.
const Slot* cache_of(const std::vector<Slot>& slots, const Op& op) {
  switch (op.kind) {
    case ASSAY_OP_ATTENTION:
      return op.integer(ASSAY_ATTENTION_MASK) == ASSAY_MASK_CROSS ? nullptr : &slots[op.in[1]];
    case ASSAY_OP_KV_APPEND:
    case ASSAY_OP_INDEX_TOPK:
      return &slots[op.in[1]];
    case ASSAY_OP_KV_EXPAND:
      return &slots[op.in[0]];
    default:
      return nullptr;
  }
}

}  // namespace

const Slot& check_range(const std::vector<Slot>& slots, uint32_t tensor, uint64_t offset, uint64_t bytes,
                        const char* verb) {
  const std::string where = std::string(verb) + " of tensor " + std::to_string(tensor) + ": ";
  if (tensor >= slots.size()) {
    invalid(where + "the program has " + std::to_string(slots.size()) + " tensors");
  }
  const Slot& slot = slots[tensor];
  if (slot.role == ASSAY_ROLE_SCRATCH) invalid(where + "its role is SCRATCH");
  const uint64_t size = element_bytes(slot.host_dtype);
  const uint64_t total = slot.elements() * size;
  if (offset > total || bytes > total - offset) {
    invalid(where + "bytes " + std::to_string(offset) + " + " + std::to_string(bytes) + " lie outside its " +
            std::to_string(total));
  }
  if (slot.dtype != slot.host_dtype && (offset % size != 0 || bytes % size != 0)) {
    invalid(where + "the range cuts an element of " + std::to_string(size) + " bytes");
  }
  return slot;
}

void check_scalars(const std::vector<Slot>& slots, const std::vector<Op>& ops, uint32_t n_scalars,
                   const int64_t* scalars) {
  if (n_scalars > 0 && scalars == nullptr) invalid("submit: the scalars are missing");
  for (const Op& op : ops) {
    if (op.scalar_slot == ASSAY_NO_SCALAR) continue;
    const int64_t pos = scalars[op.scalar_slot];
    const std::string where = "submit: op " + std::to_string(op.index) + ": pos " + std::to_string(pos);
    if (pos < 0 || pos > int64_t{1} << 40) invalid(where + " is out of range");
    const Slot* cache = cache_of(slots, op);
    if (cache == nullptr) continue;
    const uint32_t table = op.pages();
    const int64_t sequences = table == kAbsent ? cache->dims[0] : slots[table].rows;
    const int64_t tokens =
        op.kind == ASSAY_OP_KV_EXPAND ? op.integer(ASSAY_KV_EXPAND_TOKENS) : slots[op.in[0]].rows / sequences;
    const int64_t capacity = table == kAbsent ? cache->dims[1] : slots[table].cols * cache->dims[1];
    if (pos + tokens > capacity) {
      invalid(where + " and " + std::to_string(tokens) + " tokens do not fit a KV cache of " +
              std::to_string(capacity));
    }
  }
}

void PageTables::add(uint32_t tensor, const std::vector<int64_t>& dims, int64_t pages) {
  auto table = std::find_if(tables_.begin(), tables_.end(), [&](const Table& t) { return t.tensor == tensor; });
  if (table == tables_.end()) {
    const std::vector<int32_t> unwritten(static_cast<size_t>(dims[0] * dims[1]), kUnwritten);
    table = tables_.insert(table, Table{tensor, pages, unwritten, false});
  }
  table->pages = std::min(table->pages, pages);
}

void PageTables::note(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) {
  for (Table& table : tables_) {
    if (table.tensor != tensor) continue;
    std::memcpy(reinterpret_cast<char*>(table.entries.data()) + offset, src, bytes);
    table.checked = false;
  }
}

void PageTables::check() {
  for (Table& table : tables_) {
    if (table.checked) continue;
    std::vector<bool> used(static_cast<size_t>(table.pages));
    for (size_t i = 0; i < table.entries.size(); ++i) {
      const int32_t page = table.entries[i];
      const bool inside = page >= 0 && page < table.pages;
      const std::string where =
          "submit: page table " + std::to_string(table.tensor) + ", entry " + std::to_string(i) + ": ";
      if (page == kUnwritten) invalid(where + "never written");
      if (!inside || used[static_cast<size_t>(page)]) {
        invalid(where + "page " + std::to_string(page) +
                (inside ? " stands in the table twice" : " of a cache of " + std::to_string(table.pages) + " pages"));
      }
      used[static_cast<size_t>(page)] = true;
    }
    table.checked = true;
  }
}

}  // namespace assay::sdk
