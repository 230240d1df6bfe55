// Entry bundles.
#include "audit/entry_bundle.h"

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kLengthBytes = 2;
constexpr Error kNotBundle{ErrorCode::invalid_argument, "not a bundle of so many entries"};

std::size_t read_u16be(std::span<const std::byte> bytes) {
  return std::to_integer<std::size_t>(bytes[0]) << 8U | std::to_integer<std::size_t>(bytes[1]);
}

}  // namespace

void append_to_bundle(std::vector<std::byte>& bundle, std::span<const std::byte> entry) {
  SR_CHECK(entry.size() <= kBundleEntryBytesMax);
  append_u16be(bundle, static_cast<std::uint16_t>(entry.size()));
  append_bytes(bundle, entry);
}

Result<std::vector<std::span<const std::byte>>> parse_bundle(std::span<const std::byte> bundle,
                                                             std::size_t width) {
  std::vector<std::span<const std::byte>> entries;
  while (!bundle.empty()) {
    if (entries.size() == width || bundle.size() < kLengthBytes) return fail(kNotBundle);
    const std::size_t length = read_u16be(bundle);
    bundle = bundle.subspan(kLengthBytes);
    if (bundle.size() < length) return fail(kNotBundle);
    entries.push_back(bundle.first(length));
    bundle = bundle.subspan(length);
  }
  if (entries.size() != width || width == 0) return fail(kNotBundle);
  return entries;
}

}  // namespace strongroom::audit
