// Every call in the same order: open the blobs, hold them against the ticket, intent, processor,
// outcome. What the connector reports as an error was not sent.
#include "cde/connectors/connector_service.h"

#include <array>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"
#include "crypto/context.h"
#include "crypto/hash.h"
#include "http/ticket.h"

namespace strongroom::cde {
namespace {

using audit::EventType;
using audit::Outcome;
using audit::Phase;
using payments::LookUpAnswer;
using payments::Operation;
using payments::OperationOutcome;
using payments::PayAnswer;
using wire::Problem;
using wire::ProblemType;

constexpr unsigned kRetryAfterS = 1;
constexpr std::size_t kAccountIdBytes = 16;
constexpr Problem kAuditUnavailable{
    ProblemType::audit_unavailable, "nothing is done that cannot be logged", {}, kRetryAfterS};
constexpr Problem kNotReached{
    ProblemType::service_unavailable, "the processor is not reached", {}, kRetryAfterS};
constexpr Problem kOverloaded{ProblemType::overloaded, "try again", {}, kRetryAfterS};
constexpr Problem kNotAllowed{ProblemType::not_allowed, "this caller may not do this"};
constexpr Problem kTooLateToRepeat{ProblemType::conflict,
                                   "the processor may have forgotten the key: look it up"};
constexpr Problem kMayBeGone{ProblemType::outcome_unknown, "try again", {}, kRetryAfterS};

std::unexpected<Problem> refuse(const Problem& problem) { return std::unexpected(problem); }

// A failure of ours, or of the way to the processor: nothing was sent.
Problem problem_of(const Error& error) {
  if (error.code() == ErrorCode::exhausted) return kOverloaded;
  log::warn("processor not reached", {{"error", error}});
  return kNotReached;
}

// The processor has no form for what was asked: that is an answer.
PayAnswer inexpressible() {
  return {OperationOutcome::failed,
          {},
          payments::Decline{payments::DeclineClass::configuration, "invalid_request"}};
}

Outcome outcome_of(OperationOutcome outcome) noexcept {
  switch (outcome) {
    case OperationOutcome::approved:
      return Outcome::done;
    case OperationOutcome::declined:
    case OperationOutcome::failed:
      return Outcome::failed;
    case OperationOutcome::unknown:
      return Outcome::unknown;
  }
  std::unreachable();
}

EventType event_of(Operation operation) noexcept {
  switch (operation) {
    case Operation::authorize:
      return EventType::payment_authorize;
    case Operation::sale:
      return EventType::payment_sale;
    case Operation::capture:
      return EventType::payment_capture;
    case Operation::void_:
      return EventType::payment_void;
    case Operation::refund:
      return EventType::payment_refund;
  }
  std::unreachable();
}

ProcessorCall call_of(Operation operation) noexcept {
  switch (operation) {
    case Operation::authorize:
      return ProcessorCall::authorize;
    case Operation::sale:
      return ProcessorCall::sale;
    case Operation::capture:
      return ProcessorCall::capture;
    case Operation::void_:
      return ProcessorCall::void_;
    case Operation::refund:
      return ProcessorCall::refund;
  }
  std::unreachable();
}

// The same for a repeat under the same ticket, so that a settlement continues its operation in the
// log without a database: what is random in other ids is here what names the attempt.
OperationId operation_id(std::int64_t ticket_issued_at_s, std::string_view event,
                         const Account& account, std::string_view reference) {
  crypto::Context context("strongroom/operation/1");
  context.add(event).add(account.merchant).add(account.id).add(reference);
  const crypto::Sha256Digest digest = crypto::sha256(context.bytes());
  return OperationId{uuid_v7(static_cast<std::uint64_t>(ticket_issued_at_s) * 1000,
                             std::span(digest).first<10>())};
}

}  // namespace

audit::Entry ConnectorService::entry(EventType event, const Principal& principal) {
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  entry.event_type = event;
  entry.time_us = parts_.clock.now_us();
  entry.user = principal.subject;
  entry.source_ip = principal.source;
  entry.operation = principal.operation;
  entry.merchant_id = principal.merchant;
  entry.request_id = principal.request_id;
  entry.connector_id = parts_.connector.name();
  return entry;
}

audit::Entry ConnectorService::intent(EventType event, const Principal& principal,
                                      const Account& account, std::string_view reference) {
  audit::Entry intent = entry(event, principal);
  intent.phase = Phase::intent;
  intent.merchant_id = account.merchant;
  intent.operation_id =
      principal.ticket_issued_at_s == 0
          ? crypto::new_operation_id(parts_.random, parts_.clock)
          : operation_id(principal.ticket_issued_at_s, audit::name(event), account, reference);
  intent.resources.push_back(account.id);
  if (!reference.empty()) intent.resources.emplace_back(reference);
  return intent;
}

async::Task<Problem> ConnectorService::deny(Principal principal) {
  audit::Entry single = entry(EventType::access_denied, principal);
  single.outcome = Outcome::denied;
  const Result<void> recorded = co_await parts_.recorder.record(single);
  co_return recorded ? kNotAllowed : kAuditUnavailable;
}

async::Task<Reply<void>> ConnectorService::begin(const audit::Entry& intent) {
  const Result<void> recorded = co_await parts_.recorder.record(intent);
  if (!recorded) co_return refuse(kAuditUnavailable);
  co_return Reply<void>{};
}

void ConnectorService::end(audit::Entry intent, Outcome outcome,
                           std::string_view processor_reference) {
  if (!processor_reference.empty()) intent.resources.emplace_back(processor_reference);
  parts_.recorder.send(audit::outcome_of(
      intent, outcome, crypto::new_entry_id(parts_.random, parts_.clock), parts_.clock.now_us()));
}

async::Task<Reply<Account>> ConnectorService::open_account(std::string_view text,
                                                           const Principal& principal) {
  auto account = parts_.sealer.open_account(text);
  if (!account && account.error().code() == ErrorCode::invalid_argument) {
    co_return refuse(
        {ProblemType::invalid_value, "must be an account of this connector", "#/account"});
  }
  if (!account && account.error().code() == ErrorCode::exhausted) co_return refuse(kOverloaded);
  // Without a ticket (removing a card) the blobs themselves say whose they are.
  const bool foreign =
      account && !principal.merchant.empty() && account->merchant != principal.merchant;
  if (!account || foreign) co_return refuse(co_await deny(principal));
  co_return *std::move(account);
}

async::Task<Reply<ProcessorToken>> ConnectorService::open_token(std::string_view text,
                                                                const Account& account,
                                                                const Principal& principal) {
  auto token = parts_.sealer.open_processor_token(text);
  if (!token && token.error().code() == ErrorCode::invalid_argument) {
    co_return refuse({ProblemType::invalid_value, "must be a processor token of this connector",
                      "#/processor_token"});
  }
  if (!token && token.error().code() == ErrorCode::exhausted) co_return refuse(kOverloaded);
  if (!token || token->merchant != account.merchant || token->account_id != account.id) {
    co_return refuse(co_await deny(principal));
  }
  co_return *std::move(token);
}

// A ticket that has ended settles and does nothing else; and what is repeated must be inside the
// processor's window, counted from the earliest moment at which it can have been asked first.
async::Task<Reply<void>> ConnectorService::may_settle(bool settle, const Principal& principal) {
  const std::int64_t age_s = parts_.clock.now_us() / 1'000'000 - principal.ticket_issued_at_s;
  if (principal.ticket_has_ended && !settle) co_return refuse(co_await deny(principal));
  if (settle && age_s >= parts_.connector.idempotency_window().count()) {
    co_return refuse(kTooLateToRepeat);
  }
  co_return Reply<void>{};
}

Reply<PayAnswer> ConnectorService::conclude(const audit::Entry& intent, ProcessorCall call,
                                            Result<PayAnswer> answer, Clockwork::time_point began) {
  if (!answer && answer.error().code() == ErrorCode::invalid_argument) answer = inexpressible();
  const auto outcome = answer ? std::optional(answer->outcome) : std::nullopt;
  parts_.metrics.count(call, outcome, Clockwork::now() - began);
  if (!answer) {
    end(intent, Outcome::not_done);
    return refuse(problem_of(answer.error()));
  }
  end(intent, outcome_of(answer->outcome), answer->processor_reference);
  return *std::move(answer);
}

async::Task<Reply<PayAnswer>> ConnectorService::charge(Operation operation,
                                                       payments::AuthorizationRequest request,
                                                       Principal principal) {
  SR_CO_CHECK_OK(co_await may_settle(request.settle, principal));
  SR_CO_TRY(const Account account, co_await open_account(request.account, principal));
  SR_CO_TRY(const ProcessorToken token,
            co_await open_token(request.processor_token, account, principal));
  const audit::Entry about = intent(event_of(operation), principal, account, request.reference);
  SR_CO_CHECK_OK(co_await begin(about));
  const Charge charge{.card = token.ids,
                      .money = request.money,
                      .reference = request.reference,
                      .idempotency_key = request.idempotency_key,
                      .initiator = request.initiator,
                      .settle = request.settle};
  const auto began = Clockwork::now();
  Result<PayAnswer> answer = co_await ask(operation, account, charge);
  co_return conclude(about, call_of(operation), std::move(answer), began);
}

async::Task<Result<PayAnswer>> ConnectorService::ask(Operation operation, const Account& account,
                                                     const Charge& charge) {
  if (operation == Operation::sale) return parts_.connector.sale(account, charge);
  return parts_.connector.authorize(account, charge);
}

async::Task<Result<PayAnswer>> ConnectorService::ask(Operation operation, const Account& account,
                                                     const Change& change) {
  if (operation == Operation::capture) return parts_.connector.capture(account, change);
  if (operation == Operation::void_) return parts_.connector.void_(account, change);
  return parts_.connector.refund(account, change);
}

async::Task<Reply<PayAnswer>> ConnectorService::change(Operation operation,
                                                       std::string processor_reference,
                                                       payments::TransactionRequest request,
                                                       Principal principal) {
  SR_CO_CHECK_OK(co_await may_settle(request.settle, principal));
  SR_CO_TRY(const Account account, co_await open_account(request.account, principal));
  audit::Entry about = intent(event_of(operation), principal, account, request.reference);
  about.resources.push_back(processor_reference);
  SR_CO_CHECK_OK(co_await begin(about));
  const Change change{.processor_reference = processor_reference,
                      .amount = request.amount,
                      .currency = request.currency,
                      .reference = request.reference,
                      .idempotency_key = request.idempotency_key,
                      .settle = request.settle};
  const auto began = Clockwork::now();
  Result<PayAnswer> answer = co_await ask(operation, account, change);
  co_return conclude(about, call_of(operation), std::move(answer), began);
}

async::Task<Reply<LookUpAnswer>> ConnectorService::look_up(payments::LookUpRequest request,
                                                           Principal principal) {
  SR_CO_TRY(const Account account, co_await open_account(request.account, principal));
  audit::Entry single = entry(EventType::payment_lookup, principal);
  single.outcome = Outcome::success;
  single.resources = {account.id, request.reference};
  const Result<void> recorded = co_await parts_.recorder.record(single);
  if (!recorded) co_return refuse(kAuditUnavailable);
  // The ticket is the attempt's own: it was asked for while the ticket lived.
  const std::int64_t now_s = parts_.clock.now_us() / 1'000'000;
  const LookUp what{.reference = request.reference,
                    .processor_reference = request.processor_reference,
                    .age = std::chrono::seconds(now_s - principal.ticket_issued_at_s -
                                                http::kTicketLifetimeMaxS)};
  const auto began = Clockwork::now();
  Result<LookUpAnswer> answer = co_await parts_.connector.look_up(account, what);
  parts_.metrics.count(ProcessorCall::look_up,
                       answer ? std::optional(answer->outcome) : std::nullopt,
                       Clockwork::now() - began);
  if (!answer) co_return refuse(problem_of(answer.error()));
  co_return *std::move(answer);
}

async::Task<Reply<StoredCardReply>> ConnectorService::store(StoredCardRequest request,
                                                            Principal principal) {
  if (principal.ticket_has_ended) co_return refuse(co_await deny(std::move(principal)));
  SR_CO_TRY(const Account account, co_await open_account(request.account, principal));
  audit::Entry about =
      intent(EventType::processor_token_store, principal, account, request.idempotency_key);
  about.bin = request.card.pan.bin();
  about.last4 = request.card.pan.last4();
  SR_CO_CHECK_OK(co_await begin(about));
  const auto began = Clockwork::now();
  Result<StoredCard> stored =
      co_await parts_.connector.store(account, std::move(request.card), request.idempotency_key);
  Result<PayAnswer> verdict = fail({ErrorCode::unavailable, "nothing was sent"});
  if (stored) {
    verdict = PayAnswer{stored->outcome, {}, stored->decline};
  } else {
    verdict = fail(stored.error());
  }
  Reply<PayAnswer> answer = conclude(about, ProcessorCall::store, std::move(verdict), began);
  if (!answer) co_return refuse(answer.error());
  if (answer->outcome != OperationOutcome::approved) {
    co_return StoredCardReply{{}, *std::move(answer)};
  }
  auto sealed = parts_.sealer.seal(ProcessorToken{account.id, account.merchant, stored->ids});
  if (!sealed) {
    log::error("processor token not sealed", {{"error", sealed.error()}});
    co_return refuse({ProblemType::internal, "the card is stored, but not named"});
  }
  co_return StoredCardReply{*std::move(sealed), {}};
}

async::Task<Reply<void>> ConnectorService::remove(std::string account_text,
                                                  std::string processor_token,
                                                  Principal principal) {
  SR_CO_TRY(const Account account, co_await open_account(account_text, principal));
  SR_CO_TRY(const ProcessorToken token, co_await open_token(processor_token, account, principal));
  const audit::Entry about = intent(EventType::processor_token_revoke, principal, account, {});
  SR_CO_CHECK_OK(co_await begin(about));
  const auto began = Clockwork::now();
  const Result<OperationOutcome> removed = co_await parts_.connector.remove(account, token.ids);
  parts_.metrics.count(ProcessorCall::remove, removed ? std::optional(*removed) : std::nullopt,
                       Clockwork::now() - began);
  if (!removed) {
    end(about, Outcome::not_done);
    co_return refuse(problem_of(removed.error()));
  }
  end(about, outcome_of(*removed));
  if (*removed != OperationOutcome::approved) co_return refuse(kMayBeGone);
  co_return Reply<void>{};
}

async::Task<Reply<SealedAccount>> ConnectorService::enter_account(std::string merchant,
                                                                  std::string account_id,
                                                                  SecretBytes credential,
                                                                  Principal principal) {
  const Result<void> sound = parts_.connector.check_credential(credential.reveal(), parts_.profile);
  if (!sound) {
    co_return refuse({ProblemType::invalid_value, wire::Literal(sound.error()), "#/credential"});
  }
  if (account_id.empty()) {
    std::array<std::byte, kAccountIdBytes> random{};
    parts_.random.fill(random);
    account_id = "acc_" + base32(random);
  }
  principal.merchant = merchant;
  const Account account{std::move(account_id), std::move(merchant), std::move(credential)};
  auto sealed = parts_.sealer.seal(account);
  if (!sealed) {
    co_return refuse(
        {ProblemType::invalid_value, "must be 1 to 64 of A-Z a-z 0-9 _ -", "#/account_id"});
  }
  audit::Entry single = entry(EventType::connector_account_create, principal);
  single.outcome = Outcome::success;
  single.resources = {account.id};
  const Result<void> recorded = co_await parts_.recorder.record(single);
  if (!recorded) co_return refuse(kAuditUnavailable);
  co_return SealedAccount{account.id, account.merchant, *std::move(sealed)};
}

async::Task<Result<void>> ConnectorService::close_open_intents() {
  SR_CO_TRY(const std::vector<audit::OpenIntent> open, co_await parts_.recorder.open_intents());
  for (const audit::OpenIntent& intent : open) end(intent, Outcome::unknown);
  if (!open.empty()) {
    log::warn("open intents closed as unknown",
              {{"count", static_cast<std::int64_t>(open.size())}});
  }
  co_return Result<void>{};
}

}  // namespace strongroom::cde
