// Erasure: what the entries of an audit log show of the end of a card. Pure: whoever calls it has
// read the entries, and proves that they are in the log.
//
// A deleted card's ciphertext lives on in every older copy of the database. It opens with the
// card's key (DEK), which is wrapped under the versions of pan-encryption that were in use from the
// card's creation to its deletion. So a card is erased when those versions, all of them, are
// destroyed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/entry.h"
#include "audit/entry_view.h"
#include "audit/frame.h"
#include "base/result.h"

namespace strongroom::ops {

// An entry, and where it stands. Entries of different logs are one after the other by their places
// in the journal, not by their times: clocks jump.
struct LoggedEntry {
  audit::Entry entry;
  std::string log;
  std::uint64_t index = 0;
  audit::FramePlace place;
};

enum class ErasureStep : std::uint8_t {
  created,
  last_used,  // where it was used at all
  deleted,
  rotated,    // to a version that was never in use for this card
  rewrapped,  // no card is under the version any more
  destroyed,
};
[[nodiscard]] std::string_view name(ErasureStep step) noexcept;  // "last_used"

// A step of the chain. An entry is an index into what was judged; none: the log does not show it.
struct ErasureLink {
  ErasureStep step = ErasureStep::created;
  std::uint32_t version = 0;  // of pan-encryption: of rotated, rewrapped and destroyed
  std::optional<std::size_t> entry{};
  // It stands in the way of the verdict. A creation that is not shown does not: then every version
  // from the first on must be destroyed. Nor does a re-wrap, once the version is destroyed.
  bool needed = false;
  bool operator==(const ErasureLink&) const = default;
};

enum class ErasureVerdict : std::uint8_t { unknown_token, not_yet, erased };
[[nodiscard]] std::string_view name(ErasureVerdict verdict) noexcept;  // "not_yet"

struct Erasure {
  ErasureVerdict verdict = ErasureVerdict::unknown_token;
  std::vector<ErasureLink> chain{};  // in the order of steps, versions ascending
  // Entries that speak against the deletion: the card was used a minute after it or later; the
  // database was put back to a copy that may be older and nothing deleted the card again; a copy of
  // the keys may give back a version that is destroyed, or something was put back since.
  std::vector<std::size_t> against{};
  // The journal's segment (its first sequence) where the oldest of these versions was made: what
  // stands behind its beginning may speak against the verdict. 0: it is not shown.
  std::uint64_t since = 0;
};

// Whether judge_erasure() looks at such an entry.
[[nodiscard]] bool concerns_erasure(const audit::EntryView& entry, std::string_view token) noexcept;

// The entry, where it concerns erasure, else none. corrupt: it is not what auditd writes.
[[nodiscard]] Result<std::optional<audit::Entry>> read_for_erasure(std::string_view json,
                                                                   std::string_view token);

// What `entries`, in any order, show of the card of `token`. The fewer there are the less is shown,
// but for those that speak against it, which must not be missing behind the deletion.
[[nodiscard]] Erasure judge_erasure(std::span<const LoggedEntry> entries, std::string_view token);

// What no entry of the log can show, in words for whoever relies on the proof.
[[nodiscard]] std::span<const std::string_view> outside_of_erasure_proof() noexcept;

}  // namespace strongroom::ops
