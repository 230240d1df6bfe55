// UidWindow remembers the last uids of one writer, so that an entry which is sent again because its
// acknowledgement was lost stands in the journal once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "base/id.h"

namespace strongroom::auditd {

// More than all clients of an instance ever have unacknowledged together (8 workers, each with
// 8,192 records and as many outcomes): what may still be repeated is always remembered.
inline constexpr std::size_t kUidWindow = 131'072;

// The random half of a UUID v7 is its own hash, its last bits above all: the first two are fixed.
struct IdHash {
  template <class Tag>
  std::size_t operator()(const Id<Tag>& id) const noexcept {
    return read_u64be(std::span(id.bytes).template subspan<8>());
  }
};

// A set that forgets all at once. Flat, as most look-ups find nothing and should miss the cache
// once.
class UidSet {
 public:
  [[nodiscard]] bool contains(const EntryId& uid) const {
    return !slots_.empty() && slots_[slot_of(uid)] != 0;
  }
  // False when it is there.
  bool add(const EntryId& uid) {
    if (2 * uids_.size() >= slots_.size()) grow();
    std::uint32_t& slot = slots_[slot_of(uid)];
    if (slot != 0) return false;
    uids_.push_back(uid);
    slot = static_cast<std::uint32_t>(uids_.size());
    return true;
  }
  void clear() {
    if (uids_.empty()) return;
    uids_.clear();
    std::ranges::fill(slots_, 0);
  }
  // In the order in which they came.
  [[nodiscard]] const std::vector<EntryId>& uids() const noexcept { return uids_; }

 private:
  // Where `uid` is, or the free slot where it belongs.
  [[nodiscard]] std::size_t slot_of(const EntryId& uid) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = IdHash()(uid) & mask;
    while (slots_[at] != 0 && uids_[slots_[at] - 1] != uid) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    constexpr std::size_t kSlotsMin = 64;
    slots_.assign(std::max(kSlotsMin, 2 * slots_.size()), 0);
    for (std::uint32_t place = 0; place < uids_.size(); ++place) {
      slots_[slot_of(uids_[place])] = place + 1;
    }
  }

  std::vector<EntryId> uids_;
  std::vector<std::uint32_t> slots_;  // a power of two; 1 + a place in uids_, or 0: free
};

class UidWindow {
 public:
  [[nodiscard]] bool contains(const EntryId& uid) const {
    return newer_.contains(uid) || older_.contains(uid);
  }
  // The last kUidWindow, oldest first.
  [[nodiscard]] std::vector<EntryId> uids() const {
    const std::vector<EntryId>&older = older_.uids(), &newer = newer_.uids();
    const std::size_t wanted = std::min(older.size(), kUidWindow - newer.size());
    std::vector<EntryId> uids(older.end() - static_cast<std::ptrdiff_t>(wanted), older.end());
    uids.insert(uids.end(), newer.begin(), newer.end());
    return uids;
  }
  // Forgets the oldest kUidWindow when it has twice as many.
  void add(const EntryId& uid) {
    if (contains(uid)) return;
    if (newer_.uids().size() == kUidWindow) {
      std::swap(newer_, older_);
      newer_.clear();
    }
    newer_.add(uid);
  }

 private:
  UidSet older_, newer_;  // kUidWindow each at most
};

}  // namespace strongroom::auditd
