// Checking, from what is quick to what reads everything.
#include "apps/strongroom/restore_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "apps/strongroom/log_gaps.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/archive.h"
#include "audit/checkpoint_files.h"
#include "audit/entry_view.h"
#include "audit/journal_reader.h"
#include "audit/logs.h"
#include "backup/part_files.h"
#include "backup/places.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20;

void say(std::string_view what) { fmt::print(stderr, "strongroom: {}\n", what); }

// A log, and how people find it.
struct PlacedLog {
  audit::Files& files;
  std::string folder;
  std::string path;
};

// A part that the backup has.
Done<std::unique_ptr<backup::PartFiles>> open_part(audit::Files& files, const OpenBackup& backup,
                                                   const backup::Part& part) {
  auto reader = backup.reader(files, part);
  if (!reader) return failure_at(backup.path_of(part), reader.error());
  return std::make_unique<backup::PartFiles>(*std::move(reader), part);
}

// A log that once went back has another history behind that point, although it is signed alike:
// what the backup's log ends with must stand there.
Done<void> check_continuation(const PlacedLog& newer, const PlacedLog& own, std::uint64_t own_end) {
  const auto last = backup::journal_entry(own.files, own.folder, own_end);
  if (!last) return failure_at(own.path, last.error());
  const auto same = backup::journal_entry(newer.files, newer.folder, own_end);
  if (!same) return failure_at(newer.path, same.error());
  if (*same == *last) return {};
  return failure(kCheckFailed,
                 fmt::format("{}: does not go on from the backup's log: entry {} is another",
                             newer.path, own_end));
}

// The newest checkpoint of the operator's newest log, by the log's own notes, which were verified:
// of `last-signed` nothing shows that it was not emptied. A backup is made only when there is one.
Result<audit::Checkpoint> read_signed_last(const PlacedLog& log) {
  SR_TRY(std::vector<std::string> names, audit::list_checkpoint_logs(log.files, log.folder));
  std::ranges::sort(names, std::greater<>());
  for (const std::string& name : names) {
    if (!audit::is_operators(name)) continue;
    SR_TRY(const auto file,
           log.files.open(audit::checkpoint_path(log.folder, name), audit::OpenMode::read));
    SR_TRY(const audit::LastNote note, audit::last_note(*file));
    if (!note.text.empty()) return audit::read_checkpoint(note.text);
  }
  return fail({ErrorCode::corrupt, "holds no signed checkpoint of the operator's"});
}

// Whether what stands before the damaged end is all that must be there. A crash leaves a torn one,
// which is auditd's to cut off and to sign. A copy that was made while auditd wrote may also end in
// a frame with a hole: the zeros ahead were read before, and what followed after it was written.
Result<bool> may_end_in(audit::Files& files, const RestoreFrom& from, const audit::BadPlace& bad) {
  if (bad.torn) return true;
  SR_TRY(const auto segments, audit::list_segments(files, from.log));
  return may_go_back(from) && bad.behind_signed && bad.file == segments.back();
}

// What is not there cannot tell what was erased; whether it must be, nobody here knows.
void tell_gaps(const std::string& log, const audit::VerifyReport& report) {
  if (report.complete()) return;
  for (const std::string& gap : gaps_of(report)) say(fmt::format("{}: {}", log, gap));
}

// That the log which is to be gone on with is this deployment's, intact, and goes on from the
// backup's. What is not signed for is believed, too: an erasure is acknowledged before it is.
Done<NewerLog> check_newer_log(audit::Files& files, const RestoreFrom& from,
                               const OpenBackup& backup) {
  const backup::Manifest& manifest = backup.manifest;
  ProgressBar bar("log verified");
  auto report = audit::verify_audit(
      files, from.log, manifest.deployment, manifest.made_at_us,
      [&bar](const audit::VerifyProgress& at) { bar.show(at.bytes_done, at.bytes_total); });
  if (!report) return failure_at(from.log, report.error());
  const auto damaged_end = std::exchange(report->bad, std::nullopt);
  if (damaged_end) {
    const auto allowed = may_end_in(files, from, *damaged_end);
    if (!allowed) return failure_at(from.log, allowed.error());
    if (!*allowed) {
      return failure(
          kCheckFailed,
          fmt::format("{}: not this deployment's log, or not intact: {} ({} at byte {})", from.log,
                      damaged_end->what, damaged_end->file, damaged_end->offset_bytes));
    }
  }
  const std::uint64_t end = report->entries + report->unread_entries;
  if (end < manifest.log_end) {
    return failure(kCheckFailed, fmt::format("{}: ends with entry {}, before the backup's own log,"
                                             " which ends with entry {}",
                                             from.log, end, manifest.log_end));
  }
  tell_gaps(from.log, *report);
  const auto last = backup::journal_entry(files, from.log, end);
  if (!last) return failure_at(from.log, last.error());
  const auto view = audit::read_entry(*last);
  if (!view) return failure_at(from.log, view.error());
  return NewerLog{end, std::string(view->timestamp), report->unsigned_entries, report->complete(),
                  damaged_end};
}

// Whether the log tells how this backup ended. Where it does, that must be this one.
Done<bool> is_recorded(audit::Files& files, const backup::LogSince& since,
                       const OpenBackup& backup) {
  const bool is_data = backup.manifest.kind == backup::Kind::data;
  const auto recorded =
      since.backups.find({is_data ? audit::EventType::backup_create : audit::EventType::key_backup,
                          backup.manifest.id});
  if (recorded == since.backups.end()) return false;
  const std::string path = fmt::format("{}/{}", backup.folder, backup::kManifestName);
  const auto digest = audit::hash_file(files, path);
  if (!digest) return failure_at(path, digest.error());
  if (recorded->second == *digest) return true;
  return failure(kCheckFailed, fmt::format("{}: not what the log says was backed up as {}", path,
                                           backup.manifest.id));
}

// A newer log goes on from the backup, so it tells of its end unless it ends before: a final one
// does not. Who knows a passphrase can give what he made up an id that no log has. Keys that were
// backed up at another time may be told of in what has left the journal.
Done<void> see_that_they_are_recorded(audit::Files& files, const RestoreFrom& from,
                                      const Sources& sources) {
  for (const OpenBackup* backup : {&sources.data, &sources.keys}) {
    SR_TRY(const bool recorded, is_recorded(files, sources.since, *backup));
    if (recorded || from.log.empty()) continue;
    const std::string& id = backup->manifest.id;
    std::string why =
        fmt::format("{}: does not vouch for {}: it does not tell how the backup {} ended", from.log,
                    backup->folder, id);
    if (from.log_is_final && id == sources.data.manifest.id) {
      return failure(kCheckFailed, std::move(why));
    }
    say(why);
  }
  return {};
}

// By the configuration in the backup, whatever --config says now.
Done<void> see_that_it_was_alone(audit::Files& files, const OpenBackup& data) {
  const backup::Part& part = *data.manifest.part(backup::kFilesPart);
  SR_TRY(const auto own, open_part(files, data, part));
  const std::string path(backup::kConfigFile);
  const auto config = audit::read_text(*own, path, kConfigBytesMax);
  if (!config) return failure_at(data.path_of(part), config.error());
  return see_that_vaultd_is_alone(*config, path);
}

struct Pair {
  OpenBackup data, keys;
};

// Both are read as a whole.
Done<Pair> open_both(audit::Files& files, const RestoreFrom& from) {
  SR_TRY(OpenBackup data, open_backup(files, from.from, from.passphrase));
  SR_TRY(OpenBackup keys, open_backup(files, from.keys, from.keys_passphrase));
  if (data.manifest.kind != backup::Kind::data) {
    return failure(kCheckFailed, fmt::format("{}: a backup of keys, not of data", from.from));
  }
  if (keys.manifest.kind != backup::Kind::keys) {
    return failure(kCheckFailed, fmt::format("{}: a backup of data, not of keys", from.keys));
  }
  if (data.manifest.deployment != keys.manifest.deployment) {
    return failure(kCheckFailed,
                   fmt::format("{}: of another deployment than {}", from.keys, from.from));
  }
  SR_CHECK_OK(check_with_bar(files, data));
  SR_CHECK_OK(check_with_bar(files, keys));
  SR_CHECK_OK(see_that_it_was_alone(files, data));
  return Pair{std::move(data), std::move(keys)};
}

}  // namespace

Done<std::optional<FileLock>> lock_log(const std::string& log) {
  const std::string path = log + "/lock";
  std::error_code error;
  if (log.empty() || !std::filesystem::exists(path, error)) return std::nullopt;
  auto lock = FileLock::acquire(path);
  if (lock) return *std::move(lock);
  if (lock.error().detail() == EROFS) return std::nullopt;
  if (lock.error().code() != ErrorCode::conflict) return failure_at(path, lock.error());
  return failure(
      kUsage, fmt::format("{}: auditd runs on it. Stop the old deployment, or copy its log", log));
}

Done<Sources> open_sources(audit::Files& files, const RestoreFrom& from) {
  SR_TRY(Pair backups, open_both(files, from));
  OpenBackup& data = backups.data;
  const backup::Part& own_part = *data.manifest.part(backup::kLogPart);
  SR_TRY(const auto own_files, open_part(files, data, own_part));
  const PlacedLog own{*own_files, std::string(backup::kLogFolder), data.path_of(own_part)};
  const PlacedLog log = from.log.empty() ? own : PlacedLog{files, from.log, from.log};
  std::optional<NewerLog> newer;
  if (!from.log.empty()) {
    SR_TRY(newer, check_newer_log(files, from, data));
  }
  auto since = backup::read_log_since(log.files, log.folder, data.manifest.log_before,
                                      newer ? newer->end : data.manifest.log_end);
  if (!since) return failure_at(log.path, since.error());
  if (newer) {
    SR_CHECK_OK(check_continuation(log, own, data.manifest.log_end));
    say(fmt::format("{}: ends with entry {} of {}; {} are not signed for", log.path, newer->end,
                    newer->end_at, newer->unsigned_entries));
  } else {
    tell_gaps(log.path, *data.log);
  }
  std::optional<audit::Checkpoint> signed_last;
  if (may_go_back(from)) {
    const auto newest = read_signed_last(log);
    if (!newest) {
      return failure(kCheckFailed, fmt::format("{}: {}", log.path, newest.error().what()));
    }
    signed_last = *newest;
  }
  Sources sources{std::move(data), std::move(backups.keys), std::move(newer), *std::move(since),
                  std::move(signed_last)};
  SR_CHECK_OK(see_that_they_are_recorded(files, from, sources));
  return sources;
}

}  // namespace strongroom::tool
