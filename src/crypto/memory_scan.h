// Looks for bytes in the process's own writable memory, to show in tests that a secret is gone. The
// pattern is given masked, so that looking for it does not make it be there. Tests only.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <span>
#include <string>

namespace strongroom::crypto::testing {

inline constexpr std::byte kMask{0xa5};

// 16 bytes that occur nowhere by chance, masked.
using MaskedPattern = std::array<std::byte, 16>;

inline std::size_t occurrences(std::span<const std::byte> memory, const MaskedPattern& masked) {
  std::size_t found = 0;
  for (std::size_t i = 0; i + masked.size() <= memory.size(); ++i) {
    std::size_t same = 0;
    while (same < masked.size() && (memory[i + same] ^ kMask) == masked[same]) ++same;
    if (same == masked.size()) ++found;
  }
  return found;
}

// The same in a copy of the process's memory from `start` on. The copy is a mapping of its own: one
// on the heap would overwrite the freed blocks that are searched.
inline std::size_t occurrences_at(int memory, std::uintptr_t start, std::size_t size,
                                  const MaskedPattern& masked) {
  void* copy = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (copy == MAP_FAILED) return 0;
  const ssize_t got = ::pread(memory, copy, size, static_cast<off_t>(start));
  const std::size_t readable = got < 0 ? 0 : static_cast<std::size_t>(got);
  const std::size_t found = occurrences({static_cast<std::byte*>(copy), readable}, masked);
  ::munmap(copy, size);
  return found;
}

// How often the pattern stands in writable memory that is not the stack. Read through /proc, so
// that freed blocks count and sanitizers do not object. Memory that even we may not read this way
// (memfd_secret) does not count.
inline std::size_t count_in_memory(const MaskedPattern& masked) {
  constexpr std::size_t kRegionSizeMax = std::size_t{256}
                                         << 20;  // larger ones are a sanitizer's shadow
  std::size_t found = 0;
  std::ifstream maps("/proc/self/maps");
  const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t start = 0;
    std::uintptr_t end = 0;
    std::array<char, 5> mode{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &start, &end, mode.data()) != 3) continue;
    if (mode[1] != 'w' || line.ends_with("[stack]") || end - start > kRegionSizeMax) continue;
    found += occurrences_at(memory, start, end - start, masked);
  }
  ::close(memory);
  return found;
}

}  // namespace strongroom::crypto::testing
