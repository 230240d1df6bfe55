// JSON of processor tokens. Base64url and ids need no escapes.
#include "wire/processor_token.h"

#include <fmt/core.h>

#include <optional>
#include <utility>

#include "wire/body.h"

namespace strongroom::wire {
namespace {

constexpr TextLength kSealedLength{.min = 1, .max = kSealedTextBytesMax};
constexpr TextLength kPaymentLength{.min = 1, .max = kPaymentIdBytesMax};

// The blob at `member`, of the kind that belongs there.
std::optional<SealedHead> read_head(ObjectReader& reader, std::string_view text, SealedKind kind,
                                    Member member) {
  if (!reader.ok()) return std::nullopt;
  auto head = parse_sealed_text(text);
  if (head && head->kind == kind) return *std::move(head);
  reader.refuse(
      {ProblemType::invalid_value, "is not a sealed blob of this kind", member.pointer()});
  return std::nullopt;
}

}  // namespace

Parsed<ProcessorTokenRequest> parse_processor_token_request(std::string_view body) {
  return parse_body(body, [](ObjectReader& reader) -> std::optional<ProcessorTokenRequest> {
    const std::string_view account = reader.text("#/account", kSealedLength);
    const std::string_view payment = reader.text("#/payment", kPaymentLength);
    if (reader.ok() && !is_account_id(payment)) {  // the same letters
      reader.refuse({ProblemType::invalid_value, "must be a payment's id", "#/payment"});
    }
    auto head = read_head(reader, account, SealedKind::account, "#/account");
    const auto stale = reader.text_or_none("#/stale", kSealedLength);
    if (stale) read_head(reader, *stale, SealedKind::processor_token, "#/stale");
    if (!reader.ok()) return std::nullopt;
    return ProcessorTokenRequest{std::string(account), std::string(payment), *std::move(head),
                                 std::string(stale.value_or(""))};
  });
}

std::string processor_token_request_json(std::string_view account, std::string_view payment,
                                         std::string_view stale) {
  const std::string old = stale.empty() ? "" : fmt::format(R"(,"stale":"{}")", stale);
  return fmt::format(R"({{"account":"{}","payment":"{}"{}}})", account, payment, old);
}

Parsed<ProcessorTokenAnswer> parse_processor_token_answer(std::string_view body) {
  return parse_body(body, [](ObjectReader& reader) -> std::optional<ProcessorTokenAnswer> {
    const std::string_view token = reader.text("#/processor_token", kSealedLength);
    const bool created = reader.flag("#/created");
    if (!read_head(reader, token, SealedKind::processor_token, "#/processor_token")) {
      return std::nullopt;
    }
    return ProcessorTokenAnswer{std::string(token), created};
  });
}

std::string to_json(const ProcessorTokenAnswer& answer) {
  return fmt::format(R"({{"processor_token":"{}","created":{}}})", answer.processor_token,
                     answer.created);
}

}  // namespace strongroom::wire
