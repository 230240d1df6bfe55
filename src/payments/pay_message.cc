// JSON of the pay messages. Every text in them is of a narrow alphabet, checked on the way in and
// made by us on the way out, so that writing needs no escapes.
#include "payments/pay_message.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <limits>

#include "wire/body.h"

namespace strongroom::payments {
namespace {

namespace json = boost::json;
using wire::Member;
using wire::ObjectReader;
using wire::parse_body;
using wire::ProblemType;

constexpr wire::TextLength kSealedLength{.min = 1, .max = wire::kSealedTextBytesMax};
constexpr wire::TextLength kReferenceLength{.min = 1, .max = kReferenceBytesMax};
constexpr wire::TextLength kProcessorReferenceLength{.min = 1, .max = kProcessorReferenceBytesMax};
constexpr wire::TextLength kWordLength{.min = 1, .max = kDeclineCodeBytesMax};
constexpr std::int64_t kAmountMax = std::numeric_limits<std::int64_t>::max();

bool is_word(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

void refuse_value(ObjectReader& reader, Member member) {
  reader.refuse({ProblemType::invalid_value, "is not of the form it must have", member.pointer()});
}

// Base64url, which is of the same letters as our references.
std::string read_word(ObjectReader& reader, Member member, wire::TextLength length) {
  const std::string_view text = reader.text(member, length);
  if (!is_word(text)) refuse_value(reader, member);
  return std::string(text);
}

std::string read_word_or_empty(ObjectReader& reader, Member member, wire::TextLength length) {
  const auto text = reader.text_or_none(member, length);
  if (text && !is_word(*text)) refuse_value(reader, member);
  return std::string(text.value_or(""));
}

// A name out of a table; `parse` gives an optional.
template <class Parse>
auto read_name(ObjectReader& reader, Member member, Parse parse) {
  const auto value = parse(reader.text(member, kWordLength));
  if (reader.ok() && !value) refuse_value(reader, member);
  return value;
}

std::optional<Currency> read_currency(ObjectReader& reader) {
  const auto currency = Currency::parse(reader.text("#/currency", kWordLength));
  if (currency) return *currency;
  reader.refuse({ProblemType::invalid_value, wire::Literal(currency.error()), "#/currency"});
  return std::nullopt;
}

std::optional<Initiator> parse_initiator(std::string_view text) noexcept {
  if (text == name(Initiator::customer)) return Initiator::customer;
  if (text == name(Initiator::merchant)) return Initiator::merchant;
  return std::nullopt;
}

std::optional<Decline> read_decline(ObjectReader& reader) {
  const json::object* object = reader.object_or_none("#/decline");
  if (object == nullptr) return std::nullopt;
  ObjectReader inner(*object);
  const auto decline_class = read_name(inner, "#/decline/class", parse_decline_class);
  const std::string_view code = inner.text("#/decline/code", kWordLength);
  if (inner.ok() && !is_decline_code(code)) refuse_value(inner, "#/decline/code");
  if (const auto problem = inner.finish()) {
    reader.refuse(*problem);
    return std::nullopt;
  }
  return Decline{*decline_class, std::string(code)};
}

std::optional<LookUpAnswer::Refund> read_refund(ObjectReader& outer, const json::value& element) {
  const auto object = wire::as_object(element);
  if (!object) {
    outer.refuse(object.error());
    return std::nullopt;
  }
  ObjectReader reader(**object);
  LookUpAnswer::Refund refund;
  refund.reference = read_word_or_empty(reader, "#/refunds/reference", kReferenceLength);
  refund.processor_reference =
      read_word(reader, "#/refunds/processor_reference", kProcessorReferenceLength);
  refund.amount = reader.integer("#/refunds/amount", 0, kAmountMax);
  const auto outcome = read_name(reader, "#/refunds/outcome", parse_operation_outcome);
  if (const auto problem = reader.finish()) {
    outer.refuse(*problem);
    return std::nullopt;
  }
  refund.outcome = *outcome;
  return refund;
}

std::vector<LookUpAnswer::Refund> read_refunds(ObjectReader& reader) {
  std::vector<LookUpAnswer::Refund> refunds;
  const json::array* array = reader.array("#/refunds", kLookUpRefundsMax);
  if (array == nullptr) return refunds;
  for (const json::value& element : *array) {
    if (auto refund = read_refund(reader, element)) refunds.push_back(*std::move(refund));
  }
  return refunds;
}

std::string text_or_null(std::string_view text) {
  return text.empty() ? "null" : fmt::format("\"{}\"", text);
}

std::string decline_json(const std::optional<Decline>& decline) {
  if (!decline) return "null";
  return fmt::format(R"({{"class":"{}","code":"{}"}})", name(decline->decline_class),
                     decline->code);
}

// A decline says why, an approval has nothing to say.
bool fits(OperationOutcome outcome, const std::optional<Decline>& decline) noexcept {
  if (outcome == OperationOutcome::declined) return decline.has_value();
  return outcome == OperationOutcome::failed || !decline;
}

}  // namespace

bool is_reference(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kReferenceBytesMax && is_word(text);
}

bool is_processor_reference(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kProcessorReferenceBytesMax && is_word(text);
}

std::string_view name(Initiator initiator) noexcept {
  return initiator == Initiator::customer ? "customer" : "merchant";
}

Parsed<AuthorizationRequest> parse_authorization_request(std::string_view body) {
  return parse_body(body, [](ObjectReader& reader) -> std::optional<AuthorizationRequest> {
    std::string account = read_word(reader, "#/account", kSealedLength);
    std::string token = read_word(reader, "#/processor_token", kSealedLength);
    const std::int64_t amount = reader.integer("#/amount", 1, kAmountMax);
    const auto currency = read_currency(reader);
    std::string reference = read_word(reader, "#/reference", kReferenceLength);
    std::string key = read_word(reader, "#/idempotency_key", kReferenceLength);
    const auto initiator = read_name(reader, "#/initiator", parse_initiator);
    const bool settle = reader.flag_or("#/settle", false);
    if (!reader.ok()) return std::nullopt;
    return AuthorizationRequest{std::move(account),
                                std::move(token),
                                {amount, *currency},
                                std::move(reference),
                                std::move(key),
                                *initiator,
                                settle};
  });
}

std::string to_json(const AuthorizationRequest& request) {
  return fmt::format(
      R"({{"account":"{}","processor_token":"{}","amount":{},"currency":"{}","reference":"{}",)"
      R"("idempotency_key":"{}","initiator":"{}","settle":{}}})",
      request.account, request.processor_token, request.money.minor, request.money.currency.code(),
      request.reference, request.idempotency_key, name(request.initiator), request.settle);
}

Parsed<TransactionRequest> parse_transaction_request(Operation operation, std::string_view body) {
  return parse_body(body, [operation](ObjectReader& reader) -> std::optional<TransactionRequest> {
    std::string account = read_word(reader, "#/account", kSealedLength);
    std::optional<std::int64_t> amount;
    if (operation != Operation::void_) amount = reader.integer_or_none("#/amount", 1, kAmountMax);
    const auto currency = read_currency(reader);
    std::string reference = read_word(reader, "#/reference", kReferenceLength);
    std::string key = read_word(reader, "#/idempotency_key", kReferenceLength);
    const bool settle = reader.flag_or("#/settle", false);
    if (!reader.ok()) return std::nullopt;
    return TransactionRequest{std::move(account),   amount,         *currency,
                              std::move(reference), std::move(key), settle};
  });
}

std::string to_json(const TransactionRequest& request) {
  const std::string amount = request.amount ? fmt::format(R"("amount":{},)", *request.amount) : "";
  return fmt::format(
      R"({{"account":"{}",{}"currency":"{}","reference":"{}","idempotency_key":"{}","settle":{}}})",
      request.account, amount, request.currency.code(), request.reference, request.idempotency_key,
      request.settle);
}

Parsed<PayAnswer> parse_pay_answer(std::string_view body) {
  return parse_body(body, [](ObjectReader& reader) -> std::optional<PayAnswer> {
    const auto outcome = read_name(reader, "#/outcome", parse_operation_outcome);
    PayAnswer answer;
    answer.processor_reference =
        read_word_or_empty(reader, "#/processor_reference", kProcessorReferenceLength);
    answer.decline = read_decline(reader);
    if (!reader.ok()) return std::nullopt;
    answer.outcome = *outcome;
    if (!fits(answer.outcome, answer.decline)) refuse_value(reader, "#/decline");
    return answer;
  });
}

PayAnswer processor_token_unknown() {
  return {OperationOutcome::failed,
          {},
          Decline{DeclineClass::configuration, std::string(kProcessorTokenUnknown)}};
}

bool is_processor_token_unknown(const PayAnswer& answer) noexcept {
  return answer.outcome == OperationOutcome::failed && answer.decline &&
         answer.decline->code == kProcessorTokenUnknown;
}

std::string to_json(const PayAnswer& answer) {
  return fmt::format(R"({{"outcome":"{}","processor_reference":{},"decline":{}}})",
                     name(answer.outcome), text_or_null(answer.processor_reference),
                     decline_json(answer.decline));
}

std::string target_of(const LookUpRequest& request) {
  std::string target =
      fmt::format("/v1/transactions?reference={}&account={}", request.reference, request.account);
  if (!request.processor_reference.empty()) {
    target += "&processor_reference=" + request.processor_reference;
  }
  return target;
}

Parsed<LookUpAnswer> parse_look_up_answer(std::string_view body) {
  return parse_body(body, [](ObjectReader& reader) -> std::optional<LookUpAnswer> {
    LookUpAnswer answer;
    const auto outcome = read_name(reader, "#/outcome", parse_operation_outcome);
    answer.processor_reference =
        read_word_or_empty(reader, "#/processor_reference", kProcessorReferenceLength);
    const auto status_text = reader.text_or_none("#/status", kWordLength);
    const auto status = status_text ? parse_processor_status(*status_text)
                                    : std::optional(ProcessorView::Status::absent);
    if (!status || (status_text && *status == ProcessorView::Status::absent)) {
      refuse_value(reader, "#/status");
    }
    answer.amount = reader.integer("#/amount", 0, kAmountMax);
    answer.amount_captured = reader.integer("#/amount_captured", 0, kAmountMax);
    answer.amount_refunded = reader.integer("#/amount_refunded", 0, kAmountMax);
    answer.refunds = read_refunds(reader);
    answer.decline = read_decline(reader);
    if (!reader.ok()) return std::nullopt;
    answer.outcome = *outcome;
    answer.status = *status;
    return answer;
  });
}

std::string to_json(const LookUpAnswer& answer) {
  std::string refunds;
  for (const LookUpAnswer::Refund& refund : answer.refunds) {
    fmt::format_to(std::back_inserter(refunds),
                   R"({}{{"reference":{},"processor_reference":"{}","amount":{},"outcome":"{}"}})",
                   refunds.empty() ? "" : ",", text_or_null(refund.reference),
                   refund.processor_reference, refund.amount, name(refund.outcome));
  }
  const bool absent = answer.status == ProcessorView::Status::absent;
  return fmt::format(
      R"({{"outcome":"{}","processor_reference":{},"status":{},"amount":{},"amount_captured":{},)"
      R"("amount_refunded":{},"refunds":[{}],"decline":{}}})",
      name(answer.outcome), text_or_null(answer.processor_reference),
      text_or_null(absent ? "" : name(answer.status)), answer.amount, answer.amount_captured,
      answer.amount_refunded, refunds, decline_json(answer.decline));
}

}  // namespace strongroom::payments
