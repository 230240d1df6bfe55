// The rows of the table of cards as look-ups read them. For card_store.cc and payable_cards.cc
// only.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "cde/vault/card_store.h"
#include "storage/value.h"

namespace strongroom::cde {

// What a look-up reads, in the order of enum CardColumn.
inline constexpr char kCardColumns[] =
    "token_id, token_hash, merchant_index, merchant_index_version, fingerprint_version,"
    " wrapped_dek, card_sealed, token_sealed, merchant_sealed, details_sealed, created_at,"
    " expires_at, usage_count, usage_limit, deleted_at, operation_id";
enum CardColumn : std::size_t {
  kTokenId,
  kTokenHash,
  kMerchantIndex,
  kMerchantIndexVersion,
  kFingerprintVersion,
  kWrappedDek,
  kCardSealed,
  kTokenSealed,
  kMerchantSealed,
  kDetailsSealed,
  kCreatedAt,
  kExpiresAt,
  kUsageCount,
  kUsageLimit,
  kDeletedAt,
  kOperation,
  kCardColumnCount,
};

// The card, or what is left of it, in a row that begins with kCardColumns.
[[nodiscard]] Result<CardStore::Found> read_found(const storage::Row& row);

}  // namespace strongroom::cde
