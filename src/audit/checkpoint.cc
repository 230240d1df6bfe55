// Checkpoints.
#include "audit/checkpoint.h"

#include <fmt/core.h>

#include "audit/lines.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr Error kNotCheckpoint{ErrorCode::invalid_argument, "not a checkpoint"};

}  // namespace

std::string checkpoint_text(const Checkpoint& checkpoint) {
  return fmt::format("{}\n{}\n{}\n", checkpoint.origin, checkpoint.size, base64(checkpoint.root));
}

Result<Checkpoint> parse_checkpoint_text(std::string_view text) {
  if (!text.ends_with('\n')) return fail(kNotCheckpoint);
  Checkpoint checkpoint;
  checkpoint.origin = take_line(text);
  const auto size = parse_decimal(take_line(text));
  const auto root = parse_hash(take_line(text));
  if (checkpoint.origin.empty() || !size || !root) return fail(kNotCheckpoint);
  checkpoint.size = *size;
  checkpoint.root = *root;
  while (!text.empty()) {
    if (take_line(text).empty()) return fail(kNotCheckpoint);
  }
  return checkpoint;
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const crypto::Ed25519Signer& signer) {
  return sign_note(checkpoint_text(checkpoint), checkpoint.origin, signer);
}

Result<Checkpoint> read_checkpoint(std::string_view note_bytes) {
  SR_TRY(const Note note, parse_note(note_bytes));
  return parse_checkpoint_text(note.text);
}

Result<Checkpoint> open_checkpoint(std::string_view note_bytes, const NoteVerifier& verifier) {
  SR_TRY(const Note note, parse_note(note_bytes));
  SR_CHECK_OK(verifier.verify(note));
  SR_TRY(Checkpoint checkpoint, parse_checkpoint_text(note.text));
  if (checkpoint.origin != verifier.key().name) return fail(kNotCheckpoint);
  return checkpoint;
}

}  // namespace strongroom::audit
