// The logs: each entry of the journal belongs to exactly one, its merchant's or the operator's of
// the year it happened in. Each log is a Merkle tree; all are derived from the journal.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "audit/entry_view.h"
#include "audit/frame.h"
#include "audit/merkle.h"
#include "audit/note.h"
#include "base/result.h"

namespace strongroom::audit {

inline constexpr std::string_view kOperator = "operator";

// True for a merchant id that names a log: 1 to 64 of A-Z a-z 0-9 _ and -, a letter first, at most
// seven digits behind the last letter (with more, and a year, an origin could look like a card
// number), and not "operator". An entry with any other belongs to the operator's log.
[[nodiscard]] bool names_a_log(std::string_view merchant_id) noexcept;

// True for the name of an operator's log.
[[nodiscard]] bool is_operators(std::string_view log_name) noexcept;

// Whose log the entries of `merchant_id`, or `entry`, belong to: its own, or kOperator.
[[nodiscard]] std::string_view log_owner(std::string_view merchant_id) noexcept;
[[nodiscard]] std::string_view log_owner(const EntryView& entry) noexcept;

// 20261122T150000Z of a timestamp, 2026-11-22T15:00:00.000Z.
[[nodiscard]] std::string break_time(std::string_view timestamp);

// The operator's log that a break at that time begins.
[[nodiscard]] std::string log_of_break(std::string_view broken_at);

// LogNames names the log of each entry of a journal, read in order: "<owner>-<shard>". A shard is
// the entry's year, UTC; from a log.break on, its year and those before it are
// "<year>b<time of the break>", as in 2026b20261122T150000Z: what was signed for under the plain
// names may be of another history. The letter keeps the digits of both apart.
class LogNames {
 public:
  LogNames() = default;
  // Goes on as one that gave `broken_at`.
  explicit LogNames(std::string broken_at) : broken_at_(std::move(broken_at)) {}
  // Of what is the journal's next entry if it comes to stand there; valid until the next call.
  [[nodiscard]] const std::string& of(const EntryView& entry);
  // `entry` is in the journal.
  void took(const EntryView& entry);
  // The time of the last log.break; empty when there was none.
  [[nodiscard]] const std::string& broken_at() const noexcept { return broken_at_; }

 private:
  std::string broken_at_;
  std::string name_;
};

// Where logs stand: "<trust domain>/<instance>"; an origin is "<place>/<owner>/<shard>". Every
// origin at the place can be an entry's resource as it is. invalid_argument: not with these names.
[[nodiscard]] Result<std::string> log_place(std::string_view trust_domain,
                                            std::string_view instance);
[[nodiscard]] std::string log_origin(std::string_view place, std::string_view log_name);
// The place in an origin; invalid_argument.
[[nodiscard]] Result<std::string> place_of_origin(std::string_view origin);
// The name of the log in an origin at `place`; invalid_argument.
[[nodiscard]] Result<std::string> name_of_origin(std::string_view place, std::string_view origin);

// True for what LogNames gives for some entry.
[[nodiscard]] bool is_log_name(std::string_view name) noexcept;

// What a log has gained since somebody last took this, for its files (tree_files.h).
struct LogGrowth {
  std::uint64_t old_size = 0;             // entries before
  std::vector<std::vector<Hash>> levels;  // the hashes that each tile level gained
  std::vector<FramePlace> places;         // of the entries in the journal
  [[nodiscard]] bool empty() const noexcept { return places.empty(); }
  // Takes in what came right after it.
  void join(LogGrowth later);
};
// About what an entry adds to a LogGrowth.
inline constexpr std::size_t kGrowthBytesPerEntry = sizeof(Hash) + sizeof(FramePlace);

struct Log {
  std::string name;
  MerkleTree tree;
  LogGrowth growth;
  std::uint64_t recorded_size = 0;  // as the newest log.checkpoint says
};

// All logs by name. One thread.
class Logs {
 public:
  Logs() = default;
  explicit Logs(std::string broken_at) : names_(std::move(broken_at)) {}

  // The log of what is the journal's next entry if it comes to stand there; without entries when
  // this is its first one. Valid as long as *this.
  Log& of(const EntryView& entry);
  // The same where it is there already; else null.
  [[nodiscard]] Log* known(const EntryView& entry) { return find(names_.of(entry)); }
  // The entry is in the journal: appends its leaf hash and place to `log`, which is of(entry).
  void append(Log& log, const EntryView& entry, const Hash& leaf, const FramePlace& place);
  // The newest of the owner's logs that has an entry; null when none has.
  [[nodiscard]] const Log* newest_of(std::string_view owner) const;
  // Null when there is none of this name.
  [[nodiscard]] Log* find(std::string_view name);
  // Puts back a log as it was. REQUIRES: there is none of its name.
  void restore(Log log);

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Map = std::unordered_map<std::string, Log, TextHash, std::equal_to<>>;
  [[nodiscard]] Map& all() noexcept { return logs_; }
  [[nodiscard]] const Map& all() const noexcept { return logs_; }
  [[nodiscard]] const std::string& broken_at() const noexcept { return names_.broken_at(); }
  // Names what comes as if there had been no break.
  void forget_break() { names_ = {}; }

 private:
  void note_newest(const Log& log);

  LogNames names_;
  Map logs_;
  std::unordered_map<std::string, const Log*, TextHash, std::equal_to<>> newest_;  // by owner
};

}  // namespace strongroom::audit
