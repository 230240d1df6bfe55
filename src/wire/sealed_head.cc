// Reading the head: docs/formats/connector-seal.md.
#include "wire/sealed_head.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::wire {
namespace {

constexpr std::byte kFormat{1};
constexpr std::size_t kFixedBytes = 6;  // format, key version, kind
constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;

constexpr Error kNoHead{ErrorCode::invalid_argument, "is not a sealed blob of a connector"};

bool is_lower_or_digit(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// Takes `length u8 | text` from the front of `rest`.
std::optional<std::string_view> take_text(std::span<const std::byte>& rest) noexcept {
  if (rest.empty()) return std::nullopt;
  const auto size = std::to_integer<std::size_t>(rest.front());
  if (size >= rest.size()) return std::nullopt;
  const std::string_view text = as_text(rest.subspan(1, size));
  rest = rest.subspan(1 + size);
  return text;
}

}  // namespace

bool is_connector_name(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kConnectorBytesMax &&
         std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

bool is_account_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kAccountIdBytesMax &&
         std::ranges::all_of(text, [](char c) {
           return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
         });
}

Result<SealedHead> parse_sealed_head(std::span<const std::byte> blob) {
  if (blob.size() < kFixedBytes || blob.size() > kSealedBytesMax || blob[0] != kFormat) {
    return fail(kNoHead);
  }
  SealedHead head{.key_version = read_u32be(blob.subspan(1))};
  head.kind = static_cast<SealedKind>(blob[5]);
  if (head.kind != SealedKind::account && head.kind != SealedKind::processor_token) {
    return fail(kNoHead);
  }
  std::span<const std::byte> rest = blob.subspan(kFixedBytes);
  const auto connector = take_text(rest);
  const auto account_id = connector ? take_text(rest) : std::nullopt;
  if (!account_id || !is_connector_name(*connector) || !is_account_id(*account_id) ||
      rest.size() < kNonceBytes + kTagBytes) {
    return fail(kNoHead);
  }
  head.connector = *connector;
  head.account_id = *account_id;
  head.size = blob.size() - rest.size();
  return head;
}

Result<SealedHead> parse_sealed_text(std::string_view text) {
  if (text.size() > kSealedTextBytesMax) return fail(kNoHead);
  const auto blob = parse_base64url(text);
  if (!blob) return fail(kNoHead);
  return parse_sealed_head(*blob);
}

}  // namespace strongroom::wire
