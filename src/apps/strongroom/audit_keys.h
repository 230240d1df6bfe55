// Where a deployment's audit log is, and the public key that its checkpoints are verified with.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "apps/strongroom/context.h"
#include "audit/cosignature.h"
#include "audit/note.h"
#include "base/result.h"

namespace strongroom::tool {

struct AuditPaths {
  std::string directory;               // DIR/audit
  std::string vkey;                    // of the operator's log
  std::vector<std::string> witnesses;  // vkeys, as they are written there
  bool asks_witnesses = false;         // audit-relay does; else files are carried
};

// What strongroom.toml has of them; or the exit status after the reason was printed.
[[nodiscard]] std::expected<AuditPaths, int> read_audit_paths(const Context& context);

// Has audit-relay record that `command` ("verify") is about to read the log's files: of the logs of
// `merchant` (several owners' when empty) the part that `what` names. Where that fails it says so
// on standard error, for evidence must be readable without any daemon. A copy of the log outside of
// a deployment, which has no DIR/run, is nobody's to record.
void record_reading(const Context& context, std::string_view command, std::string_view merchant,
                    std::string_view what);

// Asks a running auditd to sign for all that the logs hold now; false where none does.
bool ask_for_checkpoints(const Context& context);

using Witnesses = std::vector<audit::CosignatureVerifier>;
// Of vkeys, or files with one; or the exit status after the reason was printed.
[[nodiscard]] std::expected<Witnesses, int> read_witnesses(const std::vector<std::string>& given);

// The key of the logs of one place: each has the same public key, under its own origin.
class LogKey {
 public:
  // From the vkey of any of them, in the file `path`; or the exit status after the reason was
  // printed.
  [[nodiscard]] static std::expected<LogKey, int> read(const std::string& path);
  [[nodiscard]] const std::string& place() const noexcept { return place_; }
  // Of the log that the file's own key is named after.
  [[nodiscard]] const std::string& origin() const noexcept { return key_.name; }
  [[nodiscard]] audit::NoteKey of(std::string_view origin) const;
  // Checks that `origin` is at the place: invalid_argument.
  [[nodiscard]] Result<audit::NoteVerifier> verifier(std::string_view origin) const;

 private:
  audit::NoteKey key_;
  std::string place_;
};

// The content of a file with one key, without its newline; or the exit status after the reason was
// printed.
[[nodiscard]] std::expected<std::string, int> read_key_file(const std::string& path);

}  // namespace strongroom::tool
