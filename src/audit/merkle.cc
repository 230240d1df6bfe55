// RFC 6962 section 2.1.
#include "audit/merkle.h"

#include <algorithm>
#include <array>

namespace strongroom::audit {

Hash leaf_hash(std::span<const std::byte> entry) {
  constexpr std::array<std::byte, 1> kPrefix{std::byte{0}};
  return crypto::Sha256().update(kPrefix).update(entry).finish();
}

Hash leaf_hash_of_input(std::span<const std::byte> leaf_input) {
  return crypto::sha256(leaf_input);
}

Hash node_hash(const Hash& left, const Hash& right) {
  std::array<std::byte, 65> input;
  input[0] = std::byte{1};
  std::ranges::copy(left, input.begin() + 1);
  std::ranges::copy(right, input.begin() + 33);
  return crypto::sha256(input);
}

Hash joined_root(std::span<const Hash> complete) {
  if (complete.empty()) return crypto::sha256({});
  Hash root = complete.back();
  for (auto left = complete.rbegin() + 1; left != complete.rend(); ++left) {
    root = node_hash(*left, root);
  }
  return root;
}

}  // namespace strongroom::audit
