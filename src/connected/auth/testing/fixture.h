// What authd's unit tests stand on: a migrated SQLite database in a folder of its own, a recorder
// that remembers, and a clock that tests set.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/loop.h"
#include "audit/denials.h"
#include "audit/testing/memory_recorder.h"
#include "base/encoding.h"
#include "base/metrics.h"
#include "base/testing/set_clock.h"
#include "connected/auth/authority.h"
#include "connected/auth/directory.h"
#include "connected/auth/schema.h"
#include "connected/auth/ticket_office.h"
#include "crypto/random.h"
#include "http/ticket.h"
#include "storage/database.h"
#include "storage/migrations.h"
#include "support/temporary_directory.h"

namespace strongroom::connected::auth::testing {

class AuthTest : public ::testing::Test {
 protected:
  AuthTest() {
    auto opened = storage::open(loop_, {.url = "sqlite:" + (folder_.path() / "auth.db").string()});
    SR_CHECK(opened.has_value());
    database_ = *std::move(opened);
    const auto migrated = wait(storage::migrate(*database_, migrations(), clock_));
    SR_CHECK(migrated.has_value());
    directory_.emplace(*database_);
    authority_.emplace(Authority::Parts{.loop = loop_,
                                        .directory = *directory_,
                                        .recorder = recorder_,
                                        .random = random_,
                                        .clock = clock_,
                                        .profile = Profile::demo});
    auto seed = crypto::random_secret(random_, 32);
    SR_CHECK(seed.has_value());
    auto signer = http::TicketSigner::create(*std::move(seed), "test-key");
    SR_CHECK(signer.has_value());
    signer_.emplace(*std::move(signer));
    office_.emplace(TicketOffice::Parts{.directory = *directory_,
                                        .signer = *signer_,
                                        .clock = clock_,
                                        .profile = Profile::demo,
                                        .counters = {.issued = metrics_.counter("issued", "-"),
                                                     .refused = metrics_.counter("refused", "-")}});
  }
  ~AuthTest() override {
    if (!closed_) close_database();
  }

  template <class T>
  T wait(async::Task<T> task) {
    return loop_.run_until_done(std::move(task));
  }
  void close_database() {
    wait(database_->close());
    closed_ = true;
  }
  Merchant make_merchant(std::string name = "Shop") {
    auto made = wait(authority_->create_merchant(actor_, std::move(name)));
    SR_CHECK(made.has_value());
    return *std::move(made);
  }
  CreatedKey make_key(const std::string& merchant, Role role = Role::merchant_admin) {
    auto made =
        wait(authority_->create_key(actor_, {.merchant = merchant, .role = role, .name = "till"}));
    SR_CHECK(made.has_value());
    return *std::move(made);
  }
  static std::string bearer(const CreatedKey& key) {
    return "Bearer " + std::string(as_text(key.text.reveal()));
  }

  test::TemporaryDirectory folder_;
  async::Loop loop_;
  strongroom::testing::SetClock clock_;
  crypto::SystemRandom random_;
  Registry metrics_;
  audit::testing::MemoryRecorder recorder_;
  std::unique_ptr<storage::Database> database_;
  std::optional<Directory> directory_;
  std::optional<Authority> authority_;
  std::optional<http::TicketSigner> signer_;
  std::optional<TicketOffice> office_;
  Actor actor_{.user = "uid:0", .source_ip = {}, .request_id = {}};
  bool closed_ = false;
};

}  // namespace strongroom::connected::auth::testing
