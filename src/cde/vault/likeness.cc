// The HMAC of each card is this process's: what it keys is no card data, and a further call to the
// HSM would be dear.
#include "cde/vault/likeness.h"

#include <cstring>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/context.h"
#include "crypto/mac.h"

namespace strongroom::cde {
namespace {

constexpr std::size_t kMerchantKeysMax = 4096;
constexpr std::string_view kLabel = "strongroom/likeness/1";

}  // namespace

async::Task<Result<Likeness>> Likenesses::of(const std::string& merchant, const Pan& pan) {
  auto key = merchant_keys_.find(merchant);
  if (key == merchant_keys_.end()) {
    SR_CO_CHECK_OK(co_await learn(merchant));
    key = merchant_keys_.find(merchant);
  }
  crypto::Context digits(kLabel);
  digits.add(pan.bin()).add(pan.last4());
  const crypto::HmacTag tag = crypto::hmac_sha256(key->second.reveal(), digits.bytes());
  Likeness likeness = 0;
  std::memcpy(&likeness, tag.data(), sizeof likeness);
  co_return likeness;
}

async::Task<Result<void>> Likenesses::learn(const std::string& merchant) {
  crypto::Context context(kLabel);
  context.add(merchant);  // with the label before it: no merchant's own index
  SR_CO_TRY(BlindIndex made, co_await keys_.blind_index(as_text(context.bytes())));
  Result<SecretBytes> key = SecretBytes::copy_of(made);
  wipe(made);
  if (!key) co_return fail(key.error());
  if (merchant_keys_.size() >= kMerchantKeysMax) merchant_keys_.clear();
  merchant_keys_.insert_or_assign(merchant, *std::move(key));
  co_return Result<void>{};
}

}  // namespace strongroom::cde
