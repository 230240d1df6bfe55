// Sealer: what connectord gives away and takes back, sealed under its own key so that nobody else
// can use it: a merchant's account at a processor, and a processor's ids of a stored card. The
// bytes: docs/formats/connector-seal.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "wire/sealed_head.h"

namespace strongroom::cde {

inline constexpr std::size_t kMerchantBytesMax = 128;
inline constexpr std::size_t kCredentialBytesMax = 2048;
inline constexpr std::size_t kProcessorIdsMax = 4;
inline constexpr std::size_t kProcessorIdBytesMax = 255;

// A merchant's account at the connector's processor.
struct Account {
  std::string id;        // wire::is_account_id
  std::string merchant;  // whose it is
  SecretBytes credential;
};

// A card as the processor knows it, for one account.
struct ProcessorToken {
  std::string account_id;
  std::string merchant;
  std::vector<std::string> ids;  // one to kProcessorIdsMax, the connector knows what they are
};

// The versions of the key `connector-seal`, newest first: that one seals, all of them open. Made
// once, then read by every worker.
using SealKeys = std::vector<crypto::Aead>;

// Sealer is thread-safe.
class Sealer final {
 public:
  // Seals in the name of `connector`. REQUIRES: wire::is_connector_name, and at least one key.
  // `keys` and `random` outlive the sealer.
  Sealer(std::string connector, const SealKeys& keys, crypto::Random& random);

  [[nodiscard]] const std::string& connector() const noexcept { return connector_; }

  // The blob as text. invalid_argument: a member is empty, too long or not of its form.
  [[nodiscard]] Result<std::string> seal(const Account& account) const;
  [[nodiscard]] Result<std::string> seal(const ProcessorToken& token) const;

  // What was sealed. invalid_argument: not a blob of this kind and connector; permission_denied:
  // altered, or sealed under a key that is not ours; exhausted.
  [[nodiscard]] Result<Account> open_account(std::string_view text) const;
  [[nodiscard]] Result<ProcessorToken> open_processor_token(std::string_view text) const;

 private:
  struct Opened {
    wire::SealedHead head;
    SecretBytes plain;
  };
  [[nodiscard]] Result<std::string> seal(wire::SealedKind kind, std::string_view account_id,
                                         const SecretBytes& plain) const;
  [[nodiscard]] Result<Opened> open(std::string_view text, wire::SealedKind kind) const;

  std::string connector_;
  const SealKeys& keys_;
  crypto::Random& random_;
};

}  // namespace strongroom::cde
