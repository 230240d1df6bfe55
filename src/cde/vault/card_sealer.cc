// Card contents as bytes: `01 | pan length u8 | pan digits | month u8 | year u16be`, and
// `01 | name length u16be | name | metadata`. Both exist in clear in the secret arena only. What
// stands at a processor: `01 | account length u16be | account | processor token`.
#include "cde/vault/card_sealer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/context.h"

namespace strongroom::cde {
namespace {

constexpr std::byte kFormat{1};
constexpr Error kNotCard{ErrorCode::corrupt, "a sealed card has another form"};
constexpr Error kNotDetails{ErrorCode::corrupt, "sealed details have another form"};
constexpr Error kNotAtProcessor{ErrorCode::corrupt, "a sealed processor token has another form"};

crypto::Context card_context(TokenId token, std::string_view merchant) {
  crypto::Context context("strongroom/card/1");
  context.add(token.bytes).add(merchant);
  return context;
}

crypto::Context processor_context(TokenId token, const AccountKey& account) {
  crypto::Context context("strongroom/processor-token/1");
  context.add(token.bytes).add(account);
  return context;
}

crypto::Context column_context(std::string_view label, TokenId token) {
  crypto::Context context(label);
  context.add(token.bytes);
  return context;
}

Result<SecretBytes> encode(const Card& card) {
  const std::string_view digits = card.pan.reveal(PanReveal::grant());
  SR_TRY(SecretBytes plain, SecretBytes::allocate(digits.size() + 5));
  const auto out = plain.reveal();
  out[0] = kFormat;
  out[1] = static_cast<std::byte>(digits.size());
  std::ranges::copy(as_bytes(digits), out.begin() + 2);
  const auto tail = out.last(3);
  tail[0] = static_cast<std::byte>(card.expiry.month());
  tail[1] = static_cast<std::byte>(card.expiry.year() >> 8);
  tail[2] = static_cast<std::byte>(card.expiry.year());
  return plain;
}

Result<Card> decode_card(std::span<const std::byte> plain) {
  if (plain.size() < 5 || plain[0] != kFormat) return fail(kNotCard);
  const auto digits = std::to_integer<std::size_t>(plain[1]);
  if (plain.size() != digits + 5) return fail(kNotCard);
  auto pan = Pan::parse(as_text(plain.subspan(2, digits)));
  if (!pan && pan.error() == PanFault::no_memory) {
    return fail({ErrorCode::exhausted, "secret memory is used up"});
  }
  const auto tail = plain.last(3);
  const auto expiry =
      ExpiryDate::create(std::to_integer<int>(tail[0]),
                         std::to_integer<int>(tail[1]) << 8 | std::to_integer<int>(tail[2]));
  if (!pan || !expiry) return fail(kNotCard);
  return Card{*std::move(pan), *expiry};
}

// `01 | length of first u16be | first | second`.
Result<SecretBytes> encode_pair(std::span<const std::byte> first,
                                std::span<const std::byte> second) {
  SR_TRY(SecretBytes plain, SecretBytes::allocate(3 + first.size() + second.size()));
  const auto out = plain.reveal();
  out[0] = kFormat;
  out[1] = static_cast<std::byte>(first.size() >> 8);
  out[2] = static_cast<std::byte>(first.size());
  const auto after_first = std::ranges::copy(first, out.begin() + 3).out;
  std::ranges::copy(second, after_first);
  return plain;
}

struct Pair {
  std::span<const std::byte> first;
  std::span<const std::byte> second;
};
std::optional<Pair> decode_pair(std::span<const std::byte> plain) {
  if (plain.size() < 3 || plain[0] != kFormat) return std::nullopt;
  const std::size_t size =
      std::to_integer<std::size_t>(plain[1]) << 8 | std::to_integer<std::size_t>(plain[2]);
  if (plain.size() < 3 + size) return std::nullopt;
  return Pair{plain.subspan(3, size), plain.subspan(3 + size)};
}

Result<CardDetails> decode_details(std::span<const std::byte> plain) {
  const auto pair = decode_pair(plain);
  if (!pair) return fail(kNotDetails);
  CardDetails details;
  SR_TRY(details.name, SecretBytes::copy_of(pair->first));
  SR_TRY(details.metadata, SecretBytes::copy_of(pair->second));
  return details;
}

}  // namespace

Result<CardSealer> CardSealer::create(SecretBytes dek, TokenId token, std::string_view merchant) {
  SR_TRY(crypto::Aead aead, crypto::Aead::create(std::move(dek), kDekVersion));
  return CardSealer(std::move(aead), token, merchant);
}

Result<SealedCard> CardSealer::seal(crypto::Random& random, const Card& card,
                                    const CardDetails& details, const PublicToken& token) const {
  SR_TRY(crypto::Sealed sealed_card, seal_card(random, card));
  SR_TRY(crypto::Sealed sealed_token,
         aead_.seal(random, as_bytes(token.text()),
                    column_context("strongroom/token/1", token_).bytes()));
  SR_TRY(crypto::Sealed sealed_merchant,
         aead_.seal(random, as_bytes(merchant_),
                    column_context("strongroom/merchant/1", token_).bytes()));
  SR_TRY(auto sealed_details, seal_details(random, details));
  return SealedCard{std::move(sealed_card), std::move(sealed_token), std::move(sealed_merchant),
                    std::move(sealed_details)};
}

Result<crypto::Sealed> CardSealer::seal_card(crypto::Random& random, const Card& card) const {
  SR_TRY(const SecretBytes plain, encode(card));
  return aead_.seal(random, plain.reveal(), card_context(token_, merchant_).bytes());
}

Result<std::optional<crypto::Sealed>> CardSealer::seal_details(crypto::Random& random,
                                                               const CardDetails& details) const {
  if (details.name.empty() && details.metadata.empty()) return std::nullopt;
  SR_TRY(const SecretBytes plain, encode_pair(details.name.reveal(), details.metadata.reveal()));
  SR_TRY(crypto::Sealed sealed, aead_.seal(random, plain.reveal(),
                                           column_context("strongroom/details/1", token_).bytes()));
  return sealed;
}

Result<Card> CardSealer::open_card(const crypto::Sealed& sealed) const {
  SR_TRY(const SecretBytes plain, aead_.open(sealed, card_context(token_, merchant_).bytes()));
  return decode_card(plain.reveal());
}

Result<CardDetails> CardSealer::open_details(const std::optional<crypto::Sealed>& sealed) const {
  if (!sealed) return CardDetails{};
  SR_TRY(const SecretBytes plain,
         aead_.open(*sealed, column_context("strongroom/details/1", token_).bytes()));
  return decode_details(plain.reveal());
}

Result<PublicToken> CardSealer::open_token(const crypto::Sealed& sealed) const {
  SR_TRY(const SecretBytes plain,
         aead_.open(sealed, column_context("strongroom/token/1", token_).bytes()));
  auto token = PublicToken::parse(as_text(plain.reveal()));
  if (!token) return fail({ErrorCode::corrupt, "a sealed token has another form"});
  return *std::move(token);
}

Result<std::string> CardSealer::open_merchant(const crypto::Sealed& sealed) const {
  SR_TRY(const SecretBytes plain,
         aead_.open(sealed, column_context("strongroom/merchant/1", token_).bytes()));
  return std::string(as_text(plain.reveal()));
}

Result<crypto::Sealed> CardSealer::seal_subject(crypto::Random& random,
                                                std::string_view subject) const {
  return aead_.seal(random, as_bytes(subject),
                    column_context("strongroom/held-delete/1", token_).bytes());
}

Result<std::string> CardSealer::open_subject(const crypto::Sealed& sealed) const {
  SR_TRY(const SecretBytes plain,
         aead_.open(sealed, column_context("strongroom/held-delete/1", token_).bytes()));
  return std::string(as_text(plain.reveal()));
}

Result<crypto::Sealed> CardSealer::seal_at_processor(crypto::Random& random,
                                                     const AccountKey& account,
                                                     const AtProcessor& what) const {
  SR_TRY(const SecretBytes plain,
         encode_pair(as_bytes(what.account), as_bytes(what.processor_token)));
  return aead_.seal(random, plain.reveal(), processor_context(token_, account).bytes());
}

Result<AtProcessor> CardSealer::open_at_processor(const ProcessorTokenRow& row) const {
  SR_TRY(const SecretBytes plain,
         aead_.open(row.sealed, processor_context(token_, row.account).bytes()));
  const auto pair = decode_pair(plain.reveal());
  if (!pair) return fail(kNotAtProcessor);
  return AtProcessor{std::string(as_text(pair->first)), std::string(as_text(pair->second))};
}

}  // namespace strongroom::cde
