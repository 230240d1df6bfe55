// The journal's bytes: segment header and frame (docs/formats/journal.md). Pure functions over
// memory.
//
//   frame = u32be crc32c of all that follows | u64be sequence | u16be length | u8 flags | u8 0 |
//   entry
//
// The zero in front of the entry is the kind of the frame and at the same time RFC 6962's leaf
// prefix, so a leaf hash is one SHA-256 over bytes that lie together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "audit/entry.h"

namespace strongroom::audit {

inline constexpr std::size_t kSegmentHeaderBytes = 32;
inline constexpr std::size_t kFrameHeaderBytes = 16;
inline constexpr std::size_t kFrameBytesMax = kFrameHeaderBytes + kEntryBytesMax;
// The first frame of a group. Once a later group exists, everything before it was durable.
inline constexpr std::byte kGroupStart{1};

// CRC-32C (Castagnoli; RFC 3720 appendix B.4).
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes) noexcept;

// `SRJOURN1` | u64be first sequence | 12 zero bytes | u32be crc32c of the preceding 28.
[[nodiscard]] std::array<std::byte, kSegmentHeaderBytes> segment_header(
    std::uint64_t first_sequence) noexcept;
// The first sequence; nullopt when `bytes` do not begin with a header.
[[nodiscard]] std::optional<std::uint64_t> parse_segment_header(
    std::span<const std::byte> bytes) noexcept;

// Appends one frame to `out`. REQUIRES: 0 < entry.size() <= kEntryBytesMax, sequence > 0.
void append_frame(std::vector<std::byte>& out, std::uint64_t sequence, bool group_start,
                  std::span<const std::byte> entry);

// Where a frame stands in the journal: in the segment that begins with this sequence.
struct FramePlace {
  std::uint64_t segment_first_sequence = 0;
  std::uint32_t offset_bytes = 0;
  bool operator==(const FramePlace&) const = default;
};

struct FrameView {
  std::uint64_t sequence = 0;
  bool group_start = false;
  std::span<const std::byte> leaf_input;  // 0x00 and the entry
  std::span<const std::byte> entry;
  std::size_t size_bytes = 0;  // of the whole frame
};

// The frame at the start of `bytes`; nullopt unless it is whole and right in every byte.
[[nodiscard]] std::optional<FrameView> parse_frame(std::span<const std::byte> bytes) noexcept;

// True when `bytes`, which follow a place where no frame with `sequence` could be read, hold the
// start of a later group. Then the bad frame was durable and is damaged; otherwise it may be the
// torn end of a write that was never acknowledged.
[[nodiscard]] bool holds_later_group(std::span<const std::byte> bytes,
                                     std::uint64_t sequence) noexcept;

[[nodiscard]] bool all_zero(std::span<const std::byte> bytes) noexcept;

}  // namespace strongroom::audit
