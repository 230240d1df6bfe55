// A Connector for tests of what stands around one: it answers what it is told and keeps what it was
// asked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cde/connectors/connector.h"

namespace strongroom::cde::testing {

class FakeConnector final : public Connector {
 public:
  struct Asked {
    std::string call;
    std::string account_id;
    std::string credential;
    std::vector<std::string> ids;
    std::string reference;
    std::string idempotency_key;
    std::optional<std::int64_t> amount;
    bool settle = false;
    std::chrono::seconds age{};
  };

  // What the next calls answer; an Error for "nothing was sent".
  Result<payments::PayAnswer> answer =
      payments::PayAnswer{payments::OperationOutcome::approved, "pi_1", std::nullopt};
  Result<StoredCard> stored =
      StoredCard{payments::OperationOutcome::approved, {"cus_1", "pm_1"}, std::nullopt};
  Result<payments::OperationOutcome> removed = payments::OperationOutcome::approved;
  Result<payments::LookUpAnswer> found = payments::LookUpAnswer{};
  std::chrono::seconds window = std::chrono::hours(20);
  std::vector<Asked> asked;

  [[nodiscard]] std::string_view name() const noexcept override { return "stripe"; }
  [[nodiscard]] std::chrono::seconds idempotency_window() const noexcept override { return window; }
  [[nodiscard]] Result<void> check_credential(std::span<const std::byte> credential,
                                              Profile) const override {
    if (as_text(credential).starts_with("sk_")) return {};
    return fail({ErrorCode::invalid_argument, "not a credential"});
  }
  async::Task<Result<StoredCard>> store(const Account& account, CardFields card,
                                        std::string_view key) override {
    asked.push_back(from("store " + card.pan.last4(), account));
    asked.back().idempotency_key = key;
    co_return stored;
  }
  async::Task<Result<payments::OperationOutcome>> remove(
      const Account& account, const std::vector<std::string>& ids) override {
    asked.push_back(from("remove", account));
    asked.back().ids = ids;
    co_return removed;
  }
  async::Task<Result<payments::PayAnswer>> authorize(const Account& account,
                                                     const Charge& charge) override {
    return note("authorize", account, charge);
  }
  async::Task<Result<payments::PayAnswer>> sale(const Account& account,
                                                const Charge& charge) override {
    return note("sale", account, charge);
  }
  async::Task<Result<payments::PayAnswer>> capture(const Account& account,
                                                   const Change& change) override {
    return note("capture", account, change);
  }
  async::Task<Result<payments::PayAnswer>> void_(const Account& account,
                                                 const Change& change) override {
    return note("void", account, change);
  }
  async::Task<Result<payments::PayAnswer>> refund(const Account& account,
                                                  const Change& change) override {
    return note("refund", account, change);
  }
  async::Task<Result<payments::LookUpAnswer>> look_up(const Account& account,
                                                      const LookUp& what) override {
    asked.push_back(from("look_up", account));
    asked.back().reference = what.reference;
    asked.back().ids = {std::string(what.processor_reference)};
    asked.back().age = what.age;
    co_return found;
  }
  void set_tls(std::shared_ptr<const http::TlsContext>) override {}
  async::Task<void> close() override { co_return; }

 private:
  static Asked from(std::string call, const Account& account) {
    Asked asked;
    asked.call = std::move(call);
    asked.account_id = account.id;
    asked.credential = as_text(account.credential.reveal());
    return asked;
  }
  async::Task<Result<payments::PayAnswer>> note(std::string call, const Account& account,
                                                const Charge& charge) {
    asked.push_back(from(std::move(call), account));
    asked.back().ids = charge.card;
    asked.back().reference = charge.reference;
    asked.back().idempotency_key = charge.idempotency_key;
    asked.back().amount = charge.money.minor;
    asked.back().settle = charge.settle;
    co_return answer;
  }
  async::Task<Result<payments::PayAnswer>> note(std::string call, const Account& account,
                                                const Change& change) {
    asked.push_back(from(std::move(call), account));
    asked.back().ids = {std::string(change.processor_reference)};
    asked.back().reference = change.reference;
    asked.back().idempotency_key = change.idempotency_key;
    asked.back().amount = change.amount;
    asked.back().settle = change.settle;
    co_return answer;
  }
};

}  // namespace strongroom::cde::testing
