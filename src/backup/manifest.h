// Manifest: what a backup is of, and each of its files, so that half of one, a strange one and one
// of another deployment are told. It is itself a part, so whoever lacks the key learns nothing, and
// can change nothing unnoticed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/files.h"
#include "backup/part.h"
#include "base/result.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/random.h"

namespace strongroom::backup {

inline constexpr std::string_view kManifestName = "manifest";
inline constexpr std::size_t kManifestBytesMax = std::size_t{256} << 20;

// Two backups are made together, for two places: neither alone gives a card back.
enum class Kind : std::uint8_t {
  data,  // databases, audit log, configuration, sealed files
  keys,  // the HSM's token, PINs, passphrases, certificates' keys
};
[[nodiscard]] std::string_view to_string(Kind kind) noexcept;

// A file within a part, which holds them one behind the other in this order.
struct BackedFile {
  std::string path;  // below DIR, or a database's name
  std::uint32_t mode = 0;
  std::uint64_t size_bytes = 0;
  crypto::Sha256Digest sha256{};
  bool operator==(const BackedFile&) const = default;
};

struct Part {
  std::string name;  // its file in the backup's folder is <name>.part
  std::uint64_t size_bytes = 0;
  crypto::Sha256Digest sha256{};  // of that file
  std::vector<BackedFile> files;
  bool operator==(const Part&) const = default;
};

struct Database {
  std::string name;  // "vault"; its dump is the one file of the part of that name
  std::uint64_t schema_version = 0;
  std::uint64_t rows = 0;
  bool operator==(const Database&) const = default;
};

struct Manifest {
  Kind kind = Kind::data;
  std::string id;          // 32 hex digits; of both backups that were made together
  std::string deployment;  // verifier key of the operator's log
  std::string program;     // version of the programs that made it
  std::int64_t made_at_us = 0;
  // Of the audit log's journal: the last entry before the databases were dumped, and the last one
  // that is in the backup.
  std::uint64_t log_before = 0;
  std::uint64_t log_end = 0;
  std::vector<Database> databases;
  std::vector<Part> parts;
  bool operator==(const Manifest&) const = default;

  [[nodiscard]] const Part* part(std::string_view name) const;
};

// Whether a manifest may name a file so: it leads neither out of DIR nor to a place twice, and
// holds no control character.
[[nodiscard]] bool is_plain_path(std::string_view path);

// <name>.part
[[nodiscard]] std::string part_file(std::string_view name);

// One line of JSON, members in a fixed order.
[[nodiscard]] std::string to_json(const Manifest& manifest);
// corrupt: not what to_json() gives, or of a later form than this program knows.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view json);

// Writes FOLDER/manifest; gives what it has become.
[[nodiscard]] Result<PartFacts> write_manifest(audit::Files& files, const std::string& folder,
                                               const Manifest& manifest, const crypto::Aead& key,
                                               crypto::Random& random);
// not_found; permission_denied: another key's, or altered; corrupt, too_large, unavailable.
[[nodiscard]] Result<Manifest> read_manifest(audit::Files& files, const std::string& folder,
                                             const crypto::Aead& key);

}  // namespace strongroom::backup
