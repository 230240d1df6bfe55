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

// True for a merchant id that names a log: 1 to 64 of A-Z a-z 0-9 _ and -, and not "operator". An
// entry with any other belongs to the operator's log.
[[nodiscard]] bool names_a_log(std::string_view merchant_id) noexcept;

// True for the name of an operator's log.
[[nodiscard]] bool is_operators(std::string_view log_name) noexcept;

// Name of the log that `entry` belongs to: "<merchant id or operator>-<year>", UTC.
[[nodiscard]] std::string log_name(const EntryView& entry);
// The same into `out`, for paths that look at every entry.
void log_name(const EntryView& entry, std::string& out);

// Where logs stand: "<trust domain>/<instance>"; an origin is "<place>/<owner>/<year>".
[[nodiscard]] std::string log_origin(std::string_view place, std::string_view log_name);
// The place in an origin; invalid_argument.
[[nodiscard]] Result<std::string> place_of_origin(std::string_view origin);
// The name of the log in an origin at `place`; invalid_argument.
[[nodiscard]] Result<std::string> name_of_origin(std::string_view place, std::string_view origin);

// True for what log_name() gives for some entry.
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
  MerkleTree tree;
  LogGrowth growth;
};

// All logs by name. One thread.
class Logs {
 public:
  // Appends an entry, given as its leaf hash and place, to its log, which begins with its first
  // entry.
  Log& append(const EntryView& entry, const Hash& leaf, const FramePlace& place);

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Map = std::unordered_map<std::string, Log, TextHash, std::equal_to<>>;
  [[nodiscard]] Map& all() noexcept { return logs_; }
  [[nodiscard]] const Map& all() const noexcept { return logs_; }
  // Name of the log that the last append() went to.
  [[nodiscard]] const std::string& last_name() const noexcept { return name_; }

 private:
  Map logs_;
  std::string name_;
};

}  // namespace strongroom::audit
