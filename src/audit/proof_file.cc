// Proof files.
#include "audit/proof_file.h"

#include <fmt/core.h>

#include <iterator>
#include <utility>

#include "audit/lines.h"
#include "audit/proof.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kHeader = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kExtra = "extra ";
constexpr std::string_view kIndex = "index ";
constexpr Error kNotProof{ErrorCode::invalid_argument, "not a proof file"};

}  // namespace

std::string proof_file_text(const ProofFile& file) {
  std::string text = fmt::format("{}\n", kHeader);
  if (!file.extra.empty()) {
    fmt::format_to(std::back_inserter(text), "{}{}\n", kExtra, base64(file.extra));
  }
  fmt::format_to(std::back_inserter(text), "{}{}\n{}{}", kIndex, file.index,
                 proof_lines(file.proof), file.checkpoint);
  return text;
}

Result<ProofFile> parse_proof_file(std::string_view text) {
  if (text.size() > kProofFileBytesMax) {
    return fail({ErrorCode::too_large, "proof file is too long"});
  }
  ProofFile file;
  if (take_line(text) != kHeader) return fail(kNotProof);
  std::string_view line = take_line(text);
  if (line.starts_with(kExtra)) {
    auto extra = parse_base64(line.substr(kExtra.size()));
    if (!extra || extra->empty()) return fail(kNotProof);
    file.extra = *std::move(extra);
    line = take_line(text);
  }
  if (!line.starts_with(kIndex)) return fail(kNotProof);
  const auto index = parse_decimal(line.substr(kIndex.size()));
  auto proof = take_proof(text);
  if (!index || !proof) return fail(kNotProof);
  SR_TRY(const Note note, parse_note(text));
  SR_CHECK_OK(parse_checkpoint_text(note.text));
  file.index = *index;
  file.proof = *std::move(proof);
  file.checkpoint = text;
  return file;
}

Result<Checkpoint> verify_proof_file(const ProofFile& file, std::span<const std::byte> entry,
                                     const NoteVerifier& log) {
  SR_TRY(Checkpoint checkpoint, open_checkpoint(file.checkpoint, log));
  if (!verify_inclusion(leaf_hash(entry), file.index, file.proof, checkpoint.head())) {
    return fail({ErrorCode::permission_denied, "entry is not in the log at this index"});
  }
  return checkpoint;
}

}  // namespace strongroom::audit
