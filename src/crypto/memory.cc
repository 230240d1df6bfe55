#include "crypto/memory.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/secret.h"
#include "crypto/openssl.h"

namespace strongroom::crypto {
namespace {

// OpenSSL also passes the source line that asks; it is of no use here.
void* allocate(std::size_t size, const char*, int) {
  return size == 0 ? nullptr : std::malloc(size);
}

void release(void* block, const char*, int) {
  if (block == nullptr) return;
  // The usable size covers what the block held before a shrink in place.
  wipe({static_cast<std::byte*>(block), ::malloc_usable_size(block)});
  std::free(block);
}

// Always moves: realloc(3) may leave the old block behind unwiped.
void* reallocate(void* block, std::size_t size, const char* file, int line) {
  if (block == nullptr) return allocate(size, file, line);
  if (size == 0) {
    release(block, file, line);
    return nullptr;
  }
  void* moved = std::malloc(size);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, block, std::min(size, ::malloc_usable_size(block)));
  release(block, file, line);
  return moved;
}

}  // namespace

Result<void> install_wiping_allocator() {
  if (CRYPTO_set_mem_functions(allocate, reallocate, release) != 1) {
    return openssl::fail_clean({ErrorCode::conflict, "OpenSSL has allocated memory already"});
  }
  return {};
}

}  // namespace strongroom::crypto
