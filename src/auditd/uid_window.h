// UidWindow remembers the last uids of one writer, so that an entry which is sent again because its
// acknowledgement was lost stands in the journal once.
#pragma once

#include <cstring>
#include <deque>
#include <unordered_set>
#include <vector>

#include "base/id.h"

namespace strongroom::auditd {

// More than all clients of an instance ever have unacknowledged together (8 workers, each with
// 8,192 records and as many outcomes): what may still be repeated is always remembered.
inline constexpr std::size_t kUidWindow = 131'072;

// The random half of a UUID v7 is its own hash.
struct IdHash {
  template <class Tag>
  std::size_t operator()(const Id<Tag>& id) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, id.bytes.data() + 8, sizeof(hash));
    return hash;
  }
};

class UidWindow {
 public:
  [[nodiscard]] bool contains(const EntryId& uid) const { return set_.contains(uid); }
  // Oldest first.
  [[nodiscard]] std::vector<EntryId> uids() const { return {order_.begin(), order_.end()}; }
  // Forgets the oldest when the window is full.
  void add(const EntryId& uid) {
    if (!set_.insert(uid).second) return;
    order_.push_back(uid);
    if (order_.size() <= kUidWindow) return;
    set_.erase(order_.front());
    order_.pop_front();
  }

 private:
  std::deque<EntryId> order_;
  std::unordered_set<EntryId, IdHash> set_;
};

}  // namespace strongroom::auditd
