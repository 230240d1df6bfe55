#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "crypto/memory_scan.h"
#include "crypto/random.h"

namespace strongroom::service {
namespace {

using crypto::testing::count_in_memory;
using crypto::testing::MaskedPattern;

constexpr std::size_t kBlock = 256;
constexpr std::size_t kOffset = 64;  // malloc's own words overwrite the start of a free block
constexpr std::align_val_t kWide{64};

struct Form {
  const char* name;
  void* (*allocate)();
  void (*release)(void*);
};

constexpr Form kForms[] = {
    {"scalar", [] { return ::operator new(kBlock); }, [](void* p) { ::operator delete(p); }},
    {"sized", [] { return ::operator new(kBlock); }, [](void* p) { ::operator delete(p, kBlock); }},
    {"array", [] { return ::operator new[](kBlock); }, [](void* p) { ::operator delete[](p); }},
    {"sized array", [] { return ::operator new[](kBlock); },
     [](void* p) { ::operator delete[](p, kBlock); }},
    {"aligned", [] { return ::operator new(kBlock, kWide); },
     [](void* p) { ::operator delete(p, kWide); }},
    {"sized, aligned", [] { return ::operator new(kBlock, kWide); },
     [](void* p) { ::operator delete(p, kBlock, kWide); }},
    {"aligned array", [] { return ::operator new[](kBlock, kWide); },
     [](void* p) { ::operator delete[](p, kWide); }},
    {"nothrow", [] { return ::operator new(kBlock, std::nothrow); },
     [](void* p) { ::operator delete(p, std::nothrow); }},
};

// Plants a fresh pattern in `block`, gives the block back and counts what is left of it.
std::size_t left_after(void* block, void (*release)(void*)) {
  MaskedPattern masked;
  crypto::SystemRandom().fill(masked);
  auto* bytes = static_cast<volatile std::byte*>(block);
  for (std::size_t i = 0; i < masked.size(); ++i) {
    bytes[kOffset + i] = masked[i] ^ crypto::testing::kMask;
  }
  EXPECT_EQ(count_in_memory(masked), 1U) << "the search does not find what stands there";
  release(block);
  return count_in_memory(masked);
}

TEST(WipingDeleteTest, EveryFormWipes) {
  for (const Form& form : kForms) {
    void* block = form.allocate();
    const std::unique_ptr<char[]> guard(new char[kBlock]);  // keeps the block from the heap's top
    EXPECT_EQ(left_after(block, form.release), 0U) << form.name;
  }
}

TEST(WipingDeleteTest, PlainFreeDoesNotWipe) {
  void* block = std::malloc(kBlock);
  const std::unique_ptr<char[]> guard(new char[kBlock]);
  EXPECT_EQ(left_after(block, [](void* p) { std::free(p); }), 1U);
}

}  // namespace
}  // namespace strongroom::service
