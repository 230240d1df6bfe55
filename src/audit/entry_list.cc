// Entries one behind the other.
#include "audit/entry_list.h"

#include <cstdint>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kCountBytes = 8, kLengthBytes = 4;
constexpr Error kNoList{ErrorCode::corrupt,
                        "not a list of audit entries, or one that is cut short"};

Result<std::vector<std::byte>> take(const TakeBytes& source, std::size_t size) {
  std::vector<std::byte> bytes(size);
  SR_TRY(const std::size_t got, source(bytes));
  if (got != size) return fail(kNoList);
  return bytes;
}

}  // namespace

std::vector<std::byte> entry_list(std::span<const std::string> entries) {
  std::vector<std::byte> list;
  append_u64be(list, entries.size());
  for (const std::string& json : entries) {
    append_u32be(list, static_cast<std::uint32_t>(json.size()));
    append_bytes(list, as_bytes(json));
  }
  return list;
}

Result<void> read_entry_list(const TakeBytes& source, const TakeEntry& each) {
  SR_TRY(const auto count, take(source, kCountBytes));
  for (std::uint64_t left = read_u64be(count); left > 0; --left) {
    SR_TRY(const auto length, take(source, kLengthBytes));
    const std::size_t size = read_u32be(length);
    if (size > kEntryBytesMax) return fail(kNoList);
    SR_TRY(const auto json, take(source, size));
    const auto entry = parse_entry(as_text(json));
    if (!entry) return fail(kNoList);
    SR_CHECK_OK(each(*entry));
  }
  return {};
}

}  // namespace strongroom::audit
