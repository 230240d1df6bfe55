// What connectord answers, without what it does. The card stays in the request's secret memory.
#include "loadgen/null_connector.h"

#include <fmt/core.h>

#include <cstdint>
#include <vector>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::bench {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kKeyVersion = 1;
constexpr std::size_t kSealedBytes = 96;  // nonce, two ids or a short credential, tag

async::Task<http::Response> take_card(http::Request& request) {
  if (!as_text(request.body()).contains(R"("number":")")) co_return http::Response{.status = 422};
  co_return http::json_response(
      201, fmt::format(R"({{"processor_token":"{}"}})",
                       null_blob(wire::SealedKind::processor_token, "acc_null")));
}

}  // namespace

std::string null_blob(wire::SealedKind kind, std::string_view account_id) {
  SR_CHECK(wire::is_account_id(account_id));
  std::string blob{static_cast<char>(kFormat), 0, 0, 0, static_cast<char>(kKeyVersion),
                   static_cast<char>(kind)};
  for (const std::string_view text : {kNullConnector, account_id}) {
    blob.push_back(static_cast<char>(text.size()));
    blob.append(text);
  }
  blob.append(kSealedBytes, '\0');
  return base64url(as_bytes(blob));
}

void add_null_connector(http::Router& router) {
  router.add({.method = http::Method::post,
              .pattern = "/v1/stored-cards",
              .identities = {"vaultd"},
              .handler = take_card});
}

}  // namespace strongroom::bench
