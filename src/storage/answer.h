// What the two databases share: answers, prepared statements by text, and StoredBytes, the one way
// by which plain bytes become a Value: out of a database, where a Value went in. For sqlite*.cc and
// postgres*.cc only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/value.h"

namespace strongroom::storage {

class StoredBytes {
 public:
  static Value value(std::span<const std::byte> bytes) { return Value::from_bytes(bytes); }
};

// What a statement gave: its rows, and how many it gave or changed.
struct Answer {
  Rows rows;
  std::uint64_t affected = 0;
};

// Looks prepared statements up by SQL text without copying it.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

}  // namespace strongroom::storage
