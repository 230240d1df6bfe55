// Frames: ISA-L's CRC-32C runs on the CPU's own instruction.
#include "audit/frame.h"

#include <isa-l/crc.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kMagic = "SRJOURN1";
constexpr std::size_t kSequenceAt = 4, kLengthAt = 12, kFlagsAt = 14, kKindAt = 15;
constexpr std::byte kEntryKind{0};

void put_u32be(std::span<std::byte> out, std::uint32_t value) noexcept {
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::byte>(value >> (24 - 8 * i));
}

std::size_t length_at(std::span<const std::byte> bytes) noexcept {
  return std::to_integer<std::size_t>(bytes[kLengthAt]) << 8 |
         std::to_integer<std::size_t>(bytes[kLengthAt + 1]);
}

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) noexcept {
  // ISA-L takes a non-const pointer and does not write through it.
  auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes.data()));
  return ~crc32_iscsi(data, static_cast<int>(bytes.size()), ~0U);
}

std::array<std::byte, kSegmentHeaderBytes> segment_header(std::uint64_t first_sequence) noexcept {
  std::array<std::byte, kSegmentHeaderBytes> header{};
  std::ranges::copy(as_bytes(kMagic), header.begin());
  put_u32be(std::span(header).subspan(8), static_cast<std::uint32_t>(first_sequence >> 32));
  put_u32be(std::span(header).subspan(12), static_cast<std::uint32_t>(first_sequence));
  put_u32be(std::span(header).subspan(28), crc32c(std::span(header).first(28)));
  return header;
}

std::optional<std::uint64_t> parse_segment_header(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < kSegmentHeaderBytes) return std::nullopt;
  const std::uint64_t first_sequence = read_u64be(bytes.subspan(8));
  const auto expected = segment_header(first_sequence);
  if (first_sequence == 0 || !std::ranges::equal(bytes.first(kSegmentHeaderBytes), expected)) {
    return std::nullopt;
  }
  return first_sequence;
}

void append_frame(std::vector<std::byte>& out, std::uint64_t sequence, bool group_start,
                  std::span<const std::byte> entry) {
  SR_CHECK(!entry.empty() && entry.size() <= kEntryBytesMax && sequence > 0);
  const std::size_t start = out.size();
  append_u32be(out, 0);
  append_u64be(out, sequence);
  append_u16be(out, static_cast<std::uint16_t>(entry.size()));
  out.push_back(group_start ? kGroupStart : std::byte{0});
  out.push_back(kEntryKind);
  append_bytes(out, entry);
  const auto frame = std::span(out).subspan(start);
  put_u32be(frame, crc32c(frame.subspan(kSequenceAt)));
}

std::optional<FrameView> parse_frame(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < kFrameHeaderBytes) return std::nullopt;
  const std::size_t length = length_at(bytes);
  const std::size_t size = kFrameHeaderBytes + length;
  if (length == 0 || length > kEntryBytesMax || size > bytes.size()) return std::nullopt;
  if ((bytes[kFlagsAt] | kGroupStart) != kGroupStart || bytes[kKindAt] != kEntryKind) {
    return std::nullopt;
  }
  const std::uint64_t sequence = read_u64be(bytes.subspan(kSequenceAt));
  if (sequence == 0) return std::nullopt;
  if (read_u32be(bytes) != crc32c(bytes.first(size).subspan(kSequenceAt))) return std::nullopt;
  return FrameView{.sequence = sequence,
                   .group_start = bytes[kFlagsAt] == kGroupStart,
                   .leaf_input = bytes.subspan(kKindAt, 1 + length),
                   .entry = bytes.subspan(kFrameHeaderBytes, length),
                   .size_bytes = size};
}

bool holds_later_group(std::span<const std::byte> bytes, std::uint64_t sequence) noexcept {
  for (; bytes.size() >= kFrameHeaderBytes; bytes = bytes.subspan(1)) {
    if (bytes[kFlagsAt] != kGroupStart || bytes[kKindAt] != kEntryKind) continue;
    const auto frame = parse_frame(bytes);
    if (frame && frame->group_start && frame->sequence > sequence) return true;
  }
  return false;
}

bool all_zero(std::span<const std::byte> bytes) noexcept {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace strongroom::audit
