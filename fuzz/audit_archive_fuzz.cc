// Whatever bytes stand in an archive: opening it ends, and gives no more than the header says. The
// first byte of an input chooses: even, the rest is the file; odd, the rest is content that stands
// in a row of chunks sealed right, behind a header of which the next 16 bytes are the sizes.
#include <algorithm>
#include <cstdint>

#include "audit/archive.h"
#include "base/encoding.h"
#include "base/try.h"
#include "crypto/context.h"

namespace strongroom::audit {
namespace {

// One file, whatever its name.
class OneFile final : public File {
 public:
  explicit OneFile(const std::vector<std::byte>& content) : content_(content) {}
  Result<std::uint64_t> size() override { return content_.size(); }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out) override {
    const std::size_t begin = std::min<std::size_t>(offset, content_.size());
    const std::size_t count = std::min(out.size(), content_.size() - begin);
    std::ranges::copy(std::span(content_).subspan(begin, count), out.begin());
    return count;
  }
  Result<void> write(std::uint64_t, std::span<const std::byte>) override { return {}; }
  Result<void> sync() override { return {}; }
  Result<void> truncate(std::uint64_t) override { return {}; }

 private:
  const std::vector<std::byte>& content_;
};

class OneFiles final : public Files {
 public:
  std::vector<std::byte> content;

  Result<std::unique_ptr<File>> open(const std::string&, OpenMode) override {
    return std::make_unique<OneFile>(content);
  }
  Result<std::vector<std::string>> list(const std::string&) override {
    return std::vector<std::string>{};
  }
  Result<std::vector<std::string>> list_folders(const std::string&) override {
    return std::vector<std::string>{};
  }
  Result<void> make_folder(const std::string&) override { return {}; }
  Result<void> replace(const std::string&, std::span<const std::byte>) override { return {}; }
  Result<void> remove(const std::string&) override { return {}; }
  Result<void> sync_all(const std::string&) override { return {}; }
  Result<void> sync_directory(const std::string&) override { return {}; }
};

crypto::Aead key_of(std::uint8_t byte) {
  const std::vector<std::byte> bytes(crypto::Aead::kKeySize, std::byte{byte});
  return *crypto::Aead::create(*SecretBytes::copy_of(bytes), 1);
}

// An archive with `content` as the compressed bytes, as somebody with the key could make it.
std::vector<std::byte> sealed(std::span<const std::byte> content) {
  crypto::SystemRandom random;
  std::vector<std::byte> file;
  append_bytes(file, as_bytes("SRARCH01"));
  file.resize(88);
  const std::size_t sizes = std::min<std::size_t>(content.size(), 16);
  std::ranges::copy(content.first(sizes), file.begin() + 40);
  content = content.subspan(sizes);
  crypto::Context header("strongroom/audit-archive-key/1");
  header.add(std::span<const std::byte>(file));
  const std::vector<std::byte> secret(crypto::Aead::kKeySize, std::byte{2});
  append_bytes(file, key_of(1).seal(random, secret, header.bytes())->bytes());
  for (std::uint64_t number = 0;; ++number) {
    const auto chunk = content.first(std::min(content.size(), kArchiveChunkBytes));
    content = content.subspan(chunk.size());
    crypto::Context context("strongroom/audit-archive/1");
    context.add(number).add(std::uint32_t{content.empty() ? 1U : 0U});
    append_bytes(file, key_of(2).seal(random, chunk, context.bytes())->bytes());
    if (content.empty()) return file;
  }
}

void check(std::span<const std::byte> input) {
  if (input.empty()) return;
  OneFiles files;
  const bool raw = (input[0] & std::byte{1}) == std::byte{0};
  input = input.subspan(1);
  files.content = raw ? std::vector<std::byte>(input.begin(), input.end()) : sealed(input);
  auto reader = ArchiveReader::open(files, "archive", key_of(1));
  if (!reader) return;
  SR_CHECK(reader->evidence().size() <= kEvidenceBytesMax);
  std::uint64_t given = 0;
  while (true) {
    const auto piece = reader->next();
    if (!piece) return;
    given += piece->size();
    SR_CHECK(given <= reader->header().segment.size_bytes);
    if (piece->empty()) break;
  }
  SR_CHECK(given == reader->header().segment.size_bytes);
}

}  // namespace
}  // namespace strongroom::audit

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  strongroom::audit::check(std::as_bytes(std::span(data, size)));
  return 0;
}
