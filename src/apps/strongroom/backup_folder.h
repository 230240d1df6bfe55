// A backup's folder as the commands find it: opened with its passphrase, and checked as a whole.
#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "audit/files.h"
#include "audit/verify.h"
#include "backup/manifest.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/aead.h"

namespace strongroom::tool {

// Why a command ends: its exit status, and the reason to print.
struct Failure {
  int status;
  std::string text;
};
template <class T>
using Done = std::expected<T, Failure>;

[[nodiscard]] inline std::unexpected<Failure> failure(int status, std::string text) {
  return std::unexpected(Failure{status, std::move(text)});
}
// What the system says, and what to do where this user may not.
[[nodiscard]] std::string text_of_errno(int number);
// "PATH: what", with the status of a refused request.
[[nodiscard]] std::unexpected<Failure> failure_at(const std::string& path, const Error& error);

// The key of a backup stands in it, in a sealed file of this name and purpose.
inline constexpr std::string_view kBackupKeyName = "key";
inline constexpr std::string_view kBackupKeyPurpose = "backup";
inline constexpr std::uint32_t kBackupKeyVersion = 1;

// Each database, and the daemon that dumps it and fills it again.
struct DatabaseOwner {
  std::string_view name, daemon;
};
inline constexpr std::array<DatabaseOwner, 3> kDatabases{DatabaseOwner{"auth", "authd"},
                                                         DatabaseOwner{"core", "gatewayd"},
                                                         DatabaseOwner{"vault", "vaultd"}};

struct OpenBackup {
  std::string folder;
  crypto::Aead key;
  backup::Manifest manifest;
  std::optional<audit::VerifyReport> log{};  // of the one in it, once it was checked

  [[nodiscard]] std::string path_of(const backup::Part& part) const;
  [[nodiscard]] Result<backup::PartReader> reader(audit::Files& files,
                                                  const backup::Part& part) const;
};

// First of all, for keys and passphrases go through this process: no core dump, no look into it by
// others of this user, files for the owner alone. A write to a daemon that has ended fails, and the
// daemon has said why.
void protect_process();

// The passphrase in a file that only its owner can read.
[[nodiscard]] Done<SecretBytes> read_backup_passphrase(const std::string& path);
// What is missing or damaged, or another passphrase's, is named.
[[nodiscard]] Done<OpenBackup> open_backup(audit::Files& files, const std::string& folder,
                                           const std::string& passphrase_path);

// Called with how many bytes of the backup were read, of how many.
using CheckProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;
// Reads all of it: that every part is there, opens, and holds what the manifest says; and that the
// audit log in it is intact, as far as it goes. The first thing that is not is named.
[[nodiscard]] Done<void> check_backup(audit::Files& files, OpenBackup& backup,
                                      const CheckProgress& progress);

// The content of one file of a part, piece by piece.
using TakePiece = std::function<Result<void>(std::span<const std::byte>)>;
[[nodiscard]] Result<void> read_backed_file(backup::PartReader& reader, std::uint64_t offset,
                                            std::uint64_t size_bytes, const TakePiece& take);

// check_backup() with a bar.
[[nodiscard]] Done<void> check_with_bar(audit::Files& files, OpenBackup& backup);

// Refuses the configuration `toml` where its vaultd has peers: what these erase stands in the logs
// of their hosts alone, so one log cannot tell what a restore must erase again. `path` names it.
[[nodiscard]] Done<void> see_that_vaultd_is_alone(std::string_view toml, const std::string& path);

// Prints the reason, unless it was printed where it came about, and gives the status.
int end_with(const Failure& failure);

// What --json prints of a backup.
[[nodiscard]] boost::json::object to_json(const OpenBackup& backup);
// The same as lines for people.
void print_backup(const OpenBackup& backup);

}  // namespace strongroom::tool
