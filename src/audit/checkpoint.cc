// Checkpoints.
#include "audit/checkpoint.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr Error kNotCheckpoint{ErrorCode::invalid_argument, "not a checkpoint"};

// Takes the next line, without its newline, off `text`; empty at the end.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

std::string checkpoint_text(const Checkpoint& checkpoint) {
  return fmt::format("{}\n{}\n{}\n", checkpoint.origin, checkpoint.size, base64(checkpoint.root));
}

Result<Checkpoint> parse_checkpoint_text(std::string_view text) {
  if (!text.ends_with('\n')) return fail(kNotCheckpoint);
  Checkpoint checkpoint;
  checkpoint.origin = take_line(text);
  const std::string_view size = take_line(text);
  const auto [end, error] =
      std::from_chars(size.data(), size.data() + size.size(), checkpoint.size);
  const bool canonical = size == "0" || !size.starts_with('0');
  if (error != std::errc{} || end != size.data() + size.size() || !canonical) {
    return fail(kNotCheckpoint);
  }
  const auto root = parse_base64(take_line(text));
  if (checkpoint.origin.empty() || !root || root->size() != checkpoint.root.size()) {
    return fail(kNotCheckpoint);
  }
  std::ranges::copy(*root, checkpoint.root.begin());
  while (!text.empty()) {
    if (take_line(text).empty()) return fail(kNotCheckpoint);
  }
  return checkpoint;
}

std::string sign_checkpoint(const Checkpoint& checkpoint, const crypto::Ed25519Signer& signer) {
  return sign_note(checkpoint_text(checkpoint), checkpoint.origin, signer);
}

Result<Checkpoint> open_checkpoint(std::string_view note_bytes, const NoteVerifier& verifier) {
  SR_TRY(const Note note, parse_note(note_bytes));
  SR_CHECK_OK(verifier.verify(note));
  SR_TRY(Checkpoint checkpoint, parse_checkpoint_text(note.text));
  if (checkpoint.origin != verifier.key().name) return fail(kNotCheckpoint);
  return checkpoint;
}

}  // namespace strongroom::audit
