// The secret arena: power-of-two size classes carved from chunks that the kernel keeps out of swap,
// dumps and (with memfd_secret) every other process. Blocks are never returned to the kernel, so
// the arena's high-water mark is its size.
#include "base/secret.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "base/try.h"

namespace strongroom {
namespace {

constexpr std::size_t kBlockMin = 32;
constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::size_t kClasses = 16;  // 32 B .. 1 MiB
static_assert((kBlockMin << (kClasses - 1)) == SecretBytes::kSizeMax);
static_assert(kChunk >= SecretBytes::kSizeMax);

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447  // Linux 5.14, x86-64 and arm64; Debian 12's header has it
#endif

struct FreeBlock {
  FreeBlock* next;
};

class Arena {
 public:
  Result<void> configure(SecretMemoryOptions options) {
    const std::scoped_lock lock(mutex_);
    if (mapped_ != 0) return fail({ErrorCode::invalid_argument, "secret memory is already in use"});
    options_ = options;
    return {};
  }

  SecretMemoryLevel level() {
    const std::scoped_lock lock(mutex_);
    if (mapped_ == 0) (void)add_chunk();
    return level_;
  }

  std::byte* allocate(std::size_t size_class) {
    const std::scoped_lock lock(mutex_);
    const std::size_t size = kBlockMin << size_class;
    if (free_[size_class] == nullptr && !carve(size_class)) return nullptr;
    FreeBlock* block = free_[size_class];
    free_[size_class] = block->next;
    block->next = nullptr;  // the rest of a free block is zeros already
    used_ += size;
    return reinterpret_cast<std::byte*>(block);
  }

  void release(std::byte* data, std::size_t size_class) noexcept {
    const std::scoped_lock lock(mutex_);
    auto* block = reinterpret_cast<FreeBlock*>(data);
    block->next = free_[size_class];
    free_[size_class] = block;
    used_ -= kBlockMin << size_class;
  }

  std::size_t used() noexcept {
    const std::scoped_lock lock(mutex_);
    return used_;
  }

 private:
  // Splits a piece of the current chunk into blocks of one class: 16 KiB at a time for small
  // classes, so that a class that is used once does not take a whole chunk.
  bool carve(std::size_t size_class) {
    const std::size_t size = kBlockMin << size_class;
    const std::size_t span = std::max<std::size_t>(size, std::size_t{16} << 10);
    if (left_ < span && !add_chunk()) return false;
    for (std::size_t offset = span; offset >= size; offset -= size) {
      auto* block = reinterpret_cast<FreeBlock*>(next_ + offset - size);
      block->next = free_[size_class];
      free_[size_class] = block;
    }
    next_ += span;
    left_ -= span;
    return true;
  }

  bool add_chunk() {
    if (mapped_ + kChunk > options_.size_bytes_max) return false;
    void* memory = MAP_FAILED;
    SecretMemoryLevel got = SecretMemoryLevel::memfd_secret;
    if (options_.allow_memfd_secret) memory = map_memfd_secret();
    if (memory == MAP_FAILED) {
      memory = ::mmap(nullptr, kChunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory == MAP_FAILED) return false;
      ::madvise(memory, kChunk, MADV_DONTDUMP);
      ::madvise(memory, kChunk, MADV_DONTFORK);
      got = ::mlock(memory, kChunk) == 0 ? SecretMemoryLevel::mlocked : SecretMemoryLevel::unlocked;
    }
    // What counts is the weakest chunk: a secret may stand in any of them.
    level_ = mapped_ == 0 ? got : std::max(level_, got);
    next_ = static_cast<std::byte*>(memory);
    left_ = kChunk;
    mapped_ += kChunk;
    return true;
  }

  static void* map_memfd_secret() {
    const int fd = static_cast<int>(::syscall(SYS_memfd_secret, 0));
    if (fd < 0) return MAP_FAILED;
    void* memory = MAP_FAILED;
    if (::ftruncate(fd, kChunk) == 0) {
      memory = ::mmap(nullptr, kChunk, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    ::close(fd);
    if (memory != MAP_FAILED) ::madvise(memory, kChunk, MADV_DONTFORK);
    return memory;
  }

  std::mutex mutex_;
  SecretMemoryOptions options_;
  SecretMemoryLevel level_ = SecretMemoryLevel::unlocked;
  std::array<FreeBlock*, kClasses> free_{};
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t mapped_ = 0;
  std::size_t used_ = 0;
};

// Leaked on purpose: secrets of static lifetime may be destroyed after any static of ours.
Arena& arena() {
  alignas(Arena) static std::array<std::byte, sizeof(Arena)> storage;
  static Arena* const instance = ::new (storage.data()) Arena;
  return *instance;
}

std::size_t class_of(std::size_t size) {
  const std::size_t block = std::bit_ceil(std::max(size, kBlockMin));
  return static_cast<std::size_t>(std::countr_zero(block) - std::countr_zero(kBlockMin));
}

}  // namespace

void wipe(std::span<std::byte> bytes) noexcept {
  if (!bytes.empty()) ::explicit_bzero(bytes.data(), bytes.size());  // which takes no null pointer
}

bool equal_constant_time(std::span<const std::byte> a, std::span<const std::byte> b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= std::to_integer<unsigned>(a[i] ^ b[i]);
    asm volatile("" : "+r"(difference));  // keeps the compiler from leaving the loop early
  }
  return difference == 0;
}

std::string_view to_string(SecretMemoryLevel level) noexcept {
  switch (level) {
    case SecretMemoryLevel::memfd_secret:
      return "memfd_secret";
    case SecretMemoryLevel::mlocked:
      return "mlocked";
    case SecretMemoryLevel::unlocked:
      return "unlocked";
  }
  SR_CHECK(false);
}

Result<void> configure_secret_memory(SecretMemoryOptions options) {
  return arena().configure(options);
}
SecretMemoryLevel secret_memory_level() { return arena().level(); }
std::size_t secret_memory_used_bytes() noexcept { return arena().used(); }

Result<SecretBytes> SecretBytes::allocate(std::size_t size) {
  SecretBytes bytes;
  if (size == 0) return bytes;
  if (size > kSizeMax) return fail({ErrorCode::too_large, "secret block is larger than 1 MiB"});
  const std::size_t size_class = class_of(size);
  bytes.data_ = arena().allocate(size_class);
  if (bytes.data_ == nullptr) return fail({ErrorCode::exhausted, "secret memory is used up"});
  bytes.size_ = size;
  bytes.capacity_ = kBlockMin << size_class;
  return bytes;
}

Result<SecretBytes> SecretBytes::copy_of(std::span<const std::byte> bytes) {
  SR_TRY(SecretBytes copy, allocate(bytes.size()));
  if (!bytes.empty()) std::memcpy(copy.data_, bytes.data(), bytes.size());
  return copy;
}

void SecretBytes::shrink(std::size_t size) noexcept {
  SR_CHECK(size <= size_);
  wipe({data_ + size, size_ - size});
  size_ = size;
}

void SecretBytes::take(SecretBytes& other) noexcept {
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
}

void SecretBytes::release() noexcept {
  if (data_ == nullptr) return;
  wipe({data_, capacity_});
  arena().release(data_, class_of(capacity_));
  data_ = nullptr;
  size_ = capacity_ = 0;
}

}  // namespace strongroom
