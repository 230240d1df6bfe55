// Restoring. The configuration stands in DIR/restoring while it lasts, and becomes DIR/etc as the
// last step: what is not whole cannot be started.
#include "apps/strongroom/backup_restore.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "apps/strongroom/backup_folder.h"
#include "apps/strongroom/child.h"
#include "apps/strongroom/deployment_folder.h"
#include "apps/strongroom/init_files.h"
#include "apps/strongroom/init_plan.h"
#include "apps/strongroom/log_gaps.h"
#include "apps/strongroom/plain_files.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/archive.h"
#include "audit/checkpoint_files.h"
#include "audit/entry_view.h"
#include "audit/journal_reader.h"
#include "audit/logs.h"
#include "audit/merkle.h"
#include "audit/verify.h"
#include "backup/log_since.h"
#include "backup/part_files.h"
#include "backup/places.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/id.h"
#include "base/try.h"
#include "crypto/random.h"
#include "service/unrecorded.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kRestoring = "restoring";
constexpr std::string_view kConfigFolder = "etc/";
constexpr std::string_view kConfigName = "strongroom.toml";
constexpr std::string_view kSoftHsmConfig = "hsm/softhsm2.conf";
constexpr std::string_view kRolledBack = "rolled-back";
constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20;
constexpr mode_t kOwnerOnly = 0600, kOthersWrite = 0022;
constexpr fs::perms kLogFile{0640};

void say(std::string_view what) { fmt::print(stderr, "strongroom: {}\n", what); }

std::string text_of(int error) { return std::generic_category().message(error); }

// The newer log that is gone on with.
struct NewerLog {
  std::uint64_t end = 0;  // sequence of its last whole entry
  std::string end_at;     // and its time
  std::uint64_t unsigned_entries = 0;
  std::optional<audit::BadPlace> damaged_end;
};

// What is restored, opened and found whole.
struct Sources {
  OpenBackup data, keys;
  std::optional<NewerLog> log;
  backup::LogSince since;  // what is taken away again
};

// Somebody may have seen entries that are not in it.
bool may_go_back(const RestoreFrom& from) { return !from.log_is_final; }

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
    return failure(kUsage, fmt::format("{}: {}", directory, text_of(errno)));
  }
  return {};
}

void undo(const std::string& directory) {
  say(empty_folder(directory));
  say("PostgreSQL databases that were given may hold tables: empty them before the next try");
}

// A file that is made while it is restored. Who could read it may again, as daemons of other users
// must what is public; only its owner may ever write it.
class NewFile {
 public:
  NewFile(const std::string& path, std::uint32_t mode)
      : fd_(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW,
                   kOwnerOnly)) {
    if (fd_ >= 0 && ::fchmod(fd_, mode & ~kOthersWrite) != 0) ::close(std::exchange(fd_, -1));
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool open() const noexcept { return fd_ >= 0; }
  Result<void> write(std::span<const std::byte> bytes) const { return write_to(fd_, bytes); }

  static Result<void> write_to(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        return fail(Error{ErrorCode::unavailable, "cannot be written"}.with_detail(
            static_cast<std::uint32_t>(errno)));
      }
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }

 private:
  int fd_;
};

// Where a file of the backup goes in DIR; empty: nowhere.
std::string target_of(const std::string& path, const RestoreFrom& from) {
  if (path == kSoftHsmConfig) return {};  // names the folder that DIR was
  if (!path.starts_with(kConfigFolder)) return path;
  const std::string name = path.substr(kConfigFolder.size());
  if (name == kConfigName && !from.config.empty()) return {};
  return fmt::format("{}/{}", kRestoring, name);
}

Done<void> unpack(audit::Files& files, const OpenBackup& backup, std::string_view part_name,
                  const std::string& directory, const RestoreFrom& from) {
  const backup::Part* part = backup.manifest.part(part_name);
  if (part == nullptr) {
    return failure(kCheckFailed, fmt::format("{}: has no part {}", backup.folder, part_name));
  }
  auto reader = backup.reader(files, *part);
  if (!reader) return failure_at(backup.path_of(*part), reader.error());
  ProgressBar bar{std::string(part_name)};
  std::uint64_t offset = 0;
  std::size_t count = 0;
  for (const backup::BackedFile& file : part->files) {
    const std::string target = target_of(file.path, from);
    if (!target.empty()) {
      const std::string path = fmt::format("{}/{}", directory, target);
      std::error_code error;
      fs::create_directories(fs::path(path).parent_path(), error);
      const NewFile made(path, file.mode);
      if (!made.open()) return failure(kUsage, fmt::format("{}: {}", path, text_of(errno)));
      const auto written =
          read_backed_file(*reader, offset, file.size_bytes,
                           [&made](std::span<const std::byte> piece) { return made.write(piece); });
      if (!written) return failure_at(path, written.error());
    }
    offset += file.size_bytes;
    bar.show(++count, part->files.size());
  }
  return {};
}

// What is not in the backup as it must be here.
Done<void> write_own_files(const OpenBackup& keys, const std::string& directory,
                           const RestoreFrom& from) {
  const backup::Part* part = keys.manifest.part(backup::kKeysPart);
  for (const backup::BackedFile& file : part->files) {
    if (file.path != kSoftHsmConfig) continue;
    const std::string path = fmt::format("{}/{}", directory, kSoftHsmConfig);
    const auto written = write_file_durable(path, as_bytes(softhsm_text(directory)), kOwnerOnly);
    if (!written) return failure_at(path, written.error());
  }
  if (from.config.empty()) return {};
  const auto config = read_file(from.config, kConfigBytesMax);
  if (!config) return failure_at(from.config, config.error());
  const std::string path = fmt::format("{}/{}/{}", directory, kRestoring, kConfigName);
  const auto written = write_file_durable(path, as_bytes(*config), kOwnerOnly);
  if (!written) return failure_at(path, written.error());
  return {};
}

// A log that once went back has another history behind that point, although it is signed alike:
// what the backup's log ends with must stand there.
Done<void> check_continuation(audit::Files& files, const RestoreFrom& from,
                              const OpenBackup& backup) {
  const backup::Part* part = backup.manifest.part(backup::kLogPart);
  auto reader = backup.reader(files, *part);
  if (!reader) return failure_at(backup.path_of(*part), reader.error());
  backup::PartFiles own(*std::move(reader), *part);
  const std::uint64_t end = backup.manifest.log_end;
  const auto last = backup::journal_entry(own, std::string(backup::kLogFolder), end);
  if (!last) return failure_at(backup.path_of(*part), last.error());
  const auto same = backup::journal_entry(files, from.log, end);
  if (!same) return failure_at(from.log, same.error());
  if (*same == *last) return {};
  return failure(
      kCheckFailed,
      fmt::format("{}: does not go on from the backup's log: entry {} is another", from.log, end));
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
  const auto report = audit::verify_audit(
      files, from.log, manifest.deployment, manifest.made_at_us,
      [&bar](const audit::VerifyProgress& at) { bar.show(at.bytes_done, at.bytes_total); });
  if (!report) return failure_at(from.log, report.error());
  if (report->bad) {
    const auto allowed = may_end_in(files, from, *report->bad);
    if (!allowed) return failure_at(from.log, allowed.error());
    if (!*allowed) {
      return failure(
          kCheckFailed,
          fmt::format("{}: not this deployment's log, or not intact: {} ({} at byte {})", from.log,
                      report->bad->what, report->bad->file, report->bad->offset_bytes));
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
  return NewerLog{end, std::string(view->timestamp), report->unsigned_entries, report->bad};
}

// What was taken away since the backup, and that what the log says of the backup itself is so.
Done<backup::LogSince> read_since(audit::Files& files, const RestoreFrom& from,
                                  const OpenBackup& data, const std::optional<NewerLog>& newer) {
  const backup::Manifest& manifest = data.manifest;
  if (newer) {
    auto since = backup::read_log_since(files, from.log, manifest.log_before, newer->end);
    if (!since) return failure_at(from.log, since.error());
    return *std::move(since);
  }
  const backup::Part* part = manifest.part(backup::kLogPart);
  auto reader = data.reader(files, *part);
  if (!reader) return failure_at(data.path_of(*part), reader.error());
  backup::PartFiles own(*std::move(reader), *part);
  auto since = backup::read_log_since(own, std::string(backup::kLogFolder), manifest.log_before,
                                      manifest.log_end);
  if (!since) return failure_at(data.path_of(*part), since.error());
  return *std::move(since);
}

// A log that is older than the backup's end does not tell.
Done<void> check_recorded(audit::Files& files, const backup::LogSince& since,
                          const OpenBackup& backup) {
  const bool is_data = backup.manifest.kind == backup::Kind::data;
  const auto recorded =
      since.backups.find({is_data ? audit::EventType::backup_create : audit::EventType::key_backup,
                          backup.manifest.id});
  if (recorded == since.backups.end()) return {};
  const std::string path = fmt::format("{}/{}", backup.folder, backup::kManifestName);
  const auto digest = audit::hash_file(files, path);
  if (!digest) return failure_at(path, digest.error());
  if (recorded->second == *digest) return {};
  return failure(kCheckFailed, fmt::format("{}: not what the log says was backed up as {}", path,
                                           backup.manifest.id));
}

// Two deployments must not go on with one log. On a medium that cannot be written nobody does.
Done<std::optional<FileLock>> lock_log(const std::string& log) {
  const std::string path = log + "/lock";
  std::error_code error;
  if (log.empty() || !fs::exists(path, error)) return std::nullopt;
  auto lock = FileLock::acquire(path);
  if (lock) return *std::move(lock);
  if (lock.error().detail() == EROFS) return std::nullopt;
  if (lock.error().code() != ErrorCode::conflict) return failure_at(path, lock.error());
  return failure(
      kUsage, fmt::format("{}: auditd runs on it. Stop the old deployment, or copy its log", log));
}

// What another auditd wrote for itself alone.
bool belongs_to_log(const std::string& path) {
  return path != "lock" && path != "reserve" && path != "refused" && !path.starts_with("restored/");
}

Done<void> copy_log(const std::string& source, const std::string& target) {
  SR_TRY(const auto paths, plain_files(source));
  for (const std::string& path : paths) {
    if (!belongs_to_log(path)) continue;
    const fs::path copy = fs::path(target) / path;
    std::error_code error;
    fs::create_directories(copy.parent_path(), error);
    if (!error) fs::copy_file(fs::path(source) / path, copy, error);
    if (!error) fs::permissions(copy, kLogFile, error);
    if (error) {
      return failure(kUsage, fmt::format("{}/{}: {}", source, path, text_of_errno(error.value())));
    }
  }
  return {};
}

// So that the journal ends with a whole entry.
Done<void> cut_end(const std::string& log, const audit::BadPlace& damaged) {
  const fs::path path = fs::path(log) / damaged.file;
  std::error_code error;
  if (damaged.offset_bytes == 0) {
    fs::remove(path, error);
  } else {
    fs::resize_file(path, damaged.offset_bytes, error);
  }
  if (error) return failure(kUsage, fmt::format("{}: {}", path.string(), error.message()));
  return {};
}

// The log goes back, and what may have been signed for behind it must not be signed for once more
// as something else. So auditd takes no entry before the operator has recorded the break: as though
// a witness had seen one entry more (docs/formats/audit-checkpoints.md).
Result<void> doubt_the_end(audit::Files& files, const std::string& log) {
  SR_TRY(std::vector<audit::Checkpoint> heads, audit::read_last_signed(files, log));
  std::erase_if(heads, [](const audit::Checkpoint& head) {
    return !head.origin.contains(fmt::format("/{}/", audit::kOperator));
  });
  const auto newest = std::ranges::max_element(heads, {}, &audit::Checkpoint::origin);
  if (newest == heads.end()) return {};  // nothing was ever signed
  const audit::Checkpoint presumed{newest->origin, newest->size + 1, audit::MerkleTree().root()};
  return files.replace(fmt::format("{}/{}", log, kRolledBack),
                       as_bytes(audit::checkpoint_text(presumed) + "\n"));
}

// Feeds a daemon its database's dump, and `rest`.
Done<void> load(audit::Files& files, const OpenBackup& backup, const std::string& directory,
                const DatabaseOwner& owner, std::span<const std::byte> rest) {
  const backup::Part* part = backup.manifest.part(owner.name);
  if (part == nullptr || part->files.size() != 1) {
    return failure(kCheckFailed, fmt::format("{}: has no database {}", backup.folder, owner.name));
  }
  auto reader = backup.reader(files, *part);
  if (!reader) return failure_at(backup.path_of(*part), reader.error());
  auto child = Child::start({.program = std::string(owner.daemon),
                             .config = fmt::format("{}/{}/{}", directory, kRestoring, kConfigName),
                             .instance = std::string(owner.daemon),
                             .action = "--load"},
                            Child::Pipe::to_its_input);
  if (!child) return failure(kUsage, child.error());
  ProgressBar bar(fmt::format("database {}", owner.name));
  std::uint64_t done = 0;
  const std::uint64_t size = part->files[0].size_bytes;
  auto fed = read_backed_file(*reader, 0, size, [&](std::span<const std::byte> piece) {
    done += piece.size();
    bar.show(done, size);
    return NewFile::write_to(child->fd(), piece);
  });
  if (fed) fed = NewFile::write_to(child->fd(), rest);
  // It says itself what it refuses.
  if (const auto ended = child->wait(); !ended) return failure(kUsage, ended.error());
  if (!fed) return failure_at(backup.path_of(*part), fed.error());
  return {};
}

// What follows the dump of this database.
std::vector<std::byte> list_for(const DatabaseOwner& owner, const backup::LogSince& since) {
  if (owner.name == "vault") return backup::encode(since.erasures);
  if (owner.name == "auth") return backup::encode(since.revocations);
  return {};
}

// DIR/audit.
Done<void> fill_log(audit::Files& files, const Sources& sources, const std::string& directory,
                    const RestoreFrom& from) {
  const std::string log = fmt::format("{}/{}", directory, backup::kLogFolder);
  if (!sources.log) {
    SR_CHECK_OK(unpack(files, sources.data, backup::kLogPart, directory, from));
  } else {
    SR_CHECK_OK(copy_log(from.log, log));
    if (sources.log->damaged_end && may_go_back(from)) {
      SR_CHECK_OK(cut_end(log, *sources.log->damaged_end));
    }
  }
  if (!may_go_back(from)) return {};
  const auto doubted = doubt_the_end(files, log);
  return doubted ? Done<void>{} : failure_at(log, doubted.error());
}

// All but the last step.
Done<void> fill(audit::Files& files, const Sources& sources, const std::string& directory,
                const RestoreFrom& from) {
  SR_CHECK_OK(unpack(files, sources.data, backup::kFilesPart, directory, from));
  SR_CHECK_OK(unpack(files, sources.keys, backup::kKeysPart, directory, from));
  SR_CHECK_OK(write_own_files(sources.keys, directory, from));
  SR_CHECK_OK(fill_log(files, sources, directory, from));
  for (const DatabaseOwner& owner : kDatabases) {
    SR_CHECK_OK(load(files, sources.data, directory, owner, list_for(owner, sources.since)));
  }
  return {};
}

// From here on daemons can be started.
Done<void> open_for_use(audit::Files& files, const std::string& directory) {
  const std::string from = fmt::format("{}/{}", directory, kRestoring);
  const std::string to = fmt::format("{}/etc", directory);
  if (const auto synced = files.sync_all(directory); !synced) {
    return failure_at(directory, synced.error());
  }
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return failure(kUsage, fmt::format("{}: {}", to, text_of(errno)));
  }
  if (const auto synced = files.sync_directory(directory); !synced) {
    return failure_at(directory, synced.error());
  }
  return {};
}

// By the configuration in the backup, whatever --config says now.
Done<void> see_that_it_was_alone(audit::Files& files, const OpenBackup& data) {
  const backup::Part* part = data.manifest.part(backup::kFilesPart);
  if (part == nullptr) {
    return failure(kCheckFailed,
                   fmt::format("{}: has no part {}", data.folder, backup::kFilesPart));
  }
  auto reader = data.reader(files, *part);
  if (!reader) return failure_at(data.path_of(*part), reader.error());
  backup::PartFiles own(*std::move(reader), *part);
  const std::string path = fmt::format("{}{}", kConfigFolder, kConfigName);
  const auto config = audit::read_text(own, path, kConfigBytesMax);
  if (!config) return failure_at(data.path_of(*part), config.error());
  return see_that_vaultd_is_alone(*config, path);
}

Done<Sources> open_sources(audit::Files& files, const RestoreFrom& from) {
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
  if (data.manifest.part(backup::kLogPart) == nullptr) {
    return failure(kCheckFailed, fmt::format("{}: has no part {}", from.from, backup::kLogPart));
  }
  SR_CHECK_OK(check_with_bar(files, data));
  SR_CHECK_OK(check_with_bar(files, keys));
  SR_CHECK_OK(see_that_it_was_alone(files, data));
  std::optional<NewerLog> newer;
  if (!from.log.empty()) {
    SR_TRY(newer, check_newer_log(files, from, data));
  }
  SR_TRY(backup::LogSince since, read_since(files, from, data, newer));
  if (newer) {
    SR_CHECK_OK(check_continuation(files, from, data));
    say(fmt::format("{}: ends with entry {} of {}; {} are not signed for", from.log, newer->end,
                    newer->end_at, newer->unsigned_entries));
  }
  if (!newer) tell_gaps(data.path_of(*data.manifest.part(backup::kLogPart)), *data.log);
  SR_CHECK_OK(check_recorded(files, since, data));
  SR_CHECK_OK(check_recorded(files, since, keys));
  return Sources{std::move(data), std::move(keys), std::move(newer), std::move(since)};
}

// In the log by auditd's next start, as of the time before anything was done.
Done<void> fill_noted(audit::Files& files, const Sources& sources, const std::string& directory,
                      const RestoreFrom& from) {
  const SystemClock clock;
  crypto::SystemRandom random;
  service::Unrecorded unrecorded(
      {.directory = directory, .instance = "auditd", .operation = "strongroom restore"}, random,
      clock);
  Done<void> filled = failure(kUsage, {});
  const std::vector<service::Object> objects{
      {.type = audit::EventType::backup_restore,
       .names = {"backup " + sources.data.manifest.id,
                 "made " + rfc3339(sources.data.manifest.made_at_us),
                 from.log.empty() ? "with its own log" : "with a newer log"}}};
  const auto noted = unrecorded.making(objects, [&]() -> Result<void> {
    filled = fill(files, sources, directory, from);
    return filled ? Result<void>{} : fail({ErrorCode::unavailable, "restore failed"});
  });
  if (!noted && (filled || filled.error().text.empty())) {
    return failure_at(unrecorded.path(), noted.error());
  }
  return filled;
}

Done<void> restore(audit::Files& files, const Sources& sources, const std::string& directory,
                   const RestoreFrom& from) {
  if (const auto folders = write_folders(directory); !folders) {
    return failure_at(directory, folders.error());
  }
  SR_CHECK_OK(fill_noted(files, sources, directory, from));
  return open_for_use(files, directory);
}

void tell(const Context& context, const Sources& sources, const std::string& directory,
          const RestoreFrom& from) {
  const backup::Manifest& manifest = sources.data.manifest;
  const backup::LogSince& since = sources.since;
  if (context.json) {
    boost::json::object object{{"directory", directory},
                               {"id", manifest.id},
                               {"made_at", rfc3339(manifest.made_at_us)},
                               {"log", from.log.empty() ? "backup" : "newer"},
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
  const auto restored = restore(files, *sources, directory, from);
  if (!restored) {
    undo(directory);
    return end_with(restored.error());
  }
  tell(context, *sources, directory, from);
  return kOk;
}

}  // namespace strongroom::tool
