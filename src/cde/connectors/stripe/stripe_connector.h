// StripeConnector: Stripe's API as a Connector. A card is a PaymentMethod attached to a Customer of
// its own (one that is not attached pays only once); a charge is a PaymentIntent, confirmed at
// once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "cde/connectors/connector.h"
#include "cde/connectors/stripe/api.h"
#include "http/client.h"

namespace strongroom::cde::stripe {

struct ExpectedChange;  // verdict.h

class StripeConnector final : public Connector {
 public:
  static constexpr std::string_view kName = "stripe";

  // `options`: Stripe's host, its addresses, a TLS context that believes its CA, time-outs; a
  // response is bounded here.
  StripeConnector(async::Loop& loop, http::ClientOptions options);

  [[nodiscard]] std::string_view name() const noexcept override { return kName; }
  [[nodiscard]] std::chrono::seconds idempotency_window() const noexcept override;
  [[nodiscard]] Result<void> check_credential(std::span<const std::byte> credential,
                                              Profile profile) const override;

  [[nodiscard]] async::Task<Result<StoredCard>> store(const Account& account, CardFields card,
                                                      std::string_view idempotency_key) override;
  [[nodiscard]] async::Task<Result<payments::OperationOutcome>> remove(
      const Account& account, const std::vector<std::string>& ids) override;
  [[nodiscard]] async::Task<Result<payments::PayAnswer>> authorize(const Account& account,
                                                                   const Charge& charge) override;
  [[nodiscard]] async::Task<Result<payments::PayAnswer>> sale(const Account& account,
                                                              const Charge& charge) override;
  [[nodiscard]] async::Task<Result<payments::PayAnswer>> capture(const Account& account,
                                                                 const Change& change) override;
  [[nodiscard]] async::Task<Result<payments::PayAnswer>> void_(const Account& account,
                                                               const Change& change) override;
  [[nodiscard]] async::Task<Result<payments::PayAnswer>> refund(const Account& account,
                                                                const Change& change) override;
  [[nodiscard]] async::Task<Result<payments::LookUpAnswer>> look_up(const Account& account,
                                                                    const LookUp& what) override;
  void set_tls(std::shared_ptr<const http::TlsContext> tls) override {
    api_.set_tls(std::move(tls));
  }
  [[nodiscard]] async::Task<void> close() override { return api_.close(); }

 private:
  async::Task<Result<http::ClientResponse>> send_card(const Account& account, CardFields card,
                                                      std::string_view idempotency_key);
  async::Task<StoredCard> attach(const Account& account, std::string method,
                                 std::string_view idempotency_key);
  async::Task<payments::OperationOutcome> delete_customer(const Account& account,
                                                          std::string customer);
  async::Task<Result<payments::PayAnswer>> make_charge(const Account& account, const Charge& charge,
                                                       bool captured);
  async::Task<Result<payments::PayAnswer>> make_change(const Account& account, const Call& call,
                                                       const ExpectedChange& expected);
  async::Task<Result<std::string>> find(const Account& account, const LookUp& what, bool& absent);
  async::Task<bool> add_refunds(const Account& account, payments::LookUpAnswer& answer,
                                const payments::Currency& currency);

  Api api_;
};

// A card's ids at Stripe, in the order in which a StoredCard has them.
struct CardIds {
  std::string_view customer;
  std::string_view payment_method;
};
// invalid_argument: not ids that this connector gave.
[[nodiscard]] Result<CardIds> card_ids(const std::vector<std::string>& ids) noexcept;

// What a send() that failed means: an error when nothing was sent, else nothing, for `unknown`.
[[nodiscard]] Result<void> unless_sent(const Error& error);

}  // namespace strongroom::cde::stripe
