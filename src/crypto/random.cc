#include "crypto/random.h"

#include <openssl/rand.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/try.h"
#include "crypto/openssl.h"

namespace strongroom::crypto {
namespace {

constexpr std::size_t kPageSize = 4096;
constexpr std::size_t kPooledMax = 256;  // larger requests gain nothing from the page

void generate(std::span<std::byte> out) {
  SR_CHECK(RAND_bytes_ex(nullptr, openssl::out(out), out.size(), 0) == 1);
}

// One thread's unused random bytes. They are future keys and nonces, so the page is locked and left
// out of dumps where the kernel allows it, as little exposed as the generator's own state.
// MADV_WIPEONFORK gives a forked child zeros, which read as "none left": parent and child never
// hand out the same nonce.
class Pool {
 public:
  Pool() {
    void* memory =
        ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    if (::madvise(memory, kPageSize, MADV_WIPEONFORK) != 0) {
      ::munmap(memory, kPageSize);
      return;
    }
    ::madvise(memory, kPageSize, MADV_DONTDUMP);
    (void)::mlock(memory, kPageSize);
    page_ = ::new (memory) Page;
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    if (page_ == nullptr) return;
    wipe(page_->bytes);
    ::munmap(page_, kPageSize);
    page_ = nullptr;
  }

  void fill(std::span<std::byte> out) {
    if (page_ == nullptr || out.size() > kPooledMax) return generate(out);
    if (page_->left < out.size()) {
      generate(page_->bytes);
      page_->left = page_->bytes.size();
    }
    page_->left -= out.size();
    const auto taken = std::span(page_->bytes).subspan(page_->left, out.size());
    std::ranges::copy(taken, out.begin());
    wipe(taken);
  }

 private:
  struct Page {
    std::size_t left;  // unused bytes, at the front of `bytes`
    std::array<std::byte, kPageSize - sizeof(std::size_t)> bytes;
  };
  static_assert(sizeof(Page) == kPageSize);

  Page* page_ =
      nullptr;  // null where the kernel cannot wipe on fork: every request is then its own call
};

}  // namespace

void SystemRandom::fill(std::span<std::byte> out) {
  thread_local Pool pool;
  pool.fill(out);
}

Result<SecretBytes> random_secret(Random& random, std::size_t size) {
  SR_TRY(SecretBytes secret, SecretBytes::allocate(size));
  random.fill(secret.reveal());
  return secret;
}

}  // namespace strongroom::crypto
