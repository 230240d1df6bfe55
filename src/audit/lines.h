// What C2SP's text formats of logs are made of: lines, decimals, hashes in base64. Readers accept
// the one canonical form only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.h"

namespace strongroom::audit {

// tlog-witness v1.0.0: a proof has no more hashes, whatever the tree.
inline constexpr std::size_t kProofHashesMax = 63;

// Takes the next line, without its newline, off `text`; empty at the end.
[[nodiscard]] std::string_view take_line(std::string_view& text);
// ASCII digits without leading zeros.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view digits);
// Base64 of 32 bytes.
[[nodiscard]] std::optional<Hash> parse_hash(std::string_view text);

// A proof as text: a line of base64 per hash, then an empty line.
[[nodiscard]] std::string proof_lines(std::span<const Hash> proof);
// Takes those lines off `text`; nullopt when one is no hash or they are more than kProofHashesMax.
[[nodiscard]] std::optional<std::vector<Hash>> take_proof(std::string_view& text);

}  // namespace strongroom::audit
