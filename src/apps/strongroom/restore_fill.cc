// Filling: files, log, databases, and at last the configuration's name.
#include "apps/strongroom/restore_fill.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "apps/strongroom/child.h"
#include "apps/strongroom/init_files.h"
#include "apps/strongroom/init_plan.h"
#include "apps/strongroom/plain_files.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/checkpoint.h"
#include "audit/checkpoint_files.h"
#include "audit/merkle.h"
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

constexpr std::string_view kSoftHsmConfig = "hsm/softhsm2.conf";
constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20;
constexpr mode_t kOwnerOnly = 0600;

// Who could read a file may again, as daemons of other users must what is public. Only its owner
// may ever write it, and nobody run it.
constexpr mode_t rights_of(mode_t before) { return (before & 0644) | kOwnerOnly; }

// A file that is made while it is restored.
class NewFile {
 public:
  NewFile(const std::string& path, std::uint32_t mode)
      : fd_(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW,
                   kOwnerOnly)) {
    if (fd_ >= 0 && ::fchmod(fd_, rights_of(mode)) != 0) ::close(std::exchange(fd_, -1));
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool open() const noexcept { return fd_ >= 0; }
  Result<void> write(std::span<const std::byte> bytes) const { return write_full(fd_, bytes); }

 private:
  int fd_;
};

// Where a file of the backup goes in DIR; empty: nowhere.
std::string target_of(const std::string& path, const RestoreFrom& from) {
  if (path == kSoftHsmConfig) return {};  // names the folder that DIR was
  if (path != backup::kConfigFile) return path;
  return from.config.empty() ? fmt::format("{}/{}", kRestoring, kConfigName) : std::string();
}

Done<void> unpack(audit::Files& files, const OpenBackup& backup, std::string_view part_name,
                  const std::string& directory, const RestoreFrom& from) {
  const backup::Part& part = *backup.manifest.part(part_name);
  auto reader = backup.reader(files, part);
  if (!reader) return failure_at(backup.path_of(part), reader.error());
  ProgressBar bar{std::string(part_name)};
  std::uint64_t offset = 0;
  std::size_t count = 0;
  for (const backup::BackedFile& file : part.files) {
    const std::string target = target_of(file.path, from);
    if (!target.empty()) {
      const std::string path = fmt::format("{}/{}", directory, target);
      std::error_code error;
      fs::create_directories(fs::path(path).parent_path(), error);
      const NewFile made(path, file.mode);
      if (!made.open()) {
        return failure(kUsage, fmt::format("{}: {}", path, text_of_errno(errno)));
      }
      const auto written =
          read_backed_file(*reader, offset, file.size_bytes,
                           [&made](std::span<const std::byte> piece) { return made.write(piece); });
      if (!written) return failure_at(path, written.error());
    }
    offset += file.size_bytes;
    bar.show(++count, part.files.size());
  }
  return {};
}

// What is not in the backup as it must be here.
Done<void> write_own_files(const OpenBackup& keys, const std::string& directory,
                           const RestoreFrom& from) {
  for (const backup::BackedFile& file : keys.manifest.part(backup::kKeysPart)->files) {
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

// All that may be in a backup of the log, and what makes auditd refuse it: that stays so.
bool is_copied(const std::string& path) {
  return path == audit::kRolledBackName ||
         backup::belongs_to(backup::kLogPart, fmt::format("{}/{}", backup::kLogFolder, path));
}

Done<void> copy_log(const std::string& source, const std::string& target) {
  SR_TRY(const auto paths, plain_files(source));
  for (const std::string& path : paths) {
    if (!is_copied(path)) continue;
    const fs::path copy = fs::path(target) / path;
    std::error_code error;
    fs::create_directories(copy.parent_path(), error);
    if (!error) fs::copy_file(fs::path(source) / path, copy, error);
    if (!error) {
      const fs::perms before = fs::status(copy, error).permissions();
      const mode_t rights = rights_of(static_cast<mode_t>(before));
      if (::chmod(copy.c_str(), rights) != 0) error.assign(errno, std::generic_category());
    }
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
  if (error) {
    return failure(kUsage, fmt::format("{}: {}", path.string(), text_of_errno(error.value())));
  }
  return {};
}

// The log goes back, and what may have been signed for behind it must not be signed for once more
// as something else. So auditd takes no entry before the operator has recorded the break: as though
// a witness had seen one entry more (docs/formats/audit-checkpoints.md).
Result<void> doubt_the_end(audit::Files& files, const std::string& log,
                           const audit::Checkpoint& signed_last) {
  const audit::Checkpoint presumed{signed_last.origin, signed_last.size + 1,
                                   audit::MerkleTree().root()};
  return files.replace(fmt::format("{}/{}", log, audit::kRolledBackName),
                       as_bytes(audit::checkpoint_text(presumed) + "\n"));
}

// Feeds a daemon its database's dump, and `rest`.
Done<void> load(audit::Files& files, const OpenBackup& backup, const std::string& directory,
                const DatabaseOwner& owner, std::span<const std::byte> rest) {
  const backup::Part& part = *backup.manifest.part(owner.name);
  auto reader = backup.reader(files, part);
  if (!reader) return failure_at(backup.path_of(part), reader.error());
  auto child = Child::start({.program = std::string(owner.daemon),
                             .config = fmt::format("{}/{}/{}", directory, kRestoring, kConfigName),
                             .instance = std::string(owner.daemon),
                             .action = "--load"},
                            Child::Pipe::to_its_input);
  if (!child) return failure(kUsage, child.error());
  ProgressBar bar(fmt::format("database {}", owner.name));
  std::uint64_t done = 0;
  const std::uint64_t size = part.files[0].size_bytes;
  auto fed = read_backed_file(*reader, 0, size, [&](std::span<const std::byte> piece) {
    done += piece.size();
    bar.show(done, size);
    return write_full(child->fd(), piece);
  });
  if (fed) fed = write_full(child->fd(), rest);
  // It says itself what it refuses.
  if (const auto ended = child->wait(); !ended) return failure(kUsage, ended.error());
  if (!fed) return failure_at(backup.path_of(part), fed.error());
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
  if (!sources.signed_last) return {};
  const auto doubted = doubt_the_end(files, log, *sources.signed_last);
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
    return failure(kUsage, fmt::format("{}: {}", to, text_of_errno(errno)));
  }
  if (const auto synced = files.sync_directory(directory); !synced) {
    return failure_at(directory, synced.error());
  }
  return {};
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

}  // namespace

Done<void> fill_deployment(audit::Files& files, const Sources& sources,
                           const std::string& directory, const RestoreFrom& from) {
  if (const auto folders = write_folders(directory); !folders) {
    return failure_at(directory, folders.error());
  }
  SR_CHECK_OK(fill_noted(files, sources, directory, from));
  return open_for_use(files, directory);
}

}  // namespace strongroom::tool
