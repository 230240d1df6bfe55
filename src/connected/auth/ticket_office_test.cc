#include "connected/auth/ticket_office.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "connected/auth/testing/fixture.h"

namespace strongroom::connected::auth {
namespace {

using wire::ProblemType;

class TicketOfficeTest : public testing::AuthTest {
 protected:
  void expect_refused(const std::string& authorization) {
    const auto ticket = wait(office_->issue(authorization));
    ASSERT_FALSE(ticket) << authorization.size();
    EXPECT_EQ(ticket.error().type, ProblemType::api_key_invalid);
  }
};

TEST_F(TicketOfficeTest, IssueGivesATicketThatVerifies) {
  const Merchant merchant = make_merchant();
  const CreatedKey key = make_key(merchant.id);
  const auto issued = wait(office_->issue(bearer(key)));
  ASSERT_TRUE(issued);
  const auto verifier = http::TicketVerifier::create(signer_->public_key_line(), clock_);
  ASSERT_TRUE(verifier);
  const auto ticket = verifier->verify(issued->text);
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->subject, key.key.id);
  EXPECT_EQ(ticket->merchant, merchant.id);
  EXPECT_EQ(issued->merchant, merchant.id);
  EXPECT_EQ(ticket->role, "merchant_admin");
  EXPECT_FALSE(ticket->mfa);
  EXPECT_EQ(ticket->expires_at_s - ticket->issued_at_s, 60);
  EXPECT_NE(std::ranges::find(ticket->scopes, "tokens:write"), ticket->scopes.end());
}

TEST_F(TicketOfficeTest, ReadersGetNoWritingScope) {
  const CreatedKey key = make_key(make_merchant().id, Role::merchant_user);
  const auto issued = wait(office_->issue(bearer(key)));
  ASSERT_TRUE(issued);
  const auto verifier = http::TicketVerifier::create(signer_->public_key_line(), clock_);
  const auto ticket = verifier->verify(issued->text);
  ASSERT_TRUE(ticket);
  EXPECT_EQ(std::ranges::find(ticket->scopes, "tokens:write"), ticket->scopes.end());
  EXPECT_NE(std::ranges::find(ticket->scopes, "tokens:read"), ticket->scopes.end());
}

TEST_F(TicketOfficeTest, RefusesMissingMalformedAndUnknownKeys) {
  make_key(make_merchant().id);
  expect_refused("");
  expect_refused("Bearer");
  expect_refused("Basic abc");
  expect_refused("Bearer sk_test_short");
  expect_refused("Bearer sk_test_" + std::string(52, 'a'));
  EXPECT_EQ(metrics_.counter("refused", "-").value(), 5u);
  EXPECT_EQ(metrics_.counter("issued", "-").value(), 0u);
}

TEST_F(TicketOfficeTest, RevokedKeyDiesAtOnce) {
  const CreatedKey key = make_key(make_merchant().id);
  ASSERT_TRUE(wait(office_->issue(bearer(key))));
  ASSERT_TRUE(wait(authority_->revoke_key(actor_, key.key.id, std::nullopt)));
  expect_refused(bearer(key));
}

TEST_F(TicketOfficeTest, SuspendedMerchantsKeysOpenNothing) {
  const Merchant merchant = make_merchant();
  const CreatedKey key = make_key(merchant.id);
  std::vector<storage::Statement> suspend;
  suspend.push_back({.sql = "UPDATE merchants SET status = 'suspended' WHERE id = $1",
                     .parameters = {storage::Value::text(merchant.id)},
                     .expect_rows = 1});
  ASSERT_TRUE(wait(database_->write(std::move(suspend))));
  expect_refused(bearer(key));
  const auto made = wait(authority_->create_key(actor_, {.merchant = merchant.id, .name = "x"}));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ProblemType::not_found);
}

TEST_F(TicketOfficeTest, LastUseIsNotedOncePerHour) {
  const CreatedKey key = make_key(make_merchant().id);
  const std::int64_t first_us = clock_.now;
  ASSERT_TRUE(wait(office_->issue(bearer(key))));
  clock_.now += kLastUsedStepUs - 1;
  ASSERT_TRUE(wait(office_->issue(bearer(key))));
  auto stored = wait(directory_->key(key.key.id));
  ASSERT_TRUE(stored && stored->has_value());
  EXPECT_EQ((*stored)->last_used_at_us, first_us);
  clock_.now += 1;
  ASSERT_TRUE(wait(office_->issue(bearer(key))));
  stored = wait(directory_->key(key.key.id));
  ASSERT_TRUE(stored && stored->has_value());
  EXPECT_EQ((*stored)->last_used_at_us, clock_.now);
}

TEST_F(TicketOfficeTest, DatabaseLossIsNotAnInvalidKey) {
  const CreatedKey key = make_key(make_merchant().id);
  close_database();
  const auto ticket = wait(office_->issue(bearer(key)));
  ASSERT_FALSE(ticket);
  EXPECT_EQ(ticket.error().type, ProblemType::database_unavailable);
}

}  // namespace
}  // namespace strongroom::connected::auth
