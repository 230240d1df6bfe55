// Cosigned checkpoints, and the snapshot.
#include "audit/side_files.h"

#include "audit/checkpoint.h"
#include "audit/checkpoint_files.h"
#include "audit/log_reader.h"
#include "audit/proof.h"
#include "audit/snapshot.h"
#include "audit/snapshot_signature.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kCosignedSuffix = ".cosigned";

// A line that is half a known key's was another once: the signer of neither can be told.
bool is_nearly(const NoteSignature& signature, const NoteKey& key) {
  return (signature.name == key.name) != (signature.key_id == key.id());
}

// Why the note is not the log's, or a witness's line is not his; empty: all is well.
Result<std::string_view> fault(const Note& note, const NoteVerifier& key,
                               std::span<const CosignatureVerifier> witnesses) {
  constexpr std::string_view kDamaged = "a signature does not verify";
  if (!key.verify(note)) return kDamaged;
  for (const NoteSignature& signature : note.signatures) {
    if (is_nearly(signature, key.key())) return kDamaged;
    for (const CosignatureVerifier& witness : witnesses) {
      if (is_nearly(signature, witness.key())) return kDamaged;
    }
  }
  for (const CosignatureVerifier& witness : witnesses) {
    if (!witness.newest_s(note)) return kDamaged;
  }
  return std::string_view();
}

}  // namespace

Result<std::vector<CosignedNote>> read_cosigned(Files& files, const std::string& directory) {
  SR_TRY(const auto names, files.list(directory + "/" + std::string(kCheckpointFolder)));
  std::vector<CosignedNote> notes;
  for (const std::string& name : names) {
    if (!name.ends_with(kCosignedSuffix)) continue;
    CosignedNote note{.log = name.substr(0, name.size() - kCosignedSuffix.size()), .text = {}};
    SR_TRY(note.text, read_text(files, cosigned_path(directory, note.log), kNoteBytesMax));
    notes.push_back(std::move(note));
  }
  return notes;
}

Result<std::optional<BadPlace>> check_cosigned(Files& files, const std::string& directory,
                                               const CosignedNote& note, const NoteVerifier& key,
                                               std::span<const CosignatureVerifier> witnesses,
                                               std::uint64_t size) {
  BadPlace bad{.file = cosigned_path({}, note.log).substr(1), .log = note.log};
  const auto parsed = parse_note(note.text);
  const auto checkpoint =
      parsed ? parse_checkpoint_text(parsed->text) : std::unexpected(parsed.error());
  if (!checkpoint) {
    bad.what = checkpoint.error().what();
    return bad;
  }
  SR_TRY(bad.what, fault(*parsed, key, witnesses));
  if (!bad.what.empty()) return bad;
  bad.what = "a cosigned checkpoint is of more than the log holds";
  bad.index_begin = size;
  bad.index_end = checkpoint->size;
  if (checkpoint->size > size) return bad;
  SR_TRY(LogReader reader, LogReader::open(files, directory, note.log));
  SR_TRY(const Hash root, tree_hash(reader, checkpoint->size));
  bad.what = "a cosigned checkpoint differs from its log";
  bad.index_begin = 0;
  return root == checkpoint->root ? std::nullopt : std::optional(std::move(bad));
}

Result<CheckedSnapshot> check_snapshot(Files& files, const std::string& directory,
                                       const crypto::Ed25519PublicKey& key) {
  const std::string name(kSnapshotName);
  const auto text = read_text(files, directory + "/" + name, kSnapshotBytesMax);
  if (!text && text.error().code() == ErrorCode::not_found) return CheckedSnapshot();
  if (!text) return std::unexpected(text.error());
  if (!snapshot_is_signed(as_bytes(*text), key)) {
    return CheckedSnapshot{
        .bad = BadPlace{.what = "snapshot is not as the log's key signed it", .file = name}};
  }
  auto snapshot = parse_snapshot(as_bytes(*text));
  // One of another version: a start does not use it either.
  if (!snapshot) return CheckedSnapshot();
  return CheckedSnapshot{.snapshot = *std::move(snapshot)};
}

}  // namespace strongroom::audit
