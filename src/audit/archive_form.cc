// The form of an archive: names, header, contexts.
#include "audit/archive_form.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kMagic = "SRARCH01";
constexpr std::string_view kPrefix = "journal-", kSuffix = ".archive";
constexpr std::size_t kDigits = 20;
constexpr Error kNoArchive{ErrorCode::corrupt, "file is no audit archive"};

}  // namespace

std::vector<std::byte> clear_archive_header(const ArchiveHeader& header) {
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

Result<ArchiveHeader> parse_archive_header(std::span<const std::byte> bytes) {
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

crypto::Context archive_key_context(std::span<const std::byte> clear) {
  crypto::Context context("strongroom/audit-archive-key/1");
  context.add(clear);
  return context;
}

crypto::Context archive_chunk_context(std::uint64_t number, bool last) {
  crypto::Context context("strongroom/audit-archive/1");
  context.add(number).add(std::uint32_t{last ? 1U : 0U});
  return context;
}

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
  std::vector<std::byte> bytes(kArchiveHeaderBytes);
  SR_TRY(const std::size_t got, file->read(0, bytes));
  bytes.resize(got);
  return parse_archive_header(bytes);
}

}  // namespace strongroom::audit
