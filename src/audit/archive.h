// Archive: one closed segment of the journal for the long shelf: compressed, sealed under a key of
// its own, and with the evidence that it is of the signed logs inside.
// docs/formats/audit-archive.md gives the file byte by byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/files.h"
#include "audit/segment.h"
#include "base/result.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/random.h"

struct ZSTD_DCtx_s;

namespace strongroom::audit {

inline constexpr std::string_view kArchiveFolder = "archive";
inline constexpr std::size_t kArchiveHeaderBytes = 153;
// Of the compressed content; each is one sealed blob.
inline constexpr std::size_t kArchiveChunkBytes = std::size_t{64} << 10;
inline constexpr std::size_t kEvidenceBytesMax = std::size_t{64} << 20;

// journal-00000000000000000001.archive
[[nodiscard]] std::string archive_name(std::uint64_t first_sequence);
// The first sequence in such a name; nullopt for any other.
[[nodiscard]] std::optional<std::uint64_t> sequence_of_archive(std::string_view name);
// DIR/audit/archive/<name>
[[nodiscard]] std::string archive_path(const std::string& directory, std::uint64_t first_sequence);

// What an archive says of itself in clear.
struct ArchiveHeader {
  SegmentFacts segment;
  std::int64_t locked_until_ms = 0;  // Unix time; nobody removes it before
  bool operator==(const ArchiveHeader&) const = default;
};

// The header of the archive at `path`. Whether it is authentic shows when the archive is opened.
// not_found; corrupt: it is no archive; unavailable.
[[nodiscard]] Result<ArchiveHeader> read_archive_header(Files& files, const std::string& path);

// SHA-256 of a whole file.
[[nodiscard]] Result<crypto::Sha256Digest> hash_file(Files& files, const std::string& path);

// Writes the archive of the segment that `header` tells of, in place of one that is there, and
// makes it durable; gives the file's SHA-256. `key` wraps the file's own. unavailable; corrupt: the
// segment is no longer what `header` says.
[[nodiscard]] Result<crypto::Sha256Digest> write_archive(Files& files, const std::string& directory,
                                                         const ArchiveHeader& header,
                                                         std::string_view evidence,
                                                         const crypto::Aead& key,
                                                         crypto::Random& random);

// ArchiveReader opens an archive and streams its segment. One thread.
class ArchiveReader {
 public:
  // not_found; corrupt: it is no archive, or its beginning is damaged; permission_denied: the key
  // is another, or the header was altered; unavailable. `files` may go.
  [[nodiscard]] static Result<ArchiveReader> open(Files& files, const std::string& path,
                                                  const crypto::Aead& key);
  ArchiveReader(ArchiveReader&&) noexcept = default;
  ArchiveReader& operator=(ArchiveReader&&) noexcept = default;
  ~ArchiveReader() = default;

  [[nodiscard]] const ArchiveHeader& header() const noexcept { return header_; }
  // As it was given to write_archive().
  [[nodiscard]] const std::string& evidence() const noexcept { return evidence_; }
  // The next bytes of the segment, valid until the next call; empty at its end, where all of it was
  // what the header says. corrupt: a byte of the archive is another, it was cut short, or its parts
  // stand elsewhere.
  [[nodiscard]] Result<std::span<const std::byte>> next();

 private:
  struct FreeDecompressor {
    void operator()(ZSTD_DCtx_s* context) const noexcept;
  };
  ArchiveReader(std::unique_ptr<File> file, ArchiveHeader header, crypto::Aead key);
  Result<void> read_evidence();
  Result<std::vector<std::byte>> take(std::size_t size);
  Result<void> refill();
  Result<std::span<const std::byte>> plain();
  Result<void> open_chunk();

  std::unique_ptr<File> file_;
  ArchiveHeader header_;
  crypto::Aead key_;
  std::string evidence_;
  std::unique_ptr<ZSTD_DCtx_s, FreeDecompressor> decompressor_;
  std::uint64_t chunks_ = 0;         // opened
  bool last_chunk_ = false;          // was opened
  bool frame_ended_ = false;         // of the compression
  std::vector<std::byte> chunk_;     // compressed
  std::size_t chunk_taken_ = 0;      // of it
  std::vector<std::byte> plain_;     // decompressed
  std::span<const std::byte> rest_;  // of plain_, not given yet
  crypto::Sha256 hash_;              // of the segment, as far as it was given
  std::uint64_t given_bytes_ = 0;
};

}  // namespace strongroom::audit
