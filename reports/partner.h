// Which group of one side is compared with which of the other.
#pragma once

#include <map>
#include <optional>
#include <vector>

namespace assay {

// The key among the others with which a group is compared: the same work with the same options of the adapter, or,
// where each side has one group of the work left, that one, whose options are then a cause of what differs. A Key has
// work(), `options` (a text) and an order by work() and then `options`.
template <typename Key, typename Value>
std::optional<Key> partner_of(const Key& key, const std::map<Key, Value>& own, const std::map<Key, Value>& others) {
  if (others.count(key) != 0) return key;
  const auto left = [&key](const std::map<Key, Value>& of, const std::map<Key, Value>& beside) {
    std::vector<Key> out;
    Key first = key;
    first.options.clear();
    for (auto at = of.lower_bound(first); at != of.end() && at->first.work() == key.work(); ++at) {
      if (beside.count(at->first) == 0) out.push_back(at->first);
    }
    return out;
  };
  const std::vector<Key> here = left(own, others), there = left(others, own);
  return here.size() == 1 && there.size() == 1 ? std::optional(there.front()) : std::nullopt;
}

}  // namespace assay
