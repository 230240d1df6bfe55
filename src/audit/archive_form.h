// What the writer and the reader of archives share: the header's bytes and what the sealed blobs
// are bound to (docs/formats/audit-archive.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "audit/archive.h"
#include "base/result.h"
#include "crypto/context.h"

namespace strongroom::audit {

inline constexpr std::size_t kArchiveClearBytes = 88;  // of the header, before the wrapped key
inline constexpr std::uint32_t kArchiveFileKeyVersion = 1;

[[nodiscard]] std::vector<std::byte> clear_archive_header(const ArchiveHeader& header);
// corrupt: it is no archive.
[[nodiscard]] Result<ArchiveHeader> parse_archive_header(std::span<const std::byte> bytes);

// Associated data of the archive's own key and of its chunks.
[[nodiscard]] crypto::Context archive_key_context(std::span<const std::byte> clear);
[[nodiscard]] crypto::Context archive_chunk_context(std::uint64_t number, bool last);

}  // namespace strongroom::audit
