// CardSealer: a card's contents to and from their sealed form, under the card's own DEK. Formats
// and associated data: docs/formats/sealed-blob.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/result.h"
#include "base/secret.h"
#include "cde/card/expiry.h"
#include "cde/card/pan.h"
#include "cde/vault/card_store.h"
#include "cde/vault/public_token.h"
#include "crypto/aead.h"
#include "crypto/random.h"

namespace strongroom::cde {

// The card itself.
struct Card {
  Pan pan;
  ExpiryDate expiry;
};

// What the merchant said beside it; either may be empty.
struct CardDetails {
  SecretBytes name;
  SecretBytes metadata;  // a JSON object
};

// One card's DEK, bound to its token and merchant. Errors: exhausted; permission_denied and corrupt
// when a blob is not what this key sealed for this row. Thread-safe.
class CardSealer final {
 public:
  static constexpr std::uint32_t kDekVersion = 1;

  // `dek`: 32 bytes. `merchant` outlives the sealer.
  [[nodiscard]] static Result<CardSealer> create(SecretBytes dek, TokenId token,
                                                 std::string_view merchant);

  [[nodiscard]] Result<SealedCard> seal(crypto::Random& random, const Card& card,
                                        const CardDetails& details, const PublicToken& token) const;
  [[nodiscard]] Result<crypto::Sealed> seal_card(crypto::Random& random, const Card& card) const;
  // Nothing when both details are empty.
  [[nodiscard]] Result<std::optional<crypto::Sealed>> seal_details(
      crypto::Random& random, const CardDetails& details) const;

  // What connectord gave for the card at the account that `account` stands for.
  [[nodiscard]] Result<crypto::Sealed> seal_at_processor(crypto::Random& random,
                                                         const AccountKey& account,
                                                         const AtProcessor& what) const;

  // Who asked for the card's deletion, which waits.
  [[nodiscard]] Result<crypto::Sealed> seal_subject(crypto::Random& random,
                                                    std::string_view subject) const;

  [[nodiscard]] Result<Card> open_card(const crypto::Sealed& sealed) const;
  [[nodiscard]] Result<CardDetails> open_details(const std::optional<crypto::Sealed>& sealed) const;
  [[nodiscard]] Result<PublicToken> open_token(const crypto::Sealed& sealed) const;
  [[nodiscard]] Result<std::string> open_merchant(const crypto::Sealed& sealed) const;
  [[nodiscard]] Result<std::string> open_subject(const crypto::Sealed& sealed) const;
  [[nodiscard]] Result<AtProcessor> open_at_processor(const ProcessorTokenRow& row) const;

 private:
  CardSealer(crypto::Aead aead, TokenId token, std::string_view merchant)
      : aead_(std::move(aead)), token_(token), merchant_(merchant) {}
  crypto::Aead aead_;
  TokenId token_;
  std::string_view merchant_;
};

}  // namespace strongroom::cde
