// HsmKeyRing: what one worker does with vaultd's keys in the HSM, in whatever versions are open. No
// key value ever reaches this process; DEKs pass through in secret memory.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cde/keys/hsm_trips.h"
#include "cde/keys/key_ring.h"
#include "cde/keys/key_set.h"
#include "crypto/random.h"

namespace strongroom::cde {

// What is borrowed outlives the ring.
class HsmKeyRing final : public KeyRing {
 public:
  HsmKeyRing(HsmTrips& trips, KeySets& sets, crypto::Random& random)
      : trips_(trips), sets_(sets), random_(random) {}

  async::Task<Result<ProtectedCard>> protect(std::string_view merchant,
                                             std::span<const std::byte> pan_digits,
                                             const SecretBytes& dek, TokenId token) override;
  async::Task<Result<SecretBytes>> unwrap(const crypto::Sealed& wrapped, TokenId token) override;
  async::Task<Result<std::vector<Result<crypto::Sealed>>>> rewrap(
      std::span<const WrappedDek> deks) override;
  std::uint32_t encryption_version() const override { return version_of(KeyName::pan_encryption); }
  async::Task<Result<BlindIndex>> blind_index(std::string_view value) override;
  std::uint32_t blind_index_version() const override { return version_of(KeyName::blind_index); }
  bool hsm_answers() const override { return trips_.hsm_answers(); }

 private:
  [[nodiscard]] std::uint32_t version_of(KeyName name) const;

  HsmTrips& trips_;
  KeySets& sets_;
  crypto::Random& random_;
};

}  // namespace strongroom::cde
