// A monotonic allocator over SecretBytes.
#include "cde/card/secret_resource.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/try.h"

namespace strongroom::cde {

Result<SecretResource> SecretResource::create(std::size_t size) {
  SR_TRY(SecretBytes first, SecretBytes::allocate(size));
  return SecretResource(std::move(first));
}

void* SecretResource::do_allocate(std::size_t size, std::size_t alignment) {
  const std::size_t start = (used_ + alignment - 1) / alignment * alignment;
  if (start + size <= blocks_.back().size()) {
    used_ = start + size;
    return blocks_.back().reveal().data() + start;
  }
  auto block = SecretBytes::allocate(std::max(size, blocks_.back().size() * 2));
  if (!block) throw std::bad_alloc();  // Boost.JSON's only way to say so
  blocks_.push_back(*std::move(block));
  used_ = size;
  return blocks_.back().reveal().data();  // blocks are aligned to their power-of-two size
}

}  // namespace strongroom::cde
