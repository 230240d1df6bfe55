#include "connected/relay/log_files.h"

#include <utility>

#include "audit/checkpoint_files.h"
#include "audit/note.h"
#include "audit/proof.h"
#include "audit/proof_file.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::connected::relay {
namespace {

constexpr Error kNotInTheTree{ErrorCode::not_found, "not in the tree of the newest checkpoint"};

// What is not signed for is not shown: it could still become another.
Result<void> require_signed(audit::LogReader& reader, const audit::TileId& tile) {
  SR_TRY(const std::string note, reader.newest_note());
  SR_TRY(const std::uint64_t size, size_of_note(note));
  if (!audit::is_in_tree(tile, size)) return fail(kNotInTheTree);
  return {};
}

std::string text_of(const std::vector<std::byte>& bytes) { return std::string(as_text(bytes)); }

}  // namespace

Result<std::uint64_t> size_of_note(std::string_view text) {
  const auto note = audit::parse_note(text);
  const auto checkpoint = note ? audit::parse_checkpoint_text(note->text)
                               : Result<audit::Checkpoint>(fail(note.error()));
  if (!checkpoint) return fail({ErrorCode::corrupt, "the newest checkpoint is damaged"});
  return checkpoint->size;
}

Result<audit::LogReader> LogFiles::open(std::string_view log) const {
  return audit::LogReader::open(files_, directory_, std::string(log));
}

Result<std::string> LogFiles::checkpoint(std::string_view log) const {
  SR_TRY(audit::LogReader reader, open(log));
  return reader.newest_note();
}

Result<std::string> LogFiles::tile(std::string_view log, const audit::TileId& tile) const {
  SR_TRY(audit::LogReader reader, open(log));
  SR_CHECK_OK(require_signed(reader, tile));
  SR_TRY(const std::vector<std::byte> bytes, reader.tile(tile));
  return text_of(bytes);
}

Result<std::string> LogFiles::bundle(std::string_view log, const audit::TileId& tile) const {
  SR_TRY(audit::LogReader reader, open(log));
  SR_CHECK_OK(require_signed(reader, tile));
  SR_TRY(const std::vector<std::byte> bytes, reader.bundle(tile));
  return text_of(bytes);
}

Result<std::string> LogFiles::proof(std::string_view log, std::uint64_t index) const {
  SR_TRY(std::string note, checkpoint(log));
  return proof_to(std::move(note), log, index);
}

Result<std::string> LogFiles::proof_to(std::string note, std::string_view log,
                                       std::uint64_t index) const {
  SR_TRY(audit::LogReader reader, open(log));
  SR_TRY(const std::uint64_t size, size_of_note(note));
  if (index >= size) return fail(kNotInTheTree);
  SR_TRY(std::vector<audit::Hash> proof, audit::inclusion_proof(reader, index, size));
  return audit::proof_file_text(
      {.index = index, .proof = std::move(proof), .checkpoint = std::move(note)});
}

Result<std::string> LogFiles::cosigned(std::string_view log) const {
  SR_TRY(audit::LogReader reader, open(log));
  return reader.cosigned_note();
}

Result<std::optional<std::string>> LogFiles::note_of(std::string_view log,
                                                     const audit::Checkpoint& checkpoint) const {
  SR_TRY(const auto file,
         files_.open(audit::checkpoint_path(directory_, log), audit::OpenMode::read));
  return audit::find_note(*file, checkpoint);
}

Result<std::vector<std::string>> LogFiles::entries(std::span<const EntryPlace> places) const {
  std::vector<std::string> entries;
  entries.reserve(places.size());
  std::optional<audit::LogReader> reader;
  for (const EntryPlace& place : places) {
    if (!reader || reader->log_name() != place.log) {
      reader.reset();
      auto opened = open(place.log);
      if (opened) {
        reader.emplace(*std::move(opened));
      } else if (opened.error().code() != ErrorCode::not_found) {
        return fail(opened.error());
      }
    }
    const auto bytes =
        reader ? reader->entry(place.index) : Result<std::vector<std::byte>>(fail(kNotInTheTree));
    const bool is_away = !bytes && (bytes.error().code() == ErrorCode::not_found ||
                                    bytes.error().code() == ErrorCode::gone);
    if (!bytes && !is_away) return fail(bytes.error());
    entries.push_back(bytes ? text_of(*bytes) : std::string());
  }
  return entries;
}

}  // namespace strongroom::connected::relay
