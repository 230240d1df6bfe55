// Random: the one source of keys, nonces and ids, by constructor, so that tests can set it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/clock.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret.h"

namespace strongroom::crypto {

class Random {
 public:
  virtual ~Random() = default;
  // Fills `out` with bytes that nobody can predict. Cannot fail: a process without randomness
  // aborts.
  virtual void fill(std::span<std::byte> out) = 0;
};

// OpenSSL's CTR-DRBG (NIST SP 800-90A), seeded by the kernel. Small requests are served from a page
// per thread that is filled by one call of the generator, wiped as it is handed out, and empty in a
// forked child, so that no two requests ever see the same bytes. Thread-safe.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::byte> out) override;
};

// `size` random bytes in the secret arena: a key, a seed, a passphrase. too_large, exhausted.
[[nodiscard]] Result<SecretBytes> random_secret(Random& random, std::size_t size);

// A new id (UUID v7) of `clock`'s millisecond. REQUIRES: the clock is past 1970.
template <class IdType>
[[nodiscard]] IdType new_id(Random& random, const Clock& clock) {
  std::array<std::byte, 10> bytes;
  random.fill(bytes);
  return IdType{uuid_v7(static_cast<std::uint64_t>(clock.now_us() / 1000), bytes)};
}
[[nodiscard]] inline TokenId new_token_id(Random& random, const Clock& clock) {
  return new_id<TokenId>(random, clock);
}
[[nodiscard]] inline OperationId new_operation_id(Random& random, const Clock& clock) {
  return new_id<OperationId>(random, clock);
}
[[nodiscard]] inline EntryId new_entry_id(Random& random, const Clock& clock) {
  return new_id<EntryId>(random, clock);
}
[[nodiscard]] inline RequestId new_request_id(Random& random, const Clock& clock) {
  return new_id<RequestId>(random, clock);
}

}  // namespace strongroom::crypto
