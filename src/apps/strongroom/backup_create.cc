// Making a backup. The databases come first and the audit log behind them, so that the log tells of
// everything that a database holds. Nothing counts before the manifest, which is written last.
#include "apps/strongroom/backup_create.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/backup_folder.h"
#include "apps/strongroom/child.h"
#include "apps/strongroom/ledger_notes.h"
#include "apps/strongroom/log_files.h"
#include "apps/strongroom/plain_files.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/archive.h"
#include "backup/places.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/sealed_file.h"
#include "service/version.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = std::size_t{256} << 10;
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20;
// Of a dump (docs/formats/database-dump.md): the schema's version stands behind eight bytes, the
// number of rows are the last eight.
constexpr std::size_t kDumpHeadBytes = 16, kNumberBytes = 8;

void say(std::string_view what) { fmt::print(stderr, "strongroom: {}\n", what); }

// A new folder for a backup, or an empty one. The one that it is to lie in must be there: where it
// is not, a disk may not be mounted.
Done<void> claim_backup_folder(const std::string& folder) {
  if (::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return failure(kUsage, fmt::format("{}: {}", folder, text_of_errno(errno)));
  }
  std::error_code error;
  if (fs::is_directory(folder, error) && fs::is_empty(folder, error)) return {};
  return failure(kUsage, fmt::format("{} exists and is not an empty folder", folder));
}

// So that what is read next comes from the disk.
void drop_cached(const std::string& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) continue;
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

// One of the two backups while it is made.
class Making {
 public:
  // Makes the key of the empty `folder`.
  static Done<Making> begin(audit::Files& files, crypto::Random& random, std::string folder,
                            const std::string& passphrase_path, backup::Manifest manifest) {
    SR_TRY(const SecretBytes passphrase, read_backup_passphrase(passphrase_path));
    auto secret = crypto::random_secret(random, crypto::Aead::kKeySize);
    if (!secret) return failure_at(folder, secret.error());
    const auto written = crypto::write_sealed_file(fmt::format("{}/{}", folder, kBackupKeyName),
                                                   *secret, passphrase, kBackupKeyPurpose);
    if (!written) return failure_at(folder, written.error());
    auto key = crypto::Aead::create(*std::move(secret), kBackupKeyVersion);
    if (!key) return failure_at(folder, key.error());
    return Making(files, random,
                  OpenBackup{std::move(folder), *std::move(key), std::move(manifest)});
  }

  [[nodiscard]] OpenBackup& backup() noexcept { return backup_; }

  // `fill` adds the files, in order.
  Done<void> add_part(std::string name,
                      const std::function<Done<void>(backup::PartWriter&, backup::Part&)>& fill) {
    backup::Part part{.name = std::move(name), .size_bytes = 0, .sha256 = {}, .files = {}};
    const std::string path = backup_.path_of(part);
    auto writer = backup::PartWriter::create(
        files_, path, {.backup = backup_.manifest.id, .part = part.name}, backup_.key, random_);
    if (!writer) return failure_at(path, writer.error());
    SR_CHECK_OK(fill(*writer, part));
    const auto facts = writer->finish();
    if (!facts) return failure_at(path, facts.error());
    part.size_bytes = facts->size_bytes;
    part.sha256 = facts->sha256;
    backup_.manifest.parts.push_back(std::move(part));
    return {};
  }

  // Makes the backup count, and durable; gives the manifest's hash.
  Done<crypto::Sha256Digest> finish() {
    const auto facts =
        backup::write_manifest(files_, backup_.folder, backup_.manifest, backup_.key, random_);
    if (!facts) return failure_at(backup_.folder, facts.error());
    const auto synced = files_.sync_directory(backup_.folder + "/..");
    if (!synced) return failure_at(backup_.folder, synced.error());
    return facts->sha256;
  }

 private:
  Making(audit::Files& files, crypto::Random& random, OpenBackup backup)
      : files_(files), random_(random), backup_(std::move(backup)) {}

  audit::Files& files_;
  crypto::Random& random_;
  OpenBackup backup_;
};

using TakePieces = std::function<Done<void>(std::span<const std::byte>)>;

// The first bytes of the file at `path`, in pieces: of secret memory, for it may hold a PIN.
Done<void> read_pieces(audit::File& file, const std::string& path, std::uint64_t size_bytes,
                       const TakePieces& take) {
  auto piece = SecretBytes::allocate(kPieceBytes);
  if (!piece) return failure_at(path, piece.error());
  for (std::uint64_t at = 0; at < size_bytes;) {
    const auto wanted = piece->reveal().first(
        static_cast<std::size_t>(std::min<std::uint64_t>(piece->size(), size_bytes - at)));
    const auto got = file.read(at, wanted);
    if (!got) return failure_at(path, got.error());
    if (*got == 0) return failure(kUsage, path + ": became shorter while it was read; try again");
    SR_CHECK_OK(take(wanted.first(*got)));
    at += *got;
  }
  return {};
}

// Copies the file at `path` as it is now, or its beginning.
Done<void> add_file(audit::Files& files, const std::string& directory, const Chosen& chosen,
                    backup::PartWriter& writer, backup::Part& part) {
  const std::string path = fmt::format("{}/{}", directory, chosen.path);
  if (!backup::is_plain_path(chosen.path)) {
    return failure(kUsage, fmt::format("{}: holds a file whose name has a control character",
                                       fs::path(path).parent_path().string()));
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    return failure(kUsage, fmt::format("{}: {}; if it was archived or disposed of meanwhile, make"
                                       " the backup again",
                                       path, text_of_errno(errno)));
  }
  std::unique_ptr<audit::File> opened;
  if (chosen.open == nullptr) {
    auto file = files.open(path, audit::OpenMode::read);
    if (!file) return failure_at(path, file.error());
    opened = *std::move(file);
  }
  audit::File& file = chosen.open == nullptr ? *opened : *chosen.open;
  const auto size = file.size();
  if (!size) return failure_at(path, size.error());
  backup::BackedFile backed{.path = chosen.path,
                            .mode = static_cast<std::uint32_t>(status.st_mode & 0777),
                            .size_bytes = std::min(*size, chosen.size_bytes_max),
                            .sha256 = {}};
  crypto::Sha256 hash;
  SR_CHECK_OK(read_pieces(file, path, backed.size_bytes, [&](auto piece) -> Done<void> {
    const auto added = writer.add(piece);
    if (!added) return failure_at(part.name, added.error());
    hash.update(piece);
    return {};
  }));
  backed.sha256 = hash.finish();
  part.files.push_back(std::move(backed));
  return {};
}

Done<void> add_files(audit::Files& files, const std::string& directory,
                     const std::vector<Chosen>& chosen, backup::PartWriter& writer,
                     backup::Part& part, std::string_view what) {
  ProgressBar bar{std::string(what)};
  std::size_t done = 0;
  for (const Chosen& one : chosen) {
    SR_CHECK_OK(add_file(files, directory, one, writer, part));
    bar.show(++done, chosen.size());
  }
  return {};
}

// All that is in DIR of what belongs to `part`; what else is in its folders is told, but for what
// the daemons keep in data/.
Done<std::vector<Chosen>> choose_for(std::string_view part, const std::string& directory) {
  std::vector<Chosen> chosen;
  for (const std::string_view folder : backup::folders_of(part)) {
    SR_TRY(const auto names, plain_files(fmt::format("{}/{}", directory, folder)));
    for (const std::string& name : names) {
      std::string path = fmt::format("{}/{}", folder, name);
      if (backup::belongs_to(part, path)) {
        chosen.push_back({std::move(path)});
      } else if (folder != backup::kDataFolder) {
        say(fmt::format("{}/{}: not backed up", directory, path));
      }
    }
  }
  return chosen;
}

// Streams a daemon's dump into a part.
Done<void> add_dump(const Context& context, const DatabaseOwner& owner, backup::PartWriter& writer,
                    backup::Part& part, backup::Manifest& manifest) {
  auto piece = SecretBytes::allocate(kPieceBytes);
  if (!piece) return failure_at(part.name, piece.error());
  auto child = Child::start({.program = std::string(owner.daemon),
                             .config = context.config_path(),
                             .instance = std::string(owner.daemon),
                             .action = "--dump"},
                            Child::Pipe::from_its_output);
  if (!child) return failure(kUsage, child.error());
  backup::BackedFile file{
      .path = std::string(owner.name), .mode = 0600, .size_bytes = 0, .sha256 = {}};
  crypto::Sha256 hash;
  std::vector<std::byte> head, tail;
  while (true) {
    const std::span<std::byte> room = piece->reveal();
    const ssize_t got = ::read(child->fd(), room.data(), room.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    const std::span<const std::byte> bytes = room.first(static_cast<std::size_t>(got));
    if (head.size() < kDumpHeadBytes) {
      append_bytes(head, bytes.first(std::min(bytes.size(), kDumpHeadBytes - head.size())));
    }
    append_bytes(tail, bytes.last(std::min(bytes.size(), kNumberBytes)));
    tail.erase(tail.begin(),
               tail.end() - static_cast<std::ptrdiff_t>(std::min(tail.size(), kNumberBytes)));
    hash.update(bytes);
    file.size_bytes += bytes.size();
    const auto added = writer.add(bytes);
    if (!added) return failure_at(part.name, added.error());
  }
  if (const auto ended = child->wait(); !ended) return failure(kUsage, ended.error());
  if (head.size() < kDumpHeadBytes) return failure(kUsage, part.name + ": no dump came");
  file.sha256 = hash.finish();
  manifest.databases.push_back({.name = file.path,
                                .schema_version = read_u64be(std::span(head).subspan(kNumberBytes)),
                                .rows = read_u64be(tail)});
  part.files.push_back(std::move(file));
  return {};
}

// What auditd records of a backup, before it is begun and when it has ended.
Done<void> record(const Context& context, const backup::Manifest& manifest, std::string_view act,
                  const std::optional<crypto::Sha256Digest>& sha256 = std::nullopt) {
  boost::json::array parts;
  for (const backup::Part& part : manifest.parts) parts.emplace_back(part.name);
  boost::json::object body{{"id", manifest.id},
                           {"kind", backup::to_string(manifest.kind)},
                           {"act", act},
                           {"parts", std::move(parts)}};
  if (sha256) body["sha256"] = hex(*sha256);
  const auto answer = call_admin(context.directory, "auditd", http::Method::post, "/v1/backups",
                                 boost::json::serialize(body));
  if (answer && answer->status == 200) return {};
  return failure(
      kNotReachable,
      fmt::format("{}: auditd does not record the backup, so there is none", context.directory));
}

Done<void> make_data(const Context& context, audit::Files& files, Making& making,
                     const AuditPaths& audit) {
  const std::string directory = fs::path(context.directory).lexically_normal().string();
  if (fs::path(audit.directory).lexically_relative(directory) != backup::kLogFolder) {
    return failure(kUsage, fmt::format("{}: only a log in DIR/{} is backed up", audit.directory,
                                       backup::kLogFolder));
  }
  backup::Manifest& manifest = making.backup().manifest;
  SR_TRY(const audit::JournalPlace before, journal_end(files, audit.directory));
  manifest.log_before = before.sequence - 1;
  for (const DatabaseOwner& owner : kDatabases) {
    say(fmt::format("database {}", owner.name));
    SR_CHECK_OK(making.add_part(std::string(owner.name), [&](auto& writer, auto& part) {
      return add_dump(context, owner, writer, part, manifest);
    }));
  }
  SR_TRY(const std::vector<Chosen> chosen, choose_for(backup::kFilesPart, directory));
  SR_CHECK_OK(making.add_part(std::string(backup::kFilesPart), [&](auto& writer, auto& part) {
    return add_files(files, directory, chosen, writer, part, "configuration and sealed files");
  }));
  if (!ask_for_checkpoints(context)) {
    return failure(kNotReachable, fmt::format("{}: auditd does not sign", context.directory));
  }
  say("audit log");
  SR_TRY(const ChosenLog log, choose_log(files, directory));
  manifest.log_end = log.end;
  return making.add_part(std::string(backup::kLogPart), [&](auto& writer, auto& part) {
    return add_files(files, directory, log.files, writer, part, "audit log");
  });
}

Done<crypto::Sha256Digest> hash_of(audit::Files& files, const std::string& path) {
  const auto file = files.open(path, audit::OpenMode::read);
  if (!file) return failure_at(path, file.error());
  const auto size = (*file)->size();
  if (!size) return failure_at(path, size.error());
  crypto::Sha256 hash;
  SR_CHECK_OK(read_pieces(**file, path, *size, [&hash](auto piece) -> Done<void> {
    hash.update(piece);
    return {};
  }));
  return hash.finish();
}

// SoftHSM may have written a key meanwhile: then the copy could be neither the old nor the new.
Done<void> see_that_nothing_changed(audit::Files& files, const std::string& directory,
                                    const backup::Part& part) {
  for (const backup::BackedFile& backed : part.files) {
    const std::string path = fmt::format("{}/{}", directory, backed.path);
    const auto digest = hash_of(files, path);
    if (!digest) {
      return failure(digest.error().status, digest.error().text +
                                                "; it was there before: if a key was made"
                                                " meanwhile, make the backup again");
    }
    if (*digest != backed.sha256) {
      return failure(kUsage, path + ": changed while it was read; make the backup again");
    }
  }
  return {};
}

Done<void> make_keys(const Context& context, audit::Files& files, Making& making) {
  const std::string directory = fs::path(context.directory).lexically_normal().string();
  SR_TRY(const std::vector<Chosen> chosen, choose_for(backup::kKeysPart, directory));
  SR_CHECK_OK(making.add_part(std::string(backup::kKeysPart), [&](auto& writer, auto& part) {
    return add_files(files, directory, chosen, writer, part, "keys");
  }));
  return see_that_nothing_changed(files, directory, making.backup().manifest.parts.back());
}

// Between its two entries: `make`, the manifest, and a look at what was written, as it is read back
// from the disk with the passphrase.
Done<OpenBackup> make_recorded(const Context& context, audit::Files& files, Making& making,
                               const std::string& passphrase,
                               const std::function<Done<void>()>& make) {
  const backup::Manifest& manifest = making.backup().manifest;
  SR_CHECK_OK(record(context, manifest, "begin"));
  const auto whole = [&]() -> Done<std::pair<OpenBackup, crypto::Sha256Digest>> {
    SR_CHECK_OK(make());
    SR_TRY(const crypto::Sha256Digest sha256, making.finish());
    drop_cached(making.backup().folder);
    SR_TRY(OpenBackup written, open_backup(files, making.backup().folder, passphrase));
    SR_CHECK_OK(check_with_bar(files, written));
    return std::pair(std::move(written), sha256);
  };
  auto made = whole();
  if (!made) {
    static_cast<void>(record(context, manifest, "failed"));
    return std::unexpected(made.error());
  }
  SR_CHECK_OK(record(context, manifest, "end", made->second));
  return std::move(made->first);
}

// Neither group of people can open the other's folder.
Done<void> see_that_passphrases_differ(const BackupOptions& options) {
  if (options.keys_out.empty()) return {};
  SR_TRY(const SecretBytes data, read_backup_passphrase(options.passphrase));
  SR_TRY(const SecretBytes keys, read_backup_passphrase(options.keys_passphrase));
  if (!equal_constant_time(data.reveal(), keys.reveal())) return {};
  return failure(kUsage, fmt::format("{}: the same passphrase as in {}", options.keys_passphrase,
                                     options.passphrase));
}

// With a hardware HSM what --keys-out backs up has none of its keys.
Done<bool> has_token(const std::string& directory) {
  SR_TRY(const auto files, plain_files(fmt::format("{}/{}", directory, backup::kTokenFolder)));
  return !files.empty();
}

// Before the databases are dumped, so that one that is restored knows of the keys' copies.
Done<void> begin_notes(const Context& context, const BackupOptions& options, LedgerNotes& notes) {
  SR_CHECK_OK(notes.begin(backup::Kind::data));
  if (options.keys_out.empty()) return {};
  SR_TRY(const bool token, has_token(context.directory));
  if (!token) {
    say("the HSM's keys are not in DIR: note how you back them up by strongroom keys backups add");
    return {};
  }
  return notes.begin(backup::Kind::keys);
}

// What has come of it: the folders that were made, or were empty, and are no backup yet; and the
// backups.
struct Made {
  std::vector<std::string> begun;
  std::vector<OpenBackup> backups;
};

Done<void> make_all(const Context& context, const BackupOptions& options, LedgerNotes& notes,
                    Made& made) {
  SR_CHECK_OK(see_that_passphrases_differ(options));
  const auto config = read_file(context.config_path(), kConfigBytesMax);
  if (!config) return failure_at(context.config_path(), config.error());
  SR_CHECK_OK(see_that_vaultd_is_alone(*config, context.config_path()));
  const auto audit = read_audit_paths(context);
  if (!audit) return failure(audit.error(), {});
  const auto vkey = read_key_file(audit->vkey);
  if (!vkey) return failure(vkey.error(), {});
  audit::PosixFiles files;
  crypto::SystemRandom random;
  const auto manifest_of = [&](backup::Kind kind) {
    backup::Manifest manifest;
    manifest.kind = kind;
    manifest.id = notes.id();
    manifest.deployment = *vkey;
    manifest.program = service::kVersion;
    manifest.made_at_us = SystemClock().now_us();
    return manifest;
  };
  SR_CHECK_OK(claim_backup_folder(options.out));
  made.begun.push_back(options.out);
  SR_TRY(Making data, Making::begin(files, random, options.out, options.passphrase,
                                    manifest_of(backup::Kind::data)));
  std::optional<Making> keys;
  if (!options.keys_out.empty()) {
    SR_CHECK_OK(claim_backup_folder(options.keys_out));
    made.begun.push_back(options.keys_out);
    auto made_keys = Making::begin(files, random, options.keys_out, options.keys_passphrase,
                                   manifest_of(backup::Kind::keys));
    if (!made_keys) return std::unexpected(made_keys.error());
    keys.emplace(*std::move(made_keys));
  }
  SR_CHECK_OK(begin_notes(context, options, notes));
  SR_TRY(OpenBackup data_made, make_recorded(context, files, data, options.passphrase, [&] {
           return make_data(context, files, data, *audit);
         }));
  made.backups.push_back(std::move(data_made));
  std::erase(made.begun, options.out);
  SR_CHECK_OK(notes.verified(backup::Kind::data));
  if (!keys) return {};
  SR_TRY(OpenBackup keys_made, make_recorded(context, files, *keys, options.keys_passphrase,
                                             [&] { return make_keys(context, files, *keys); }));
  SR_CHECK_OK(notes.verified(backup::Kind::keys));
  made.backups.push_back(std::move(keys_made));
  made.begun.clear();
  return {};
}

// Whether nothing of them is left.
bool remove_all(const std::vector<std::string>& folders) {
  bool gone = true;
  for (const std::string& folder : folders) {
    std::error_code error;
    fs::remove_all(folder, error);
    if (!error) continue;
    say(fmt::format("{}: {}; remove it", folder, error.message()));
    gone = false;
  }
  return gone;
}

// Done, or as far as the logs in them go.
int status_of(const std::vector<OpenBackup>& backups) {
  const bool complete = std::ranges::all_of(
      backups, [](const OpenBackup& one) { return !one.log || one.log->complete(); });
  return complete ? kOk : kArchived;
}

void print_all(const Context& context, const std::vector<OpenBackup>& backups) {
  boost::json::array all;
  for (const OpenBackup& backup : backups) {
    if (context.json) {
      all.push_back(to_json(backup));
    } else {
      print_backup(backup);
    }
  }
  if (context.json) fmt::print("{}\n", boost::json::serialize(all));
}

}  // namespace

int create_backup(const Context& context, const BackupOptions& options) {
  protect_process();
  Context absolute = context;
  std::error_code error;
  absolute.directory = fs::absolute(context.directory, error).lexically_normal().string();
  std::array<std::byte, kIdBytes> random_id{};
  crypto::SystemRandom().fill(random_id);
  LedgerNotes notes(absolute, hex(random_id));
  Made made;
  const auto all = make_all(absolute, options, notes, made);
  if (!all) {
    if (remove_all(made.begun)) notes.failed();
    if (made.backups.empty()) return end_with(all.error());
    print_all(context, made.backups);
    say("of the keys there is no backup; that of the data is whole");
    return end_with(all.error());
  }
  if (options.keys_out.empty()) {
    say("without the keys, which --keys-out backs up, or the HSM by its own means");
  }
  print_all(context, made.backups);
  return status_of(made.backups);
}

int verify_backup(const Context& context, const std::string& folder,
                  const std::string& passphrase) {
  protect_process();
  audit::PosixFiles files;
  std::vector<OpenBackup> opened;
  auto backup = open_backup(files, folder, passphrase);
  if (!backup) return end_with(backup.error());
  const auto whole = check_with_bar(files, *backup);
  if (!whole) return end_with(whole.error());
  opened.push_back(*std::move(backup));
  print_all(context, opened);
  return status_of(opened);
}

}  // namespace strongroom::tool
