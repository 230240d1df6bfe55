// GatewayTest: the gateway on a migrated SQLite database in a folder of its own, with one merchant
// that has an account at "stripe".
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "async/loop.h"
#include "base/metrics.h"
#include "base/testing/set_clock.h"
#include "connected/gateway/account_store.h"
#include "connected/gateway/payment_service.h"
#include "connected/gateway/payment_store.h"
#include "connected/gateway/schema.h"
#include "connected/gateway/settler.h"
#include "connected/gateway/testing/fakes.h"
#include "crypto/random.h"
#include "storage/database.h"
#include "storage/migrations.h"
#include "support/temporary_directory.h"

namespace strongroom::connected::gateway::testing {

inline constexpr char kMerchant[] = "mer_aaaaaaaaaaaaaaaaaaaaaaaaaa";
inline constexpr char kOther[] = "mer_bbbbbbbbbbbbbbbbbbbbbbbbbb";

class GatewayTest : public ::testing::Test {
 protected:
  GatewayTest() {
    open_database();
    const auto migrated = wait(storage::migrate(*database_, migrations(), clock_));
    SR_CHECK(migrated.has_value());
    add_account(kMerchant, "acc_1", "stripe");
  }
  ~GatewayTest() override { close_database(); }

  template <class T>
  T wait(async::Task<T> task) {
    return loop_.run_until_done(std::move(task));
  }
  void open_database() {
    auto opened = storage::open(loop_, {.url = "sqlite:" + (folder_.path() / "core.db").string()});
    SR_CHECK(opened.has_value());
    database_ = *std::move(opened);
    store_.emplace(loop_, *database_);
    accounts_.emplace(*database_, clock_);
    service_.emplace(PaymentService::Parts{.store = *store_,
                                           .accounts = *accounts_,
                                           .vault = vault_,
                                           .connectors = processor_,
                                           .random = random_,
                                           .clock = clock_,
                                           .instance = "gatewayd"});
    settler_.emplace(Settler::Parts{.loop = loop_,
                                    .store = *store_,
                                    .accounts = *accounts_,
                                    .connectors = processor_,
                                    .random = random_,
                                    .clock = clock_,
                                    .metrics = {.unknown = metrics_.gauge("unknown", "-"),
                                                .oldest_age_seconds = metrics_.gauge("age", "-"),
                                                .settled = metrics_.counter("settled", "-")},
                                    .instance = "gatewayd"});
  }
  void close_database() {
    if (!database_) return;
    settler_.reset();
    service_.reset();
    accounts_.reset();
    store_.reset();
    wait(database_->close());
    database_.reset();
  }
  void add_account(std::string merchant, std::string id, std::string connector) {
    Account account{.id = std::move(id),
                    .merchant = std::move(merchant),
                    .connector = std::move(connector),
                    .sealed = "c2VhbGVk",
                    .created_at_us = ++accounts_made_};
    SR_CHECK(wait(accounts_->put(std::move(account))).has_value());
  }

  static Call call(std::string key, std::byte fingerprint = std::byte{1},
                   std::string merchant = kMerchant) {
    return {.merchant = std::move(merchant),
            .origin = {.ticket = "ticket", .request_id = "r", .source = "192.0.2.1"},
            .idempotency_key = std::move(key),
            .fingerprint = {fingerprint}};
  }
  static PaymentRequest request(std::int64_t amount = 1000, bool capture = true) {
    return {.amount = amount,
            .currency = *payments::Currency::parse("USD"),
            .token = "tok_a",
            .capture = capture,
            .connector = {},
            .reference = "order 7",
            .metadata = R"({"a":"b"})"};
  }
  Answer<Done> pay(std::string key, PaymentRequest wanted = request()) {
    return wait(service_->pay(call(std::move(key)), std::move(wanted)));
  }
  Answer<Done> change(std::string key, const std::string& payment, payments::Operation operation,
                      std::optional<std::int64_t> amount = {}) {
    return wait(service_->change(call(std::move(key)), payment, operation, amount));
  }
  // A payment that holds or took the amount.
  std::string authorized() { return pay("authorize", request(1000, false))->payment.id; }
  std::string captured() { return pay("sale")->payment.id; }
  PaymentRow stored(const std::string& id) {
    auto row = wait(store_->payment(kMerchant, id));
    SR_CHECK(row.has_value() && row->has_value());
    return **std::move(row);
  }
  std::string status_of(const std::string& id) { return std::string(status(stored(id).payment)); }
  std::int64_t count(std::string_view sql) {
    const auto rows = wait(database_->read({sql}));
    SR_CHECK(rows.has_value());
    return *rows->front().front().integer();
  }
  // Lets time pass and settles, up to `rounds` times; gives how many rounds it took, 0: in vain.
  int settle(int rounds, std::int64_t step_us = 700'000'000) {
    for (int round = 1; round <= rounds; ++round) {
      clock_.now += step_us;
      if (wait(settler_->settle_due()).value_or(0) > 0) return round;
    }
    return 0;
  }

  test::TemporaryDirectory folder_;
  async::Loop loop_;
  strongroom::testing::SetClock clock_;
  crypto::SystemRandom random_;
  Registry metrics_;
  FakeVault vault_;
  FakeProcessor processor_;
  std::unique_ptr<storage::Database> database_;
  std::optional<PaymentStore> store_;
  std::optional<AccountStore> accounts_;
  std::optional<PaymentService> service_;
  std::optional<Settler> settler_;
  std::int64_t accounts_made_ = 0;
};

}  // namespace strongroom::connected::gateway::testing
