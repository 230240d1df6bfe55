// The witness's judgment, rule by rule in the protocol's order.
#include "audit/witness.h"

#include <fmt/core.h>

#include <algorithm>

#include "audit/lines.h"
#include "audit/proof.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kOld = "old ";
constexpr Error kNotRequest{ErrorCode::invalid_argument, "not an add-checkpoint request"};

// Signed by a trusted key; a signature of one that does not verify spoils the note.
bool is_signed(const Note& note, const std::vector<NoteVerifier>& keys) {
  std::size_t signatures = 0;
  for (const NoteVerifier& key : keys) {
    const auto count = key.count(note);
    if (!count) return false;
    signatures += *count;
  }
  return signatures > 0;
}

}  // namespace

std::string add_checkpoint_body(std::uint64_t old_size, std::span<const Hash> proof,
                                std::string_view note) {
  return fmt::format("{}{}\n{}{}", kOld, old_size, proof_lines(proof), note);
}

Result<AddCheckpoint> parse_add_checkpoint(std::string_view body) {
  const std::string_view old_line = take_line(body);
  if (!old_line.starts_with(kOld)) return fail(kNotRequest);
  const auto old_size = parse_decimal(old_line.substr(kOld.size()));
  auto proof = take_proof(body);
  if (!old_size || !proof) return fail(kNotRequest);
  SR_TRY(Note note, parse_note(body));
  SR_TRY(Checkpoint checkpoint, parse_checkpoint_text(note.text));
  return AddCheckpoint{*old_size, *std::move(proof), std::move(note), std::move(checkpoint)};
}

WitnessStatus judge(const AddCheckpoint& request, const WitnessedLog* log) {
  const TreeHead head = request.checkpoint.head();
  if (log == nullptr) return WitnessStatus::unknown_log;
  if (!is_signed(request.note, log->keys)) return WitnessStatus::not_signed;
  if (request.old_size > head.size) return WitnessStatus::malformed;
  if (request.old_size != log->last_cosigned.size) return WitnessStatus::not_the_last;
  // That an empty tree has the root of one follows from the last cosigned being of its size.
  if (!verify_consistency(log->last_cosigned, head, request.proof)) {
    return WitnessStatus::inconsistent;
  }
  return WitnessStatus::cosigned;
}

}  // namespace strongroom::audit
