// One weight per name and key; the heaviest is first.
#include "base/rendezvous.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace strongroom {
namespace {

// FNV-1a, and SplitMix64's finalizer behind it, for FNV's high bits know little of the last bytes.
std::uint64_t weight(std::string_view name, std::string_view key) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  };
  add(name);
  add(std::string_view("\0", 1));
  add(key);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31);
}

}  // namespace

std::vector<std::string> rendezvous_order(std::vector<std::string> names, std::string_view key) {
  std::ranges::sort(names, std::greater<>(), [key](const std::string& name) {
    return std::pair(weight(name, key), std::string_view(name));
  });
  return names;
}

}  // namespace strongroom
