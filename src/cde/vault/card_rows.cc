// Reading a card's row, or a tombstone.
#include "cde/vault/card_rows.h"

#include <utility>

#include "base/try.h"

namespace strongroom::cde {
namespace {

using storage::Row;
using storage::Value;

Result<std::optional<std::int64_t>> read_optional_integer(const Value& value) {
  if (value.is_null()) return std::nullopt;
  SR_TRY(const std::int64_t integer, value.integer());
  return integer;
}

Result<std::optional<crypto::Sealed>> read_optional_sealed(const Value& value) {
  if (value.is_null()) return std::nullopt;
  SR_TRY(crypto::Sealed sealed, value.sealed());
  return sealed;
}

Result<Tombstone> read_tombstone(const Row& row) {
  SR_TRY(const TokenId token_id, row[kTokenId].id<TokenIdTag>());
  SR_TRY(const std::int64_t deleted_at, row[kDeletedAt].integer());
  SR_TRY(const OperationId operation, row[kOperation].id<OperationIdTag>());
  const Ending ending = row[kExpiresAt].is_null() ? Ending::deleted : Ending::expired;
  return Tombstone{token_id, deleted_at, ending, operation};
}

Result<CardRow> read_card(const Row& row) {
  SR_TRY(const TokenId token_id, row[kTokenId].id<TokenIdTag>());
  SR_TRY(const auto token_hash, row[kTokenHash].digest<64>());
  SR_TRY(const auto merchant_index, row[kMerchantIndex].digest<32>());
  SR_TRY(const std::int64_t merchant_index_version, row[kMerchantIndexVersion].integer());
  SR_TRY(const std::int64_t fingerprint_version, row[kFingerprintVersion].integer());
  SR_TRY(crypto::Sealed wrapped_dek, row[kWrappedDek].sealed());
  SR_TRY(crypto::Sealed card, row[kCardSealed].sealed());
  SR_TRY(crypto::Sealed token, row[kTokenSealed].sealed());
  SR_TRY(crypto::Sealed merchant, row[kMerchantSealed].sealed());
  SR_TRY(std::optional<crypto::Sealed> details, read_optional_sealed(row[kDetailsSealed]));
  SR_TRY(const std::int64_t created_at, row[kCreatedAt].integer());
  SR_TRY(const auto expires_at, read_optional_integer(row[kExpiresAt]));
  SR_TRY(const std::int64_t usage_count, row[kUsageCount].integer());
  SR_TRY(const auto usage_limit, read_optional_integer(row[kUsageLimit]));
  SR_TRY(const OperationId operation, row[kOperation].id<OperationIdTag>());
  return CardRow{
      .token_id = token_id,
      .token_hash = token_hash,
      .merchant_index = merchant_index,
      .merchant_index_version = static_cast<std::uint32_t>(merchant_index_version),
      .fingerprint_version = static_cast<std::uint32_t>(fingerprint_version),
      .wrapped_dek = std::move(wrapped_dek),
      .sealed = {std::move(card), std::move(token), std::move(merchant), std::move(details)},
      .created_at_us = created_at,
      .expires_at_us = expires_at,
      .usage_count = usage_count,
      .usage_limit = usage_limit,
      .operation = operation};
}

}  // namespace

Result<CardStore::Found> read_found(const Row& row) {
  CardStore::Found found;
  if (row[kDeletedAt].is_null()) {
    SR_TRY(found.card, read_card(row));
  } else {
    SR_TRY(found.tombstone, read_tombstone(row));
  }
  return found;
}

}  // namespace strongroom::cde
