// Archive: the content is one zstd frame (RFC 8878), cut into chunks of one size. Each chunk is a
// sealed blob that is bound to its number and to being the last one or not, under a key that seals
// nothing else; so none can be left out, added, moved or taken from another archive.
#include "audit/archive.h"

#include <fmt/core.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>

#include "audit/journal_reader.h"
#include "base/encoding.h"
#include "base/try.h"
#include "crypto/context.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kMagic = "SRARCH01";
constexpr std::string_view kPrefix = "journal-", kSuffix = ".archive";
constexpr std::size_t kDigits = 20;
constexpr std::size_t kClearBytes = 88;  // of the header, before the wrapped key
constexpr std::uint32_t kFileKeyVersion = 1;
constexpr std::size_t kSealedChunkBytes = kArchiveChunkBytes + crypto::Sealed::kOverhead;
constexpr int kLevel =
    6;  // of zstd: twice as small as level 1 on entries, faster than a disk writes
constexpr std::size_t kWindowLogMax = 23;  // 8 MiB; the compressor's own choice is 2 MiB
constexpr Error kDamaged{ErrorCode::corrupt, "audit archive is damaged"};
constexpr Error kNoArchive{ErrorCode::corrupt, "file is no audit archive"};
constexpr Error kChanged{ErrorCode::corrupt, "segment of the journal has changed"};

std::vector<std::byte> clear_header(const ArchiveHeader& header) {
  std::vector<std::byte> out;
  out.reserve(kArchiveHeaderBytes);
  append_bytes(out, as_bytes(kMagic));
  append_u64be(out, header.segment.first_sequence);
  append_u64be(out, header.segment.last_sequence);
  append_u64be(out, static_cast<std::uint64_t>(header.segment.oldest_ms));
  append_u64be(out, static_cast<std::uint64_t>(header.segment.newest_ms));
  append_u64be(out, static_cast<std::uint64_t>(header.locked_until_ms));
  append_u64be(out, header.segment.size_bytes);
  append_bytes(out, header.segment.sha256);
  return out;
}

Result<ArchiveHeader> parse_header(std::span<const std::byte> bytes) {
  if (bytes.size() != kArchiveHeaderBytes || as_text(bytes.first(kMagic.size())) != kMagic) {
    return fail(kNoArchive);
  }
  const auto number = [&](std::size_t i) { return read_u64be(bytes.subspan(8 + 8 * i)); };
  ArchiveHeader header{.segment = {.first_sequence = number(0),
                                   .last_sequence = number(1),
                                   .oldest_ms = static_cast<std::int64_t>(number(2)),
                                   .newest_ms = static_cast<std::int64_t>(number(3)),
                                   .size_bytes = number(5)},
                       .locked_until_ms = static_cast<std::int64_t>(number(4))};
  std::ranges::copy(bytes.subspan(56, header.segment.sha256.size()), header.segment.sha256.begin());
  return header;
}

Result<std::vector<std::byte>> header_bytes(File& file) {
  std::vector<std::byte> bytes(kArchiveHeaderBytes);
  SR_TRY(const std::size_t got, file.read(0, bytes));
  bytes.resize(got);
  return bytes;
}

crypto::Context key_context(std::span<const std::byte> clear) {
  crypto::Context context("strongroom/audit-archive-key/1");
  context.add(clear);
  return context;
}

crypto::Context chunk_context(std::uint64_t number, bool last) {
  crypto::Context context("strongroom/audit-archive/1");
  context.add(number).add(std::uint32_t{last ? 1U : 0U});
  return context;
}

// The file that is being written: chunks as they fill.
class ChunkWriter {
 public:
  ChunkWriter(File& file, crypto::Aead key, crypto::Random& random)
      : file_(file), key_(std::move(key)), random_(random) {}

  Result<void> clear(std::span<const std::byte> bytes) {
    SR_CHECK_OK(file_.write(size_, bytes));
    hash_.update(bytes);
    size_ += bytes.size();
    return {};
  }
  Result<void> add(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      if (chunk_.size() == kArchiveChunkBytes) SR_CHECK_OK(seal(false));
      const std::size_t part = std::min(bytes.size(), kArchiveChunkBytes - chunk_.size());
      append_bytes(chunk_, bytes.first(part));
      bytes = bytes.subspan(part);
    }
    return {};
  }
  Result<crypto::Sha256Digest> finish() {
    SR_CHECK_OK(seal(true));
    SR_CHECK_OK(file_.sync());
    return hash_.finish();
  }

 private:
  Result<void> seal(bool last) {
    const crypto::Context context = chunk_context(number_++, last);
    SR_TRY(const crypto::Sealed sealed, key_.seal(random_, chunk_, context.bytes()));
    chunk_.clear();
    return clear(sealed.bytes());
  }

  File& file_;
  crypto::Aead key_;
  crypto::Random& random_;
  std::uint64_t size_ = 0;
  std::uint64_t number_ = 0;
  std::vector<std::byte> chunk_;
  crypto::Sha256 hash_;  // of the file
};

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};

// Compresses what it is given into chunks.
class Compressor {
 public:
  explicit Compressor(ChunkWriter& out)
      : out_(out), context_(ZSTD_createCCtx()), buffer_(ZSTD_CStreamOutSize()) {
    SR_CHECK(context_ != nullptr);
    SR_CHECK(
        ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel)) == 0);
  }
  Result<void> add(std::span<const std::byte> bytes) { return run(bytes, ZSTD_e_continue); }
  Result<void> finish() { return run({}, ZSTD_e_end); }

 private:
  Result<void> run(std::span<const std::byte> bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{.src = bytes.data(), .size = bytes.size(), .pos = 0};
    while (true) {
      ZSTD_outBuffer out{.dst = buffer_.data(), .size = buffer_.size(), .pos = 0};
      const std::size_t left = ZSTD_compressStream2(context_.get(), &out, &in, directive);
      SR_CHECK(ZSTD_isError(left) == 0);
      SR_CHECK_OK(out_.add(std::span(buffer_).first(out.pos)));
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  ChunkWriter& out_;
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> context_;
  std::vector<std::byte> buffer_;
};

Result<void> compress_segment(File& segment, const SegmentFacts& facts, Compressor& out) {
  std::vector<std::byte> block(kArchiveChunkBytes);
  crypto::Sha256 hash;
  for (std::uint64_t at = 0; at < facts.size_bytes;) {
    const auto wanted = std::span(block).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), facts.size_bytes - at)));
    SR_TRY(const std::size_t got, segment.read(at, wanted));
    if (got == 0) return fail(kChanged);
    hash.update(wanted.first(got));
    SR_CHECK_OK(out.add(wanted.first(got)));
    at += got;
  }
  return hash.finish() == facts.sha256 ? Result<void>{} : fail(kChanged);
}

// The key of one file, and as it stands there.
struct FileKey {
  crypto::Aead key;
  crypto::Sealed wrapped;
};

Result<FileKey> new_file_key(std::span<const std::byte> clear, const crypto::Aead& key,
                             crypto::Random& random) {
  SR_TRY(SecretBytes secret, crypto::random_secret(random, crypto::Aead::kKeySize));
  SR_TRY(crypto::Sealed wrapped, key.seal(random, secret.reveal(), key_context(clear).bytes()));
  SR_TRY(crypto::Aead file_key, crypto::Aead::create(std::move(secret), kFileKeyVersion));
  return FileKey{std::move(file_key), std::move(wrapped)};
}

}  // namespace

std::string archive_name(std::uint64_t first_sequence) {
  return fmt::format("{}{:020}{}", kPrefix, first_sequence, kSuffix);
}

std::optional<std::uint64_t> sequence_of_archive(std::string_view name) {
  if (name.size() != kPrefix.size() + kDigits + kSuffix.size()) return std::nullopt;
  std::uint64_t sequence = 0;
  const char* const digits = name.data() + kPrefix.size();
  const auto [end, error] = std::from_chars(digits, digits + kDigits, sequence);
  if (error != std::errc{} || name != archive_name(sequence)) return std::nullopt;
  return sequence;
}

std::string archive_path(const std::string& directory, std::uint64_t first_sequence) {
  return fmt::format("{}/{}/{}", directory, kArchiveFolder, archive_name(first_sequence));
}

Result<ArchiveHeader> read_archive_header(Files& files, const std::string& path) {
  SR_TRY(const auto file, files.open(path, OpenMode::read));
  SR_TRY(const std::vector<std::byte> bytes, header_bytes(*file));
  return parse_header(bytes);
}

Result<crypto::Sha256Digest> hash_file(Files& files, const std::string& path) {
  SR_TRY(const auto file, files.open(path, OpenMode::read));
  std::vector<std::byte> block(kArchiveChunkBytes);
  crypto::Sha256 hash;
  for (std::uint64_t at = 0;;) {
    SR_TRY(const std::size_t got, file->read(at, block));
    if (got == 0) return hash.finish();
    hash.update(std::span(block).first(got));
    at += got;
  }
}

Result<crypto::Sha256Digest> write_archive(Files& files, const std::string& directory,
                                           const ArchiveHeader& header, std::string_view evidence,
                                           const crypto::Aead& key, crypto::Random& random) {
  if (evidence.size() > kEvidenceBytesMax) {
    return fail({ErrorCode::too_large, "evidence of an audit archive is too long"});
  }
  const std::uint64_t sequence = header.segment.first_sequence;
  SR_TRY(const auto segment, files.open(directory + "/" + segment_name(sequence), OpenMode::read));
  SR_CHECK_OK(files.make_folder(fmt::format("{}/{}", directory, kArchiveFolder)));
  SR_CHECK_OK(files.sync_directory(directory));
  const std::string path = archive_path(directory, sequence);
  const auto removed = files.remove(path);
  if (!removed && removed.error().code() != ErrorCode::not_found) {
    return std::unexpected(removed.error());
  }
  SR_TRY(const auto file, files.open(path, OpenMode::create));
  const std::vector<std::byte> clear = clear_header(header);
  SR_TRY(FileKey file_key, new_file_key(clear, key, random));
  ChunkWriter chunks(*file, std::move(file_key.key), random);
  SR_CHECK_OK(chunks.clear(clear));
  SR_CHECK_OK(chunks.clear(file_key.wrapped.bytes()));
  Compressor out(chunks);
  std::vector<std::byte> length;
  append_u32be(length, static_cast<std::uint32_t>(evidence.size()));
  SR_CHECK_OK(out.add(length));
  SR_CHECK_OK(out.add(as_bytes(evidence)));
  SR_CHECK_OK(compress_segment(*segment, header.segment, out));
  SR_CHECK_OK(out.finish());
  SR_TRY(const crypto::Sha256Digest digest, chunks.finish());
  SR_CHECK_OK(files.sync_directory(fmt::format("{}/{}", directory, kArchiveFolder)));
  return digest;
}

void ArchiveReader::FreeDecompressor::operator()(ZSTD_DCtx_s* context) const noexcept {
  ZSTD_freeDCtx(context);
}

ArchiveReader::ArchiveReader(std::unique_ptr<File> file, ArchiveHeader header, crypto::Aead key)
    : file_(std::move(file)),
      header_(header),
      key_(std::move(key)),
      decompressor_(ZSTD_createDCtx()),
      plain_(ZSTD_DStreamOutSize()) {
  SR_CHECK(decompressor_ != nullptr);
  SR_CHECK(ZSTD_isError(ZSTD_DCtx_setParameter(decompressor_.get(), ZSTD_d_windowLogMax,
                                               kWindowLogMax)) == 0);
}

Result<ArchiveReader> ArchiveReader::open(Files& files, const std::string& path,
                                          const crypto::Aead& key) {
  SR_TRY(auto file, files.open(path, OpenMode::read));
  SR_TRY(const std::vector<std::byte> bytes, header_bytes(*file));
  SR_TRY(const ArchiveHeader header, parse_header(bytes));
  const auto clear = std::span(bytes).first(kClearBytes);
  SR_TRY(const crypto::Sealed wrapped,
         crypto::Sealed::from_stored(std::span(bytes).subspan(kClearBytes)));
  SR_TRY(SecretBytes secret, key.open(wrapped, key_context(clear).bytes()));
  SR_TRY(crypto::Aead file_key, crypto::Aead::create(std::move(secret), kFileKeyVersion));
  ArchiveReader reader(std::move(file), header, std::move(file_key));
  SR_CHECK_OK(reader.read_evidence());
  return reader;
}

Result<void> ArchiveReader::read_evidence() {
  SR_TRY(const std::vector<std::byte> length, take(4));
  const std::size_t size = read_u32be(length);
  if (size > kEvidenceBytesMax) return fail(kDamaged);
  SR_TRY(const std::vector<std::byte> bytes, take(size));
  evidence_ = as_text(bytes);
  return {};
}

Result<std::vector<std::byte>> ArchiveReader::take(std::size_t size) {
  std::vector<std::byte> out;
  while (out.size() < size) {
    SR_CHECK_OK(refill());
    if (rest_.empty()) return fail(kDamaged);
    const std::size_t part = std::min(size - out.size(), rest_.size());
    append_bytes(out, rest_.first(part));
    rest_ = rest_.subspan(part);
  }
  return out;
}

Result<std::span<const std::byte>> ArchiveReader::next() {
  SR_CHECK_OK(refill());
  const std::span<const std::byte> piece = std::exchange(rest_, {});
  given_bytes_ += piece.size();
  if (given_bytes_ > header_.segment.size_bytes) return fail(kDamaged);
  hash_.update(piece);
  if (!piece.empty()) return piece;
  const bool whole = last_chunk_ && given_bytes_ == header_.segment.size_bytes &&
                     hash_.finish() == header_.segment.sha256;
  return whole ? Result<std::span<const std::byte>>(piece) : fail(kDamaged);
}

Result<void> ArchiveReader::refill() {
  if (!rest_.empty()) return {};
  SR_TRY(rest_, plain());
  return {};
}

// More of what was compressed; empty at its end.
Result<std::span<const std::byte>> ArchiveReader::plain() {
  while (true) {
    ZSTD_inBuffer in{.src = chunk_.data(), .size = chunk_.size(), .pos = chunk_taken_};
    ZSTD_outBuffer out{.dst = plain_.data(), .size = plain_.size(), .pos = 0};
    if (!frame_ended_) {
      const std::size_t wanted = ZSTD_decompressStream(decompressor_.get(), &out, &in);
      if (ZSTD_isError(wanted) != 0) return fail(kDamaged);
      frame_ended_ = wanted == 0;
      chunk_taken_ = in.pos;
    }
    if (out.pos > 0) return std::span<const std::byte>(plain_).first(out.pos);
    if (chunk_taken_ < chunk_.size()) return fail(kDamaged);  // behind the frame's end
    if (last_chunk_) {
      if (!frame_ended_) return fail(kDamaged);
      return std::span<const std::byte>{};
    }
    SR_CHECK_OK(open_chunk());
  }
}

Result<void> ArchiveReader::open_chunk() {
  const std::uint64_t offset = kArchiveHeaderBytes + chunks_ * kSealedChunkBytes;
  std::vector<std::byte> bytes(kSealedChunkBytes + 1);  // one more: whether another one follows
  SR_TRY(const std::size_t got, file_->read(offset, bytes));
  last_chunk_ = got <= kSealedChunkBytes;
  bytes.resize(std::min(got, kSealedChunkBytes));
  SR_TRY(const crypto::Sealed sealed, crypto::Sealed::from_stored(bytes));
  const crypto::Context context = chunk_context(chunks_++, last_chunk_);
  const auto opened = key_.open(sealed, context.bytes());
  if (!opened && opened.error().code() == ErrorCode::exhausted) {
    return std::unexpected(opened.error());
  }
  if (!opened) return fail(kDamaged);
  const auto content = opened->reveal();
  chunk_.assign(content.begin(), content.end());
  chunk_taken_ = 0;
  return {};
}

}  // namespace strongroom::audit
