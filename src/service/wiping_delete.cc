// The C++ allocator of every daemon: what is freed is overwritten first, so that no string, vector
// or coroutine frame leaves a header, a key or a card's metadata behind on the heap (design:
// Memory). The symbols are exported from the executables (CMakeLists.txt), so that a PKCS#11 module
// loaded later frees through them, too. Not part of sanitizer builds: a sanitizer has its own
// allocator and tells operator new's memory from malloc's.
#include <malloc.h>

#include <cstdlib>
#include <new>

#include "base/secret.h"

namespace {

// operator new of libstdc++ takes its memory from malloc or aligned_alloc: free(3) suits both.
void wipe_and_free(void* block, std::size_t size) noexcept {
  if (block == nullptr) return;
  strongroom::wipe({static_cast<std::byte*>(block), size});
  std::free(block);
}

void wipe_and_free(void* block) noexcept {
  wipe_and_free(block, block == nullptr ? 0 : ::malloc_usable_size(block));
}

}  // namespace

// Every other form (of arrays, with nothrow) calls one of these ([new.delete]). Where the compiler
// knows the size, asking malloc for it would cost more than the wiping.
void operator delete(void* block) noexcept { wipe_and_free(block); }
void operator delete(void* block, std::size_t size) noexcept { wipe_and_free(block, size); }
void operator delete(void* block, std::align_val_t) noexcept { wipe_and_free(block); }
void operator delete(void* block, std::size_t size, std::align_val_t) noexcept {
  wipe_and_free(block, size);
}
