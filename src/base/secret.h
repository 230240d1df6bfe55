// SecretBytes and the arena it lives in: the only memory that may hold card data or keys in clear.
// The arena is memory of memfd_secret(2), else of mlock(2) with MADV_DONTDUMP; freed blocks are
// wiped before anyone else can get them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string_view>

#include "base/result.h"

namespace strongroom {

// Overwrites `bytes` with zeros; the compiler cannot leave it out.
void wipe(std::span<std::byte> bytes) noexcept;

// True when both have the same length and content. Time depends on the lengths alone.
[[nodiscard]] bool equal_constant_time(std::span<const std::byte> a,
                                       std::span<const std::byte> b) noexcept;

// How well the arena is protected; logged at start and part of the evidence.
enum class SecretMemoryLevel : std::uint8_t {
  memfd_secret,  // invisible to root's /proc/PID/mem and to the kernel's own map
  mlocked,       // never swapped, never in a core dump
  unlocked,      // neither was permitted: raise RLIMIT_MEMLOCK
};
[[nodiscard]] std::string_view to_string(SecretMemoryLevel level) noexcept;

// Settings of the process-wide arena; call configure_secret_memory before the first SecretBytes.
struct SecretMemoryOptions {
  bool allow_memfd_secret = true;
  std::size_t size_bytes_max = std::size_t{64} << 20;
};
// invalid_argument when the arena is already in use.
[[nodiscard]] Result<void> configure_secret_memory(SecretMemoryOptions options);
// Level of the arena, which this call creates when there is none yet.
[[nodiscard]] SecretMemoryLevel secret_memory_level();
// Bytes of the arena handed out now.
[[nodiscard]] std::size_t secret_memory_used_bytes() noexcept;

// SecretBytes owns one block of the arena. Move-only, not printable, not comparable (use
// equal_constant_time); wiped when it is destroyed, moved over or shrunk. Thread-safe to create and
// destroy anywhere. The arena is one per process, like the heap: a second one could only be less
// safe.
class SecretBytes {
 public:
  static constexpr std::size_t kSizeMax = std::size_t{1} << 20;

  SecretBytes() noexcept = default;
  // `size` zero bytes, at most kSizeMax. exhausted when the arena is full.
  [[nodiscard]] static Result<SecretBytes> allocate(std::size_t size);
  // A copy of `bytes`; the caller wipes the original. exhausted.
  [[nodiscard]] static Result<SecretBytes> copy_of(std::span<const std::byte> bytes);

  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  SecretBytes(SecretBytes&& other) noexcept { take(other); }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }
  ~SecretBytes() { release(); }

  // The clear bytes; valid while *this lives and is not moved from.
  [[nodiscard]] std::span<std::byte> reveal() & noexcept { return {data_, size_}; }
  [[nodiscard]] std::span<const std::byte> reveal() const& noexcept { return {data_, size_}; }
  std::span<std::byte> reveal() && = delete;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  // Cuts the tail off and wipes it. REQUIRES: size <= this->size().
  void shrink(std::size_t size) noexcept;

  bool operator==(const SecretBytes&) const = delete;
  friend std::ostream& operator<<(std::ostream&, const SecretBytes&) = delete;

 private:
  void take(SecretBytes& other) noexcept;
  void release() noexcept;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace strongroom
