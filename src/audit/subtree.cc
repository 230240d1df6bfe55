// RFC 6962 section 2.1.1 and 2.1.2, from the root down instead of by recursion.
#include "audit/subtree.h"

#include <algorithm>
#include <bit>

#include "base/try.h"

namespace strongroom::audit {
namespace {

// Where the right half of a subtree of two leaves or more begins: behind the largest power of two
// that is smaller than it.
std::uint64_t split(const Subtree& subtree) {
  return subtree.begin + std::bit_floor(subtree.end - subtree.begin - 1);
}

}  // namespace

std::vector<Subtree> inclusion_path(std::uint64_t index, std::uint64_t size) {
  SR_CHECK(index < size);
  std::vector<Subtree> path;
  Subtree here{0, size};
  while (here.end - here.begin > 1) {
    const std::uint64_t middle = split(here);
    if (index < middle) {
      path.push_back({middle, here.end});
      here.end = middle;
    } else {
      path.push_back({here.begin, middle});
      here.begin = middle;
    }
  }
  std::ranges::reverse(path);
  return path;
}

std::vector<Subtree> consistency_path(std::uint64_t old_size, std::uint64_t size) {
  SR_CHECK(old_size <= size);
  std::vector<Subtree> path;
  if (old_size == 0 || old_size == size) return path;
  Subtree here{0, size};
  while (here.end != old_size) {
    const std::uint64_t middle = split(here);
    if (old_size <= middle) {
      path.push_back({middle, here.end});
      here.end = middle;
    } else {
      path.push_back({here.begin, middle});
      here.begin = middle;
    }
  }
  // What is left is on the old tree's edge. When it is the whole old tree, its hash is known.
  if (here.begin != 0) path.push_back(here);
  std::ranges::reverse(path);
  return path;
}

std::vector<Subtree> complete_parts(Subtree subtree) {
  std::vector<Subtree> parts;
  while (subtree.begin < subtree.end) {
    const std::uint64_t end = subtree.begin + std::bit_floor(subtree.end - subtree.begin);
    parts.push_back({subtree.begin, end});
    subtree.begin = end;
  }
  return parts;
}

}  // namespace strongroom::audit
