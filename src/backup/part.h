// Part: one encrypted file of a backup. What it holds is cut into chunks of one size, each sealed
// and bound to the backup, the part, its number and whether it is the last; so none can be left
// out, added, moved or taken from elsewhere, and any place in it can be read without the rest.
// What it holds may be PINs: a chunk in clear stands in secret memory alone.
// docs/formats/backup.md gives the file byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "audit/files.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/random.h"

namespace strongroom::backup {

inline constexpr std::size_t kPartHeaderBytes = 8;
inline constexpr std::size_t kPartChunkBytes = std::size_t{64} << 10;

// Whose part: of which backup (Manifest::id) and which one. Of the manifest itself, which is read
// before the id is known, the backup is empty.
struct PartName {
  std::string backup;
  std::string part;
};

// What a part has become.
struct PartFacts {
  std::uint64_t size_bytes = 0;  // of the file
  crypto::Sha256Digest sha256{};
};

// One thread. `key` and `random` outlive it.
class PartWriter {
 public:
  // A new file at `path`. conflict: there is one; unavailable, exhausted.
  [[nodiscard]] static Result<PartWriter> create(audit::Files& files, const std::string& path,
                                                 PartName name, const crypto::Aead& key,
                                                 crypto::Random& random);
  [[nodiscard]] Result<void> add(std::span<const std::byte> bytes);
  // The file is durable, its name is not. Nothing is added after.
  [[nodiscard]] Result<PartFacts> finish();

 private:
  PartWriter(std::unique_ptr<audit::File> file, PartName name, const crypto::Aead& key,
             crypto::Random& random);
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> seal(bool last);

  std::unique_ptr<audit::File> file_;
  PartName name_;
  const crypto::Aead* key_;
  crypto::Random* random_;
  std::uint64_t chunks_ = 0;
  SecretBytes chunk_;  // kPartChunkBytes
  std::size_t filled_ = 0;
  PartFacts facts_;
  crypto::Sha256 hash_;
};

// One thread. `key` outlives it.
class PartReader {
 public:
  // not_found; corrupt: it is no part, or cut short; unavailable. Whether it is authentic shows
  // when it is read.
  [[nodiscard]] static Result<PartReader> open(audit::Files& files, const std::string& path,
                                               PartName name, const crypto::Aead& key);
  // Of what it holds.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  // Fills `out` from there on; with fewer bytes only at the end. permission_denied: a chunk is not
  // what was sealed for this place, or the key is another; unavailable, exhausted.
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out);

 private:
  PartReader(std::unique_ptr<audit::File> file, PartName name, const crypto::Aead& key);
  Result<void> open_chunk(std::uint64_t number);

  std::unique_ptr<audit::File> file_;
  PartName name_;
  const crypto::Aead* key_;
  std::uint64_t size_ = 0;
  std::uint64_t chunks_ = 0;
  std::uint64_t opened_ = UINT64_MAX;  // the chunk in chunk_
  SecretBytes chunk_;
};

}  // namespace strongroom::backup
