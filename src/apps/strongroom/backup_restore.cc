// The command: check, claim DIR, fill it, tell; what fails leaves DIR empty.
#include "apps/strongroom/backup_restore.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "apps/strongroom/backup_folder.h"
#include "apps/strongroom/deployment_folder.h"
#include "apps/strongroom/restore_check.h"
#include "apps/strongroom/restore_fill.h"
#include "base/id.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

void say(std::string_view what) { fmt::print(stderr, "strongroom: {}\n", what); }

// From here on DIR is ours, and to be emptied by us.
Done<void> claim(const std::string& directory) {
  std::error_code error;
  if (fs::exists(fs::path(directory) / kRestoring, error)) {
    return failure(kUsage,
                   fmt::format("{0}: a restore runs here, or was cut off. If none runs, remove"
                               " all of {0}, empty the PostgreSQL databases that"
                               " {0}/{1}/{2} names, and restore again",
                               directory, kRestoring, kConfigName));
  }
  const auto claimed = claim_folder(directory);
  if (!claimed) return failure(kUsage, claimed.error());
  // Who comes second, at the same time, must not take the first one's work for its own.
  if (::mkdir(fmt::format("{}/{}", directory, kRestoring).c_str(), S_IRWXU) != 0) {
    return failure(kUsage, fmt::format("{}: {}", directory, text_of_errno(errno)));
  }
  return {};
}

void undo(const std::string& directory) {
  say(empty_folder(directory));
  say("PostgreSQL databases that were given may hold tables: empty them before the next try");
}

void tell(const Context& context, const Sources& sources, const std::string& directory,
          const RestoreFrom& from) {
  const backup::Manifest& manifest = sources.data.manifest;
  const backup::LogSince& since = sources.since;
  if (context.json) {
    boost::json::object object{
        {"directory", directory},
        {"id", manifest.id},
        {"made_at", rfc3339(manifest.made_at_us)},
        {"log", from.log.empty() ? "backup" : "newer"},
        {"log_complete", sources.log ? sources.log->complete : sources.data.log->complete()},
        {"may_go_back", may_go_back(from)},
        {"due_erasures", since.erasures.size()},
        {"revocations", since.revocations.size()},
        {"lost_holds", since.holds.size()}};
    if (sources.log) {
      object["log_end"] = sources.log->end;
      object["log_end_at"] = sources.log->end_at;
      object["unsigned_entries"] = sources.log->unsigned_entries;
    }
    fmt::print("{}\n", boost::json::serialize(object));
    return;
  }
  fmt::print(
      "{}\n  as it was at {}\n  {} erasures since then, which vaultd makes again before it"
      " serves\n  {} API keys revoked since then are revoked\n",
      directory, rfc3339(manifest.made_at_us), since.erasures.size(), since.revocations.size());
  if (!since.holds.empty()) {
    fmt::print(
        "  {} deletes were held since then and are not now: strongroom audit search --type"
        " delete.hold\n",
        since.holds.size());
  }
  if (!may_go_back(from)) return;
  const std::string end =
      sources.log ? fmt::format("with entry {} of {}", sources.log->end, sources.log->end_at)
                  : fmt::format("with entry {}, as the backup", manifest.log_end);
  fmt::print(
      "  The log ends {}, and may go back: so auditd takes no entry and nobody\n"
      "  serves until that is recorded: strongroom audit open-shard --reason TEXT. Cards that "
      "were\n"
      "  erased, and keys that were revoked, after that entry are not known.\n",
      end);
}

}  // namespace

int restore_deployment(const Context& context, const RestoreFrom& from) {
  protect_process();
  std::error_code error;
  const std::string directory = fs::absolute(context.directory, error).lexically_normal().string();
  audit::PosixFiles files;
  const auto locked = lock_log(from.log);
  if (!locked) return end_with(locked.error());
  const auto sources = open_sources(files, from);
  if (!sources) return end_with(sources.error());
  if (const auto claimed = claim(directory); !claimed) return end_with(claimed.error());
  const auto restored = fill_deployment(files, *sources, directory, from);
  if (!restored) {
    undo(directory);
    return end_with(restored.error());
  }
  tell(context, *sources, directory, from);
  return kOk;
}

}  // namespace strongroom::tool
