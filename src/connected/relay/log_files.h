// LogFiles: what one request reads of the audit folder, in the forms of C2SP. It may wait for the
// disk, so it is called on a BlockingPool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/files.h"
#include "audit/log_reader.h"
#include "audit/tile.h"
#include "base/result.h"

namespace strongroom::connected::relay {

// One entry of one log.
struct EntryPlace {
  std::string log;  // "operator-2026"
  std::uint64_t index = 0;
  auto operator<=>(const EntryPlace&) const = default;
};

// Keeps nothing open; thread-safe. Errors of all: not_found (no such log, or not in the tree of its
// newest checkpoint), corrupt, unavailable.
class LogFiles {
 public:
  // `files` outlives it; `directory` is DIR/audit.
  LogFiles(audit::Files& files, std::string directory)
      : files_(files), directory_(std::move(directory)) {}

  // The newest checkpoint as signed, with its cosignatures.
  [[nodiscard]] Result<std::string> checkpoint(std::string_view log) const;
  [[nodiscard]] Result<std::string> tile(std::string_view log, const audit::TileId& tile) const;
  // The entries that `tile`, of level 0, holds the hashes of.
  [[nodiscard]] Result<std::string> bundle(std::string_view log, const audit::TileId& tile) const;
  // The text of a proof file (audit/proof_file.h) to the newest checkpoint.
  [[nodiscard]] Result<std::string> proof(std::string_view log, std::uint64_t index) const;
  // The same to `note`, a checkpoint of the log as it was signed.
  [[nodiscard]] Result<std::string> proof_to(std::string note, std::string_view log,
                                             std::uint64_t index) const;
  // The newest checkpoint of an operator's log that witnesses have cosigned. not_found: none has.
  [[nodiscard]] Result<std::string> cosigned(std::string_view log) const;
  // `checkpoint` of the log as it was signed; nullopt: that is not in its file.
  [[nodiscard]] Result<std::optional<std::string>> note_of(
      std::string_view log, const audit::Checkpoint& checkpoint) const;
  // The entries' exact bytes, in the order of `places`; empty for one that is not_found, as what
  // has been archived is.
  [[nodiscard]] Result<std::vector<std::string>> entries(std::span<const EntryPlace> places) const;

 private:
  [[nodiscard]] Result<audit::LogReader> open(std::string_view log) const;

  audit::Files& files_;
  std::string directory_;
};

// The number of entries that a signed checkpoint speaks of; corrupt.
[[nodiscard]] Result<std::uint64_t> size_of_note(std::string_view note);

}  // namespace strongroom::connected::relay
