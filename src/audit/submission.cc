// Submissions from files.
#include "audit/submission.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "audit/checkpoint_files.h"
#include "audit/logs.h"
#include "audit/note.h"
#include "audit/proof.h"
#include "audit/witness.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr Error kNoLog{ErrorCode::not_found, "no operator's log has a checkpoint yet"};
constexpr Error kNoLines{ErrorCode::invalid_argument, "not a witness's cosignature"};

}  // namespace

Result<std::string> newest_operators_log(Files& files, const std::string& directory) {
  SR_TRY(const std::vector<std::string> names, list_checkpoint_logs(files, directory));
  std::string newest;
  for (const std::string& name : names) {
    // A year, or a year and the break in it: their text sorts by time.
    if (is_operators(name)) newest = std::max(newest, name);
  }
  if (newest.empty()) return fail(kNoLog);
  return newest;
}

Result<Submission> make_submission(LogReader& log, std::uint64_t old_size) {
  SR_TRY(std::string note, log.newest_note());
  return make_submission(log, old_size, std::move(note));
}

Result<Submission> make_submission(LogReader& log, std::uint64_t old_size, std::string note) {
  Submission submission{.checkpoint = {}, .note = std::move(note), .body = {}};
  SR_TRY(submission.checkpoint, read_checkpoint(submission.note));
  SR_TRY(const std::vector<Hash> proof,
         consistency_proof(log, old_size, submission.checkpoint.size));
  submission.body = add_checkpoint_body(old_size, proof, submission.note);
  return submission;
}

std::uint64_t cosigned_size(const std::string& directory, std::string_view log_name) {
  const auto text = read_file(cosigned_path(directory, log_name), kNoteBytesMax);
  if (!text) return 0;
  const auto note = parse_note(*text);
  if (!note) return 0;
  const auto checkpoint = parse_checkpoint_text(note->text);
  return checkpoint ? checkpoint->size : 0;
}

Result<std::string> with_cosignatures(std::string_view note, std::string_view lines) {
  if (lines.empty() || !lines.ends_with('\n')) return fail(kNoLines);
  std::string joined(note);
  joined += lines;
  const auto before = parse_note(note);
  const auto after = parse_note(joined);
  if (!before || !after || after->text != before->text) return fail(kNoLines);
  return joined;
}

}  // namespace strongroom::audit
