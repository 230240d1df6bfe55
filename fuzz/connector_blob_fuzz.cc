// What connectord sealed: the input as a blob, whose head anybody may have written, and the input
// as the content of a blob that our own key sealed. What opens is sealed again and says the same.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "base/try.h"
#include "cde/connectors/sealer.h"
#include "crypto/context.h"
#include "wire/sealed_head.h"

namespace strongroom::cde {
namespace {

using wire::SealedKind;

crypto::SystemRandom random_source;

const SealKeys& keys() {
  static const SealKeys made = [] {
    SealKeys fresh;
    fresh.push_back(*crypto::Aead::create(*SecretBytes::allocate(32), 1));  // zeros: for fuzzing
    return fresh;
  }();
  return made;
}

void check_head(std::span<const std::byte> blob) {
  const auto head = wire::parse_sealed_head(blob);
  if (!head) return;
  SR_CHECK(wire::is_connector_name(head->connector) && wire::is_account_id(head->account_id));
  SR_CHECK(head->size == 8 + head->connector.size() + head->account_id.size());
  SR_CHECK(head->size < blob.size());
}

void check_account(const Sealer& sealer, const std::string& text) {
  const auto account = sealer.open_account(text);
  if (!account) return;
  const auto again = sealer.open_account(*sealer.seal(*account));
  SR_CHECK(again && again->id == account->id && again->merchant == account->merchant);
  SR_CHECK(equal_constant_time(again->credential.reveal(), account->credential.reveal()));
}

void check_token(const Sealer& sealer, const std::string& text) {
  const auto token = sealer.open_processor_token(text);
  if (!token) return;
  const auto again = sealer.open_processor_token(*sealer.seal(*token));
  SR_CHECK(again && again->account_id == token->account_id);
  SR_CHECK(again->merchant == token->merchant && again->ids == token->ids);
}

std::string sealed_as(SealedKind kind, std::span<const std::byte> plain) {
  std::vector<std::byte> blob;
  append_bytes(blob, as_bytes(std::string_view("\1\0\0\0\1", 5)));
  blob.push_back(static_cast<std::byte>(kind));
  append_bytes(blob, as_bytes("\6stripe\5acc_1"));
  crypto::Context context("strongroom/connector-seal/1");
  context.add(blob);
  const auto sealed = keys().front().seal(random_source, plain, context.bytes());
  append_bytes(blob, sealed->bytes().subspan(5));
  return base64url(blob);
}

void check(std::span<const std::byte> input) {
  const Sealer sealer("stripe", keys(), random_source);
  check_head(input);
  check_account(sealer, base64url(input));
  check_token(sealer, std::string(as_text(input)));
  if (input.size() > wire::kSealedBytesMax) return;
  check_account(sealer, sealed_as(SealedKind::account, input));
  check_token(sealer, sealed_as(SealedKind::processor_token, input));
}

}  // namespace
}  // namespace strongroom::cde

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  strongroom::cde::check(std::as_bytes(std::span(data, size)));
  return 0;
}
