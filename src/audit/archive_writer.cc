// Writing an archive: the content is one zstd frame (RFC 8878), cut into chunks of one size. Each
// chunk is a sealed blob that is bound to its number and to being the last one or not, under a key
// that seals nothing else; so none can be left out, added, moved or taken from another archive.
#include <fmt/core.h>
#include <zstd.h>

#include <algorithm>

#include "audit/archive_form.h"
#include "audit/journal_reader.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr int kLevel = 6;  // of zstd
constexpr Error kChanged{ErrorCode::corrupt, "segment of the journal has changed"};

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
    const crypto::Context context = archive_chunk_context(number_++, last);
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
  SR_TRY(crypto::Sealed wrapped,
         key.seal(random, secret.reveal(), archive_key_context(clear).bytes()));
  SR_TRY(crypto::Aead file_key, crypto::Aead::create(std::move(secret), kArchiveFileKeyVersion));
  return FileKey{std::move(file_key), std::move(wrapped)};
}

}  // namespace

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
  const auto removed = remove_immutable(files, path);
  if (!removed && removed.error().code() != ErrorCode::not_found) {
    return std::unexpected(removed.error());
  }
  SR_TRY(const auto file, files.open(path, OpenMode::create));
  const std::vector<std::byte> clear = clear_archive_header(header);
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

}  // namespace strongroom::audit
