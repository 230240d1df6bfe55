// Opening and checking.
#include "apps/strongroom/backup_folder.h"

#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>
#include <vector>

#include "apps/strongroom/context.h"
#include "apps/strongroom/log_gaps.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/archive.h"
#include "backup/part_files.h"
#include "backup/places.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/id.h"
#include "base/try.h"
#include "crypto/sealed_file.h"

namespace strongroom::tool {
namespace {

constexpr std::size_t kPassphraseBytesMax = 4096;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

// Whether the system keeps this user from it: then nothing is known of what it is. Files of both
// kinds give the number, with a code each of their own.
bool is_closed(const Error& error) {
  return error.detail() == EACCES &&
         (error.code() == ErrorCode::unavailable || error.code() == ErrorCode::permission_denied);
}

// In words; of what a system call refused, for that reason.
std::string text_of(const Error& error) {
  return is_closed(error) ? text_of_errno(EACCES) : std::string(error.what());
}

Failure not_whole(const std::string& path, const Error& error) {
  if (is_closed(error)) return {kUsage, fmt::format("{}: {}", path, text_of(error))};
  if (error.code() == ErrorCode::not_found) {
    return {kCheckFailed, fmt::format("{}: missing; this is half a backup", path)};
  }
  const std::string why = error.code() == ErrorCode::permission_denied
                              ? "altered, or of another backup"
                              : text_of(error);
  return {kCheckFailed, fmt::format("{}: {}", path, why)};
}

Done<void> check_files(backup::PartReader& reader, const backup::Part& part,
                       const std::string& path, const std::function<void(std::size_t)>& read) {
  std::uint64_t offset = 0;
  for (const backup::BackedFile& file : part.files) {
    crypto::Sha256 hash;
    const auto taken =
        read_backed_file(reader, offset, file.size_bytes, [&](std::span<const std::byte> piece) {
          hash.update(piece);
          read(piece.size());
          return Result<void>{};
        });
    if (!taken) return std::unexpected(not_whole(path, taken.error()));
    if (hash.finish() != file.sha256) {
      return failure(kCheckFailed,
                     fmt::format("{}: {} is not what was backed up", path, file.path));
    }
    offset += file.size_bytes;
  }
  if (offset != reader.size()) {
    return failure(kCheckFailed, fmt::format("{}: holds what the manifest does not name", path));
  }
  return {};
}

Done<void> check_part(audit::Files& files, const OpenBackup& backup, const backup::Part& part,
                      const std::function<void(std::size_t)>& read) {
  const std::string path = backup.path_of(part);
  const auto digest = audit::hash_file(files, path);
  if (!digest) return std::unexpected(not_whole(path, digest.error()));
  if (*digest != part.sha256) {
    return failure(kCheckFailed, fmt::format("{}: altered, or cut short", path));
  }
  auto reader = backup.reader(files, part);
  if (!reader) return std::unexpected(not_whole(path, reader.error()));
  return check_files(*reader, part, path, read);
}

Done<audit::VerifyReport> check_log(audit::Files& files, const OpenBackup& backup,
                                    const backup::Part& part) {
  auto reader = backup.reader(files, part);
  if (!reader) return std::unexpected(not_whole(backup.path_of(part), reader.error()));
  backup::PartFiles log(*std::move(reader), part);
  const auto report = audit::verify_audit(log, std::string(backup::kLogFolder),
                                          backup.manifest.deployment, backup.manifest.made_at_us);
  if (!report) return std::unexpected(not_whole(backup.path_of(part), report.error()));
  if (report->bad) {
    return failure(kCheckFailed, fmt::format("{}: the audit log is not intact: {} ({} at byte {})",
                                             backup.path_of(part), report->bad->what,
                                             report->bad->file, report->bad->offset_bytes));
  }
  return *report;
}

std::uint64_t content_bytes(const backup::Manifest& manifest) {
  std::uint64_t total = 0;
  for (const backup::Part& part : manifest.parts) {
    for (const backup::BackedFile& file : part.files) total += file.size_bytes;
  }
  return total;
}

}  // namespace

void protect_process() {
  const rlimit none{0, 0};
  SR_CHECK(::setrlimit(RLIMIT_CORE, &none) == 0);
  SR_CHECK(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
  ::umask(S_IRWXG | S_IRWXO);
  ::signal(SIGPIPE, SIG_IGN);
}

std::unexpected<Failure> failure_at(const std::string& path, const Error& error) {
  return failure(kUsage, fmt::format("{}: {}", path, text_of(error)));
}

std::string text_of_errno(int number) {
  std::string text = std::generic_category().message(number);
  if (number == EACCES) {
    text += "; run this as the daemons' user or root, or give this user access to it";
  }
  return text;
}

std::string OpenBackup::path_of(const backup::Part& part) const {
  return fmt::format("{}/{}", folder, backup::part_file(part.name));
}

Result<backup::PartReader> OpenBackup::reader(audit::Files& files, const backup::Part& part) const {
  return backup::PartReader::open(files, path_of(part), {.backup = manifest.id, .part = part.name},
                                  key);
}

Done<SecretBytes> read_backup_passphrase(const std::string& path) {
  auto passphrase = read_secret_file(path, kPassphraseBytesMax);
  if (!passphrase) return failure_at(path, passphrase.error());
  if (passphrase->size() < crypto::kPassphraseSizeMin) {
    return failure(kUsage, fmt::format("{}: a passphrase has at least {} bytes", path,
                                       crypto::kPassphraseSizeMin));
  }
  return *std::move(passphrase);
}

Done<OpenBackup> open_backup(audit::Files& files, const std::string& folder,
                             const std::string& passphrase_path) {
  SR_TRY(const SecretBytes passphrase, read_backup_passphrase(passphrase_path));
  const std::string key_path = fmt::format("{}/{}", folder, kBackupKeyName);
  auto secret = crypto::read_sealed_file(key_path, passphrase, kBackupKeyPurpose);
  if (!secret && secret.error().code() == ErrorCode::permission_denied &&
      !is_closed(secret.error())) {
    return failure(kUsage, fmt::format("{}: {} does not open it", key_path, passphrase_path));
  }
  if (!secret) return std::unexpected(not_whole(key_path, secret.error()));
  auto key = crypto::Aead::create(*std::move(secret), kBackupKeyVersion);
  if (!key) return failure_at(key_path, key.error());
  auto manifest = backup::read_manifest(files, folder, *key);
  if (!manifest) {
    const std::string path = fmt::format("{}/{}", folder, backup::kManifestName);
    if (manifest.error().code() != ErrorCode::not_found) {
      return std::unexpected(not_whole(path, manifest.error()));
    }
    return failure(
        kCheckFailed,
        fmt::format("{}: missing; this backup was not finished, or is half of one", path));
  }
  if (const auto why = backup::misplaced(*manifest)) {
    return failure(kCheckFailed, fmt::format("{}/{}: {}", folder, backup::kManifestName, *why));
  }
  return OpenBackup{folder, *std::move(key), *std::move(manifest)};
}

Done<void> check_backup(audit::Files& files, OpenBackup& backup, const CheckProgress& progress) {
  const std::uint64_t total = content_bytes(backup.manifest);
  std::uint64_t done = 0;
  for (const backup::Part& part : backup.manifest.parts) {
    SR_CHECK_OK(check_part(files, backup, part, [&](std::size_t size) {
      done += size;
      progress(done, total);
    }));
  }
  const backup::Part* log = backup.manifest.part(backup::kLogPart);
  if (log == nullptr) return {};  // of keys
  SR_TRY(backup.log, check_log(files, backup, *log));
  return {};
}

Result<void> read_backed_file(backup::PartReader& reader, std::uint64_t offset,
                              std::uint64_t size_bytes, const TakePiece& take) {
  SR_TRY(SecretBytes piece, SecretBytes::allocate(static_cast<std::size_t>(
                                std::min<std::uint64_t>(kPieceBytes, size_bytes))));
  for (std::uint64_t at = 0; at < size_bytes;) {
    const auto wanted = piece.reveal().first(
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size_bytes - at)));
    SR_TRY(const std::size_t got, reader.read(offset + at, wanted));
    if (got != wanted.size())
      return fail({ErrorCode::corrupt, "part is shorter than it should be"});
    SR_CHECK_OK(take(wanted));
    at += got;
  }
  return {};
}

Done<void> check_with_bar(audit::Files& files, OpenBackup& backup) {
  ProgressBar bar("verified");
  return check_backup(files, backup,
                      [&bar](std::uint64_t done, std::uint64_t total) { bar.show(done, total); });
}

Done<void> see_that_vaultd_is_alone(std::string_view toml, const std::string& path) {
  const auto file = ConfigFile::parse(toml, path, "/");
  if (!file) return failure(kUsage, file.error().text());
  if (!file->has_section("vaultd")) return {};
  auto section = file->section("vaultd");
  if (!section) return failure(kUsage, section.error().text());
  if (section->table("peers").empty()) return {};
  return failure(kUsage,
                 fmt::format("{}: [vaultd] has peers, whose hosts' logs tell what is erased"
                             " there: this backs up and restores one host's deployment only",
                             path));
}

int end_with(const Failure& failure) {
  return failure.text.empty() ? failure.status : failed(failure.status, failure.text);
}

boost::json::object to_json(const OpenBackup& backup) {
  const backup::Manifest& manifest = backup.manifest;
  boost::json::array databases, parts;
  for (const backup::Database& database : manifest.databases) {
    databases.push_back({{"name", database.name},
                         {"schema_version", database.schema_version},
                         {"rows", database.rows}});
  }
  for (const backup::Part& part : manifest.parts) {
    parts.push_back(
        {{"name", part.name}, {"files", part.files.size()}, {"size_bytes", part.size_bytes}});
  }
  boost::json::object object{{"folder", backup.folder},
                             {"kind", backup::to_string(manifest.kind)},
                             {"id", manifest.id},
                             {"made_at", rfc3339(manifest.made_at_us)},
                             {"deployment", manifest.deployment},
                             {"program", manifest.program},
                             {"log_before", manifest.log_before},
                             {"log_end", manifest.log_end},
                             {"databases", std::move(databases)},
                             {"parts", std::move(parts)}};
  if (backup.log) {
    object["log_complete"] = backup.log->complete();
    object["log_unread_entries"] = backup.log->unread_entries;
  }
  return object;
}

void print_backup(const OpenBackup& backup) {
  const backup::Manifest& manifest = backup.manifest;
  fmt::print("{}\n  {} of {}, made at {}\n", backup.folder, backup::to_string(manifest.kind),
             manifest.id, rfc3339(manifest.made_at_us));
  for (const backup::Database& database : manifest.databases) {
    fmt::print("  database {}: {} rows, schema {}\n", database.name, database.rows,
               database.schema_version);
  }
  if (!backup.log) return;
  fmt::print("  audit log: to entry {}, {}\n", manifest.log_end,
             backup.log->complete() ? "intact" : "INCOMPLETE: intact as far as it goes");
  for (const std::string& gap : gaps_of(*backup.log)) fmt::print("    {}\n", gap);
}

}  // namespace strongroom::tool
