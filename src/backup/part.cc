// Sealing and opening chunks.
#include "backup/part.h"

#include <algorithm>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/context.h"

namespace strongroom::backup {
namespace {

constexpr std::string_view kMagic = "SRPART01";
constexpr std::size_t kSealedChunkBytes = kPartChunkBytes + crypto::Sealed::kOverhead;
constexpr Error kNoPart{ErrorCode::corrupt, "no part of a backup, or one that is cut short"};

static_assert(kMagic.size() == kPartHeaderBytes);

crypto::Context context_of(const PartName& name, std::uint64_t number, bool last) {
  crypto::Context context("strongroom/backup/1");
  context.add(name.backup).add(name.part).add(number).add(std::uint32_t{last ? 1U : 0U});
  return context;
}

}  // namespace

PartWriter::PartWriter(std::unique_ptr<audit::File> file, PartName name, const crypto::Aead& key,
                       crypto::Random& random)
    : file_(std::move(file)), name_(std::move(name)), key_(&key), random_(&random) {}

Result<PartWriter> PartWriter::create(audit::Files& files, const std::string& path, PartName name,
                                      const crypto::Aead& key, crypto::Random& random) {
  SR_TRY(auto file, files.open(path, audit::OpenMode::create));
  PartWriter writer(std::move(file), std::move(name), key, random);
  SR_TRY(writer.chunk_, SecretBytes::allocate(kPartChunkBytes));
  SR_CHECK_OK(writer.write(as_bytes(kMagic)));
  return writer;
}

Result<void> PartWriter::write(std::span<const std::byte> bytes) {
  SR_CHECK_OK(file_->write(facts_.size_bytes, bytes));
  hash_.update(bytes);
  facts_.size_bytes += bytes.size();
  return {};
}

Result<void> PartWriter::seal(bool last) {
  const crypto::Context context = context_of(name_, chunks_++, last);
  SR_TRY(const crypto::Sealed sealed,
         key_->seal(*random_, chunk_.reveal().first(filled_), context.bytes()));
  filled_ = 0;
  return write(sealed.bytes());
}

Result<void> PartWriter::add(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (filled_ == kPartChunkBytes) SR_CHECK_OK(seal(false));
    const std::size_t part = std::min(bytes.size(), kPartChunkBytes - filled_);
    std::ranges::copy(bytes.first(part), chunk_.reveal().subspan(filled_).begin());
    filled_ += part;
    bytes = bytes.subspan(part);
  }
  return {};
}

Result<PartFacts> PartWriter::finish() {
  SR_CHECK_OK(seal(true));
  SR_CHECK_OK(file_->sync());
  facts_.sha256 = hash_.finish();
  return facts_;
}

PartReader::PartReader(std::unique_ptr<audit::File> file, PartName name, const crypto::Aead& key)
    : file_(std::move(file)), name_(std::move(name)), key_(&key) {}

Result<PartReader> PartReader::open(audit::Files& files, const std::string& path, PartName name,
                                    const crypto::Aead& key) {
  SR_TRY(auto file, files.open(path, audit::OpenMode::read));
  SR_TRY(const std::uint64_t bytes, file->size());
  std::vector<std::byte> magic(kMagic.size());
  SR_TRY(const std::size_t got, file->read(0, magic));
  if (got != magic.size() || as_text(magic) != kMagic) return fail(kNoPart);
  const std::uint64_t sealed = bytes - kMagic.size();
  PartReader reader(std::move(file), std::move(name), key);
  reader.chunks_ = (sealed + kSealedChunkBytes - 1) / kSealedChunkBytes;
  if (reader.chunks_ == 0) return fail(kNoPart);
  const std::uint64_t last = sealed - (reader.chunks_ - 1) * kSealedChunkBytes;
  if (last < crypto::Sealed::kOverhead) return fail(kNoPart);
  reader.size_ = (reader.chunks_ - 1) * kPartChunkBytes + (last - crypto::Sealed::kOverhead);
  // What was cut off at a chunk's end would show nowhere else: the last one is not the last.
  SR_CHECK_OK(reader.open_chunk(reader.chunks_ - 1));
  return reader;
}

Result<void> PartReader::open_chunk(std::uint64_t number) {
  if (opened_ == number) return {};
  std::vector<std::byte> bytes(kSealedChunkBytes);
  SR_TRY(const std::size_t got, file_->read(kMagic.size() + number * kSealedChunkBytes, bytes));
  bytes.resize(got);
  SR_TRY(const crypto::Sealed sealed, crypto::Sealed::from_stored(bytes));
  const crypto::Context context = context_of(name_, number, number + 1 == chunks_);
  SR_TRY(chunk_, key_->open(sealed, context.bytes()));
  opened_ = number;
  return {};
}

Result<std::size_t> PartReader::read(std::uint64_t offset, std::span<std::byte> out) {
  std::size_t filled = 0;
  while (filled < out.size() && offset < size_) {
    SR_CHECK_OK(open_chunk(offset / kPartChunkBytes));
    const auto rest = std::as_const(chunk_).reveal().subspan(offset % kPartChunkBytes);
    const std::size_t part = std::min(rest.size(), out.size() - filled);
    std::ranges::copy(rest.first(part), out.subspan(filled).begin());
    filled += part;
    offset += part;
  }
  return filled;
}

}  // namespace strongroom::backup
