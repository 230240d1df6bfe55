// Reading an archive (archive_writer.cc tells how its parts hold together).
#include "audit/archive.h"

#include <zstd.h>

#include <algorithm>

#include "audit/archive_form.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kSealedChunkBytes = kArchiveChunkBytes + crypto::Sealed::kOverhead;
constexpr int kWindowLogMax = 23;  // 8 MiB; the compressor's own choice is 2 MiB
constexpr Error kDamaged{ErrorCode::corrupt, "audit archive is damaged"};

Result<std::vector<std::byte>> header_bytes(File& file) {
  std::vector<std::byte> bytes(kArchiveHeaderBytes);
  SR_TRY(const std::size_t got, file.read(0, bytes));
  bytes.resize(got);
  return bytes;
}

}  // namespace

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
  SR_TRY(const ArchiveHeader header, parse_archive_header(bytes));
  const auto clear = std::span(bytes).first(kArchiveClearBytes);
  SR_TRY(const crypto::Sealed wrapped,
         crypto::Sealed::from_stored(std::span(bytes).subspan(kArchiveClearBytes)));
  SR_TRY(SecretBytes secret, key.open(wrapped, archive_key_context(clear).bytes()));
  SR_TRY(crypto::Aead file_key, crypto::Aead::create(std::move(secret), kArchiveFileKeyVersion));
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
  const crypto::Context context = archive_chunk_context(chunks_++, last_chunk_);
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
