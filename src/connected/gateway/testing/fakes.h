// What gatewayd's unit tests stand on: a vault, and a connector with a processor behind it that
// keeps its own books and loses answers when told.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "connected/gateway/upstream.h"

namespace strongroom::connected::gateway::testing {

class FakeVault final : public VaultClient {
 public:
  [[nodiscard]] async::Task<Answer<Resolved>> processor_token(Origin, Resolve what) override {
    payments.push_back(what.payment);
    stale.push_back(what.stale);
    if (refuse) co_return std::unexpected(wire::Problem{.type = *refuse});
    if (refusal) co_return Resolved{{}, *refusal};
    co_return Resolved{(what.stale.empty() ? "sealed-" : "anew-") + what.token + "-" + what.account,
                       {}};
  }

  std::optional<wire::ProblemType> refuse;
  std::optional<payments::PayAnswer> refusal;  // of the processor, to take the card
  std::vector<std::string> payments;           // that were asked for
  std::vector<std::string> stale;              // that were named with each
};

// What happens to one request on its way.
enum class Fault {
  none,
  refused,      // a problem: nothing was sent
  lost_before,  // no answer, and nothing happened
  lost_after,   // no answer, and it happened
};

class FakeProcessor final : public ConnectorClient {
 public:
  [[nodiscard]] bool has(std::string_view connector) const override {
    return connector == "stripe" || connector == "nmi";
  }
  [[nodiscard]] async::Task<Answer<payments::PayAnswer>> authorize(
      Origin origin, std::string, payments::Operation operation,
      payments::AuthorizationRequest request) override {
    note(origin, request.settle);
    co_return serve(request.idempotency_key, [&] {
      const bool forgot = forgotten.contains(request.processor_token);
      return forgot ? payments::processor_token_unknown() : pay(operation, request);
    });
  }
  [[nodiscard]] async::Task<Answer<payments::PayAnswer>> change(
      Origin origin, std::string, payments::Operation operation, std::string reference,
      payments::TransactionRequest request) override {
    note(origin, request.settle);
    co_return serve(request.idempotency_key, [&] { return alter(operation, reference, request); });
  }
  [[nodiscard]] async::Task<Answer<payments::LookUpAnswer>> look_up(
      Origin origin, std::string, payments::LookUpRequest request) override {
    note(origin, true);
    ++look_ups;
    if (look_up_answer) co_return *look_up_answer;
    payments::LookUpAnswer answer{.outcome = payments::OperationOutcome::failed};
    const auto found = std::ranges::find(charges, request.reference, &Charge::reference);
    if (found == charges.end()) co_return answer;
    answer.processor_reference = found->id;
    answer.outcome = payments::OperationOutcome::approved;
    answer.status = found->status;
    answer.amount = found->amount;
    answer.amount_captured = found->captured;
    for (const auto& refund : found->refunds) {
      answer.refunds.push_back(refund);
      answer.amount_refunded += refund.amount;
    }
    co_return answer;
  }

  struct Charge {
    std::string id;
    std::string reference;
    payments::ProcessorView::Status status;
    std::int64_t amount;
    std::int64_t captured = 0;
    std::vector<payments::LookUpAnswer::Refund> refunds{};
  };
  std::vector<Charge> charges;              // what really happened
  std::set<std::string> forgotten;          // processor tokens that it does not know any more
  std::vector<Fault> faults;                // of the next requests, first come first served
  std::optional<payments::PayAnswer> next;  // the processor's own word, instead of an approval
  std::optional<payments::LookUpAnswer> look_up_answer;
  std::function<void()> meanwhile;  // runs once, while a request is at the processor
  int requests = 0;
  int settles = 0;
  int look_ups = 0;
  std::string last_ticket;

 private:
  using Outcome = payments::OperationOutcome;

  void note(const Origin& origin, bool settle) {
    last_ticket = origin.ticket;
    ++requests;
    if (settle) ++settles;
  }
  Answer<payments::PayAnswer> serve(const std::string& key,
                                    const std::function<payments::PayAnswer()>& effect) {
    Fault fault = Fault::none;
    if (!faults.empty()) {
      fault = faults.front();
      faults.erase(faults.begin());
    }
    if (meanwhile) std::exchange(meanwhile, nullptr)();
    if (fault == Fault::refused) {
      return std::unexpected(wire::Problem{.type = wire::ProblemType::service_unavailable});
    }
    if (fault == Fault::lost_before) return payments::PayAnswer{};
    if (!answers_.contains(key)) {
      answers_.emplace(key, next ? *std::exchange(next, std::nullopt) : effect());
    }
    if (fault == Fault::lost_after) return payments::PayAnswer{};
    return answers_.at(key);
  }
  payments::PayAnswer pay(payments::Operation operation,
                          const payments::AuthorizationRequest& request) {
    const bool sale = operation == payments::Operation::sale;
    charges.push_back({.id = "pi_" + std::to_string(charges.size()),
                       .reference = request.reference,
                       .status = sale ? payments::ProcessorView::Status::captured
                                      : payments::ProcessorView::Status::authorized,
                       .amount = request.money.minor,
                       .captured = sale ? request.money.minor : 0});
    return {Outcome::approved, charges.back().id, std::nullopt};
  }
  payments::PayAnswer alter(payments::Operation operation, const std::string& reference,
                            const payments::TransactionRequest& request) {
    const auto charge = std::ranges::find(charges, reference, &Charge::id);
    if (charge == charges.end()) return {Outcome::failed, "", std::nullopt};
    if (operation == payments::Operation::capture) {
      charge->status = payments::ProcessorView::Status::captured;
      charge->captured = request.amount.value_or(charge->amount);
    } else if (operation == payments::Operation::void_) {
      charge->status = payments::ProcessorView::Status::voided;
    } else {
      const std::string id = "re_" + std::to_string(charge->refunds.size());
      charge->refunds.push_back({request.reference, id, *request.amount, Outcome::approved});
      return {Outcome::approved, id, std::nullopt};
    }
    return {Outcome::approved, charge->id, std::nullopt};
  }

  std::map<std::string, payments::PayAnswer> answers_;
};

}  // namespace strongroom::connected::gateway::testing
