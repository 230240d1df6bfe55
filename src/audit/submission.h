// Submission: what an operator's log hands to a witness, made from the files of DIR/audit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/checkpoint.h"
#include "audit/files.h"
#include "audit/log_reader.h"
#include "base/result.h"

namespace strongroom::audit {

// The operator's log that grows now; not_found: none has a checkpoint yet; unavailable.
[[nodiscard]] Result<std::string> newest_operators_log(Files& files, const std::string& directory);

struct Submission {
  Checkpoint checkpoint;
  std::string note;  // the checkpoint as signed
  std::string body;  // the add-checkpoint request (witness.h)
};
// The newest checkpoint of a log for a witness that has cosigned it at `old_size`.
// invalid_argument: the log is not that large; the errors of LogReader.
[[nodiscard]] Result<Submission> make_submission(LogReader& log, std::uint64_t old_size);
// The same of an earlier checkpoint of the log, as signed in `note`.
[[nodiscard]] Result<Submission> make_submission(LogReader& log, std::uint64_t old_size,
                                                 std::string note);

// The size at which a witness cosigned `log_name` last, as far as is known here; 0: never.
[[nodiscard]] std::uint64_t cosigned_size(const std::string& directory, std::string_view log_name);

// `note` with the answer to its submission: the lines of a witness. invalid_argument: they are
// none.
[[nodiscard]] Result<std::string> with_cosignatures(std::string_view note, std::string_view lines);

}  // namespace strongroom::audit
