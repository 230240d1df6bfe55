// Lines, decimals and hashes of C2SP's text formats.
#include "audit/lines.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"

namespace strongroom::audit {

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::optional<std::uint64_t> parse_decimal(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = error == std::errc{} && stop == digits.data() + digits.size();
  const bool canonical = digits == "0" || !digits.starts_with('0');
  if (!whole || !canonical) return std::nullopt;
  return value;
}

std::optional<Hash> parse_hash(std::string_view text) {
  const auto bytes = parse_base64(text);
  Hash hash;
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::ranges::copy(*bytes, hash.begin());
  return hash;
}

std::string proof_lines(std::span<const Hash> proof) {
  std::string text;
  for (const Hash& hash : proof) text.append(base64(hash)).append("\n");
  return text.append("\n");
}

std::optional<std::vector<Hash>> take_proof(std::string_view& text) {
  std::vector<Hash> proof;
  for (auto line = take_line(text); !line.empty(); line = take_line(text)) {
    const auto hash = parse_hash(line);
    if (!hash || proof.size() == kProofHashesMax) return std::nullopt;
    proof.push_back(*hash);
  }
  return proof;
}

}  // namespace strongroom::audit
