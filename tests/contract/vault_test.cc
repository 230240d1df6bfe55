// The vault on a real SQLite database and a real SoftHSM token, with an audit recorder that can be
// made to fail. What is shown: no effect without its entry, idempotence, isolation of merchants,
// erasure, recovery.
#include <set>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "cde/vault/card_routes.h"
#include "contract/vault_fixture.h"
#include "http/head.h"
#include "http/router.h"
#include "http/ticket.h"

namespace strongroom::cde {
namespace {

TEST_F(VaultTest, TokenizeWritesIntentThenRowThenOutcome) {
  const auto view = tokenize(request());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->duplicate, Duplicate::new_card);
  EXPECT_EQ(view->bin, "424242");
  EXPECT_EQ(view->last4, "4242");
  ASSERT_EQ(recorder_.entries.size(), 2U);
  EXPECT_EQ(recorder_.entries[0].phase, Phase::intent);
  EXPECT_EQ(recorder_.entries[0].gateway_token, view->token.text());
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::done);
  EXPECT_EQ(rows("SELECT token_id FROM cards").size(), 1U);
  expect_balanced();
}

TEST_F(VaultTest, WithoutAuditNothingIsDone) {
  recorder_.refuse(true);
  const auto view = tokenize(request());
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().type, ProblemType::audit_unavailable);
  EXPECT_TRUE(rows("SELECT token_id FROM cards").empty());

  recorder_.refuse(false);
  const auto made = tokenize(request());
  ASSERT_TRUE(made);
  recorder_.refuse(true);
  EXPECT_EQ(look_up(made->token).error().type, ProblemType::audit_unavailable);
  EXPECT_EQ(erase(made->token).error().type, ProblemType::audit_unavailable);
  EXPECT_EQ(rows("SELECT token_id FROM cards WHERE deleted_at IS NULL").size(), 1U);
}

TEST_F(VaultTest, TheSameCardGivesTheSameTokenAndKeepsTheFirstLimits) {
  const auto first = tokenize(request("", R"(,"usage_limit":3,"metadata":{"a":"1"})"));
  const auto second = tokenize(request("", R"(,"usage_limit":9,"metadata":{"a":"2"})"));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->token, first->token);
  EXPECT_EQ(second->duplicate, Duplicate::same);
  EXPECT_EQ(second->usage_limit, 3);
  EXPECT_EQ(second->metadata, R"({"a":"1"})");
  EXPECT_EQ(rows("SELECT token_id FROM cards").size(), 1U);
  expect_balanced();
}

TEST_F(VaultTest, AChangedExpiryOrNameIsKeptUnderTheSameToken) {
  const auto first = tokenize(request(R"(,"name":"Ada")"));
  TokenRequest newer = request(R"(,"name":"Ada King")");
  newer.expiry = *ExpiryDate::create(1, 2031);
  const auto second = tokenize(std::move(newer));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->token, first->token);
  EXPECT_EQ(second->duplicate, Duplicate::changed);
  const auto seen = look_up(first->token);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->expiry.year(), 2031);
  TokenRequest again = request(R"(,"name":"Ada King")");
  again.expiry = *ExpiryDate::create(1, 2031);
  EXPECT_EQ(tokenize(std::move(again))->duplicate, Duplicate::same);
  expect_balanced();
}

TEST_F(VaultTest, TwoFirstAddsAtOnceGiveOneToken) {
  std::vector<std::optional<Answer<TokenView>>> views(8);
  int left = static_cast<int>(views.size());
  auto add = [](Vault& vault, TokenRequest body, std::optional<Answer<TokenView>>& out,
                int& open) -> async::Task<> {
    out.emplace(co_await vault.tokenize(std::move(body), caller()));
    --open;
  };
  for (auto& view : views) async::spawn(add(*vault_, request(), view, left));
  auto wait = [](async::Loop& loop, const int& open) -> async::Task<> {
    while (open > 0) co_await loop.sleep_for(std::chrono::milliseconds(1));
  };
  loop_.run_until_done(wait(loop_, left));
  int fresh = 0;
  for (const auto& view : views) {
    ASSERT_TRUE(view);
    ASSERT_TRUE(*view);
    EXPECT_EQ((*view)->token, (*views[0])->token);
    if ((*view)->duplicate == Duplicate::new_card) ++fresh;
  }
  EXPECT_EQ(fresh, 1);
  expect_balanced();
}

TEST_F(VaultTest, MerchantsNeverShareATokenNorSeeEachOthers) {
  const auto a = tokenize(request(), caller("mer_a"));
  const auto b = tokenize(request(), caller("mer_b"));
  ASSERT_TRUE(a && b);
  EXPECT_NE(a->token, b->token);
  EXPECT_EQ(b->duplicate, Duplicate::new_card);
  EXPECT_EQ(look_up(a->token, caller("mer_b")).error().type, ProblemType::not_found);
  EXPECT_EQ(erase(a->token, caller("mer_b")).error().type, ProblemType::not_found);
  EXPECT_TRUE(look_up(a->token, caller("mer_a")));
}

TEST_F(VaultTest, EraseLeavesATombstoneAndNothingElse) {
  const auto view = tokenize(request(R"(,"name":"Ada","cvc":"123")"));
  ASSERT_TRUE(view);
  EXPECT_EQ(codes_.count(), 1U);
  ASSERT_TRUE(erase(view->token));
  EXPECT_EQ(codes_.count(), 0U);
  EXPECT_EQ(look_up(view->token).error().type, ProblemType::token_deleted);
  EXPECT_TRUE(erase(view->token));  // again: nothing changes
  EXPECT_EQ(
      rows("SELECT token_id FROM cards WHERE wrapped_dek IS NULL AND fingerprint_odd IS NULL "
           "AND fingerprint_even IS NULL AND card_sealed IS NULL AND token_sealed IS NULL AND "
           "merchant_sealed IS NULL AND details_sealed IS NULL AND deleted_at IS NOT NULL")
          .size(),
      1U);
  const auto anew = tokenize(request());
  ASSERT_TRUE(anew);
  EXPECT_EQ(anew->duplicate, Duplicate::new_card);
  EXPECT_NE(anew->token, view->token);
  expect_balanced();
}

TEST_F(VaultTest, ACodeSentWhileItsTokenIsErasedIsNotHeld) {
  const auto view = tokenize(request());
  ASSERT_TRUE(view);
  recorder_.paused = EventType::token_lookup;  // the duplicate waits for its entry
  std::optional<Answer<TokenView>> again;
  auto add = [](Vault& vault, TokenRequest body,
                std::optional<Answer<TokenView>>& out) -> async::Task<> {
    out.emplace(co_await vault.tokenize(std::move(body), caller()));
  };
  async::spawn(add(*vault_, request(R"(,"cvc":"123")"), again));
  wait_until_entries(5);  // intent and outcome of both, and the duplicate's look-up
  ASSERT_TRUE(erase(view->token));
  recorder_.paused.reset();
  auto wait = [](async::Loop& loop, const std::optional<Answer<TokenView>>& out) -> async::Task<> {
    while (!out) co_await loop.sleep_for(std::chrono::milliseconds(1));
  };
  loop_.run_until_done(wait(loop_, again));
  EXPECT_TRUE(*again);
  EXPECT_EQ(codes_.count(), 0U);
  expect_balanced();
}

TEST_F(VaultTest, ACodeIsHeldByThePeerThatItsTokenIsAskedOf) {
  const auto first = tokenize(request(R"(,"cvc":"123")"));
  EXPECT_EQ(codes_.count(), 1U);
  code_peers_.takes = true;  // it was away
  Caller who = caller();
  who.ticket = "the.ticket";
  ASSERT_TRUE(tokenize(request(R"(,"cvc":"123")"), who));
  EXPECT_EQ(codes_.count(), 0U) << "it is held twice";
  EXPECT_EQ(code_peers_.taken, std::vector{first->token.text() + " the.ticket"});
  ASSERT_TRUE(tokenize(request(), who));
  EXPECT_EQ(code_peers_.taken.size(), 1U) << "there was no code";
}

TEST_F(VaultTest, APeersCodeIsHeldForALiveTokenOfItsMerchant) {
  const auto view = tokenize(request());
  const auto hold = [&](const PublicToken& token, Caller who) {
    return loop_.run_until_done(vault_->hold_for_peer(token, *Cvc::parse("123"), std::move(who)));
  };
  EXPECT_EQ(hold(view->token, caller("mer_b")).error().type, ProblemType::not_found);
  EXPECT_EQ(hold(PublicToken::generate(random_), caller()).error().type, ProblemType::not_found);
  EXPECT_EQ(codes_.count(), 0U);
  EXPECT_TRUE(hold(view->token, caller()));
  EXPECT_EQ(codes_.count(), 1U);
  ASSERT_TRUE(erase(view->token));
  EXPECT_EQ(codes_.count(), 0U);
  EXPECT_EQ(hold(view->token, caller()).error().type, ProblemType::token_deleted);
}

TEST_F(VaultTest, WhatAnotherVaultdErasedIsKnownByItsToken) {
  const auto gone = tokenize(request()), stays = tokenize(request("", "", "5555555555554444"));
  const auto id_of = [&](const PublicToken& token) {
    return loop_.run_until_done(cards_->find_by_token(token.hash()))->card->token_id;
  };
  const TokenId gone_id = id_of(gone->token), stays_id = id_of(stays->token);
  ASSERT_TRUE(erase(gone->token));
  EXPECT_EQ(*loop_.run_until_done(cards_->erased_of({gone_id, stays_id, TokenId{}})),
            std::vector{gone_id});
}

TEST_F(VaultTest, AnExpiredTokenAnswersSoAndGivesUpItsFingerprint) {
  const auto view = tokenize(request("", R"(,"expires_at":"2026-11-21T13:00:00Z")"));
  ASSERT_TRUE(view);
  clock_.now += 2LL * 3600 * 1'000'000;
  EXPECT_EQ(look_up(view->token).error().type, ProblemType::token_expired);
  const auto anew = tokenize(request());
  ASSERT_TRUE(anew);
  EXPECT_EQ(anew->duplicate, Duplicate::new_card);
  EXPECT_NE(anew->token, view->token);
  expect_balanced();
}

TEST_F(VaultTest, ARowOfAnotherTokenDoesNotOpen) {
  const auto a = tokenize(request());
  const auto b = tokenize(request("", "", "5555555555554444"));
  ASSERT_TRUE(a && b);
  // An intruder with the database swaps what is sealed: the card of b under the token of a.
  const auto swapped = loop_.run_until_done(database_->write(
      {{"UPDATE cards SET card_sealed = (SELECT other.card_sealed FROM cards AS other WHERE "
        "other.token_id <> cards.token_id)"}}));
  ASSERT_TRUE(swapped);
  EXPECT_EQ(look_up(a->token).error().type, ProblemType::internal);
  const auto deks = loop_.run_until_done(database_->write(
      {{"UPDATE cards SET wrapped_dek = (SELECT other.wrapped_dek FROM cards AS other WHERE "
        "other.token_id <> cards.token_id)"}}));
  ASSERT_TRUE(deks);
  EXPECT_EQ(look_up(a->token).error().type, ProblemType::internal);
}

TEST_F(VaultTest, AFingerprintMovedToAnotherRowGivesNoToken) {
  const auto a = tokenize(request());
  const auto b = tokenize(request("", "", "5555555555554444"));
  ASSERT_TRUE(a && b);
  write("ALTER TABLE cards ADD COLUMN other bytea");
  write(
      "UPDATE cards SET other = (SELECT fingerprint_odd FROM cards AS b WHERE "
      "b.token_id <> cards.token_id)");
  write("UPDATE cards SET fingerprint_odd = NULL");
  write("UPDATE cards SET fingerprint_odd = other");
  recorder_.entries.clear();
  EXPECT_EQ(tokenize(request()).error().type, ProblemType::internal);
  TokenRequest newer = request();
  newer.expiry = *ExpiryDate::create(1, 2031);
  EXPECT_EQ(tokenize(std::move(newer)).error().type, ProblemType::internal);
  EXPECT_EQ(look_up(b->token)->bin, "555555");  // not overwritten by the other card
  expect_balanced();
}

TEST_F(VaultTest, AnInsertThatMayStillCommitIsSettledLater) {
  lossy_->fates = {LossyDatabase::Fate::held, LossyDatabase::Fate::refused};
  const auto view = tokenize(request());
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().type, ProblemType::database_unavailable);
  ASSERT_EQ(recorder_.entries.size(), 1U);  // the intent, still open
  ASSERT_TRUE(loop_.run_until_done(lossy_->let_go()));
  wait_until_entries(2);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::done);
  expect_balanced();
}

TEST_F(VaultTest, WhatMayStillCommitIsNotCalledUndone) {
  make_vault(std::chrono::milliseconds(50));
  lossy_->fates = {LossyDatabase::Fate::held, LossyDatabase::Fate::refused};
  ASSERT_FALSE(tokenize(request()));
  loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(2500)));
  EXPECT_EQ(recorder_.entries.size(), 1U) << "the commit waits";
  ASSERT_TRUE(loop_.run_until_done(lossy_->let_go()));
  wait_until_entries(2);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::done);
  expect_balanced();
}

TEST_F(VaultTest, RecoveryIsToBeRepeatedWhileACommitWaits) {
  lossy_->fates = {LossyDatabase::Fate::held, LossyDatabase::Fate::refused};
  ASSERT_FALSE(tokenize(request()));
  recorder_.open = {recorder_.entries[0]};
  vault_->stop();
  loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(1500)));  // what it left ends
  recorder_.entries.clear();
  make_vault(std::chrono::milliseconds(50));
  EXPECT_EQ(loop_.run_until_done(vault_->close_open_intents()).error().code(),
            ErrorCode::unavailable);
  EXPECT_TRUE(recorder_.entries.empty());
  ASSERT_TRUE(loop_.run_until_done(lossy_->let_go()));
  ASSERT_TRUE(loop_.run_until_done(vault_->close_open_intents()));
  ASSERT_EQ(recorder_.entries.size(), 1U);
  EXPECT_EQ(recorder_.entries[0].outcome, Outcome::done);
}

TEST_F(VaultTest, AnInsertThatCannotHaveBeenMadeIsNotDoneAtOnce) {
  lossy_->fates = {LossyDatabase::Fate::refused};
  ASSERT_FALSE(tokenize(request()));
  ASSERT_EQ(recorder_.entries.size(), 2U);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::not_done);
}

TEST_F(VaultTest, WhatComesWhileManyAreTakenIsShedAtOnce) {
  constexpr std::size_t kTooMany = 5;
  std::size_t under_way = Vault::kTokenizingMax + kTooMany, shed = 0;
  auto add = [](Vault& vault, TokenRequest card, std::size_t& left,
                std::size_t& no) -> async::Task<> {
    const auto view = co_await vault.tokenize(std::move(card), caller());
    if (!view && view.error().type == ProblemType::overloaded) ++no;
    --left;
  };
  for (std::size_t i = under_way; i > 0; --i) {
    async::spawn(add(*vault_, request(), under_way, shed));
  }
  EXPECT_EQ(shed, kTooMany);
  EXPECT_EQ(under_way, Vault::kTokenizingMax);
  auto wait = [](async::Loop& loop, const std::size_t& left) -> async::Task<> {
    while (left > 0) co_await loop.sleep_for(std::chrono::milliseconds(1));
  };
  loop_.run_until_done(wait(loop_, under_way));
  EXPECT_TRUE(tokenize(request()));
  expect_balanced();
}

TEST_F(VaultTest, AFullDiskIsToldFromAnAbsentDatabase) {
  lossy_->fates = {LossyDatabase::Fate::disk_full};
  const auto view = tokenize(request());
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().type, ProblemType::disk_unavailable);
  EXPECT_TRUE(view.error().retry_after_s);
  ASSERT_EQ(recorder_.entries.size(), 2U);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::not_done);
}

TEST_F(VaultTest, RecoveryWaitsForWhatAKilledProcessSent) {
  lossy_->fates = {LossyDatabase::Fate::held, LossyDatabase::Fate::refused};
  ASSERT_FALSE(tokenize(request()));
  recorder_.open = {recorder_.entries[0]};
  const std::unique_ptr<Vault> killed = std::move(vault_);
  killed->stop();
  recorder_.entries.clear();
  make_vault(std::chrono::milliseconds(200));
  auto commit_late = [](async::Loop& loop, LossyDatabase& database) -> async::Task<> {
    co_await loop.sleep_for(std::chrono::milliseconds(100));
    SR_CHECK(co_await database.let_go());
  };
  async::spawn(commit_late(loop_, *lossy_));
  ASSERT_TRUE(loop_.run_until_done(vault_->close_open_intents()));
  ASSERT_EQ(recorder_.entries.size(), 1U);
  EXPECT_EQ(recorder_.entries[0].outcome, Outcome::done);
  // What `killed` has spawned ends while it lives, and says nothing.
  loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(1100)));
  EXPECT_EQ(recorder_.entries.size(), 1U);
}

TEST_F(VaultTest, RecoveryEndsWhenStopped) {
  ASSERT_TRUE(tokenize(request()));
  recorder_.open = {recorder_.entries[0]};
  recorder_.open[0].gateway_token = PublicToken::generate(random_).text();
  make_vault(std::chrono::hours(1));
  vault_->stop();
  EXPECT_EQ(loop_.run_until_done(vault_->close_open_intents()).error().code(),
            ErrorCode::unavailable);
}

TEST_F(VaultTest, OpenIntentsAreClosedFromTheDatabase) {
  const auto made = tokenize(request());
  ASSERT_TRUE(made);
  const audit::Entry created = recorder_.entries[0];
  audit::Entry lost = created;  // its row never came to be
  lost.operation_id = crypto::new_operation_id(random_, clock_);
  lost.gateway_token = PublicToken::generate(random_).text();
  audit::Entry deletion = created;  // was not carried out
  deletion.operation_id = crypto::new_operation_id(random_, clock_);
  deletion.event_type = EventType::token_delete;
  recorder_.entries.clear();
  recorder_.open = {created, lost, deletion};
  ASSERT_TRUE(loop_.run_until_done(vault_->close_open_intents()));
  ASSERT_EQ(recorder_.entries.size(), 3U);
  EXPECT_EQ(recorder_.entries[0].outcome, Outcome::done);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::not_done);
  EXPECT_EQ(recorder_.entries[2].outcome, Outcome::not_done);
}

TEST_F(VaultTest, NoSecretMemoryIsKept) {
  ASSERT_TRUE(tokenize(request()));
  const std::size_t before = secret_memory_used_bytes();
  const auto view = tokenize(request("", "", "5555555555554444"));
  ASSERT_TRUE(view);
  ASSERT_TRUE(look_up(view->token));
  EXPECT_EQ(secret_memory_used_bytes(), before);
}

TEST_F(VaultTest, OnlyEdgedMayAskAndLoadgenInTheDemo) {
  const auto signer =
      *http::TicketSigner::create(*SecretBytes::copy_of(std::array<std::byte, 32>{}), "key");
  const auto verifier = *http::TicketVerifier::create(signer.public_key_line(), clock_);
  const std::int64_t now_s = clock_.now_us() / 1'000'000;
  const std::string ticket = *signer.sign({.subject = "key_1",
                                           .merchant = "mer_a",
                                           .role = "merchant_admin",
                                           .scopes = {"tokens:read"},
                                           .issued_at_s = now_s,
                                           .expires_at_s = now_s + 60});
  const auto status = [&](Profile profile, std::string identity) {
    http::Router router;
    router.set_ticket_verifier(verifier);
    add_card_routes(router, *vault_, profile, clock_);
    http::Head head;
    head.method = http::Method::get;
    head.path = "/v1/cards/tok_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    head.fields.push_back({"Strongroom-Ticket", ticket});
    const http::Peer peer{.identity = std::move(identity)};
    http::Request request(head, {}, peer, "id");
    return loop_.run_until_done(router.dispatch(request)).status;
  };
  EXPECT_EQ(status(Profile::production, "edged"), 404);  // may ask: there is no such token
  EXPECT_EQ(status(Profile::production, "loadgen"), 403);
  EXPECT_EQ(status(Profile::demo, "loadgen"), 404);
  EXPECT_EQ(status(Profile::demo, "gatewayd"), 403);
}

}  // namespace
}  // namespace strongroom::cde
