// SealedHead: the part of connectord's sealed blobs that its neighbors may read, to route by it and
// to find a cached processor token (docs/formats/connector-seal.md). Whether a blob is authentic
// only connectord can tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace strongroom::wire {

inline constexpr std::size_t kSealedBytesMax = 3072;
inline constexpr std::size_t kSealedTextBytesMax = 4096;  // base64url without padding
inline constexpr std::size_t kConnectorBytesMax = 32;
inline constexpr std::size_t kAccountIdBytesMax = 64;

enum class SealedKind : std::uint8_t { account = 1, processor_token = 2 };

struct SealedHead {
  std::uint32_t key_version = 0;
  SealedKind kind = SealedKind::account;
  std::string connector{};   // "stripe"
  std::string account_id{};  // "acc_..."
  std::size_t size = 0;      // bytes of the head; the nonce follows
};

// The name of a connector: 1 to kConnectorBytesMax of [a-z0-9-]; of an account: 1 to
// kAccountIdBytesMax of [A-Za-z0-9_-].
[[nodiscard]] bool is_connector_name(std::string_view text) noexcept;
[[nodiscard]] bool is_account_id(std::string_view text) noexcept;

// The head of `blob`. invalid_argument: not of this format, or too short or long to be whole.
[[nodiscard]] Result<SealedHead> parse_sealed_head(std::span<const std::byte> blob);
// The same of a blob as text. invalid_argument: also when the text is not its canonical base64url.
[[nodiscard]] Result<SealedHead> parse_sealed_text(std::string_view text);

}  // namespace strongroom::wire
