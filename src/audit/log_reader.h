// LogReader: one log of DIR/audit as its files show it, read beside a running auditd: its newest
// checkpoint, the hashes and tiles of its tree, and its entries.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "audit/files.h"
#include "audit/proof.h"
#include "audit/tile.h"
#include "audit/tree_files.h"
#include "base/result.h"

namespace strongroom::audit {

// One thread. The tree is never smaller than the newest checkpoint says. What lies behind that, and
// what auditd has yet to make anew at its start, is not_found; unavailable as File has it.
class LogReader final : public HashReader {
 public:
  // `files` outlives the reader; `directory` is DIR/audit. not_found: there is no such log.
  [[nodiscard]] static Result<LogReader> open(Files& files, std::string directory,
                                              std::string log_name);

  [[nodiscard]] const std::string& log_name() const noexcept { return log_name_; }
  // The newest checkpoint as signed: with its cosignatures when witnesses have cosigned that very
  // one. Its signature is not checked. not_found: nothing is signed yet; corrupt.
  [[nodiscard]] Result<std::string> newest_note();
  // The newest checkpoint that witnesses have cosigned, with their lines; no signature is checked.
  // not_found: none has.
  [[nodiscard]] Result<std::string> cosigned_note();
  [[nodiscard]] Result<void> read(unsigned level, std::uint64_t begin,
                                  std::span<Hash> out) override;
  // The bytes of a hash tile.
  [[nodiscard]] Result<std::vector<std::byte>> tile(const TileId& tile);
  // Where in the journal the entry stands.
  [[nodiscard]] Result<FramePlace> place(std::uint64_t index);
  // The entry's bytes from the journal, or from a restored segment. corrupt: its frame is damaged
  // or is not what the tree holds the hash of. gone: its segment has left the journal for the
  // archive (archive.h) that is named after the first sequence in place(), and must be restored
  // first; what was found gone once stays so for this reader.
  [[nodiscard]] Result<std::vector<std::byte>> entry(std::uint64_t index);
  // The bytes of the bundle (entry_bundle.h) of the entries that `tile`, of level 0, holds the
  // hashes of. Errors: as entry().
  [[nodiscard]] Result<std::vector<std::byte>> bundle(const TileId& tile);

 private:
  LogReader(Files& files, std::string directory, std::string log_name);
  Result<std::vector<FramePlace>> places(std::uint64_t begin, std::size_t count);
  Result<std::span<const std::byte>> entry_at(const FramePlace& place, const Hash& leaf);
  Result<File*> segment(std::uint64_t first_sequence);

  Files* files_;
  std::string directory_;
  std::string log_name_;
  std::array<std::unique_ptr<File>, kTreeLevels> levels_;
  std::unique_ptr<File> places_;
  std::unique_ptr<File> segment_;             // null: gone, or none was read yet
  std::uint64_t segment_first_sequence_ = 0;  // of segment_; 0: none was read yet
  std::vector<std::byte> frame_;
};

}  // namespace strongroom::audit
