// The null connector: plays connectord's store role beside a benchmark, so that a card which vaultd
// hands over goes through its whole way out and then nowhere. It is its own process with a
// certificate of its own, as any connector, and an entry in [vaultd] connectors.
#pragma once

#include <string>
#include <string_view>

#include "http/router.h"
#include "wire/sealed_head.h"

namespace strongroom::bench {

inline constexpr std::string_view kNullConnector = "null";

// A blob of that connector, as text: the head, and as many bytes as a real one has, which say
// nothing. vaultd reads the head only (docs/formats/connector-seal.md). REQUIRES: account_id is
// one.
[[nodiscard]] std::string null_blob(wire::SealedKind kind, std::string_view account_id);

// POST /v1/stored-cards, for vaultd alone: takes a card, drops it, and answers 201 with a processor
// token; 422 when the body holds no card.
void add_null_connector(http::Router& router);

}  // namespace strongroom::bench
