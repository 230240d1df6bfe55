// Processor tokens: which card goes to its processor when, what is kept, how uses are counted, and
// that a card which goes away is removed at its processors.
#include <gmock/gmock.h>

#include "cde/card/stored_card_request.h"
#include "contract/resolve_fixture.h"

namespace strongroom::cde {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

std::string key_of(const std::string& body) {
  return parse_stored_card_request(as_bytes(body), Profile::demo)->idempotency_key;
}

TEST_F(ResolveTest, TheCardIsHandedOverOnceAndItsTokenKept) {
  const PublicToken token = add(R"(,"name":"Ada \"K\" \u00e9")");
  const auto first = resolve(token, ask("pay_1"));
  ASSERT_TRUE(first);
  EXPECT_EQ(given(first).processor_token, "token_1");
  EXPECT_TRUE(given(first).created);
  const auto second = resolve(token, ask("pay_2"));
  ASSERT_TRUE(second);
  EXPECT_EQ(given(second).processor_token, "token_1");
  EXPECT_FALSE(given(second).created);
  ASSERT_EQ(stored_cards_.bodies.size(), 1U);
  EXPECT_THAT(stored_cards_.tickets, ElementsAre("the.ticket"));
  const auto sent = parse_stored_card_request(as_bytes(stored_cards_.bodies[0]), Profile::demo);
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->card.pan.reveal(PanReveal::grant()), "4242424242424242");
  EXPECT_EQ(sent->card.expiry.year(), 2030);
  EXPECT_EQ(as_text(sent->card.name.reveal()), "Ada \"K\" \u00e9");
  EXPECT_FALSE(sent->card.cvc);
  EXPECT_EQ(uses(token), 2);
  expect_balanced();
}

TEST_F(ResolveTest, EachStepIsInTheLogBeforeItIsDone) {
  const PublicToken token = add();
  recorder_.entries.clear();
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  ASSERT_EQ(recorder_.entries.size(), 3U);
  EXPECT_EQ(recorder_.entries[0].phase, Phase::intent);
  EXPECT_EQ(recorder_.entries[0].event_type, EventType::processor_token_resolve);
  EXPECT_THAT(recorder_.entries[0].resources, ElementsAre(token.text(), "acc_1", "pay_1"));
  EXPECT_EQ(recorder_.entries[0].connector_id, "stripe");
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::done);
  EXPECT_EQ(recorder_.entries[2].phase, Phase::single);
  EXPECT_EQ(recorder_.entries[2].outcome, Outcome::success);
  recorder_.refuse(true);
  EXPECT_EQ(resolve(token, ask("pay_2")).error().type, ProblemType::audit_unavailable);
  EXPECT_EQ(resolve(token, ask("pay_2", "acc_2")).error().type, ProblemType::audit_unavailable);
  EXPECT_EQ(stored_cards_.bodies.size(), 1U);
}

TEST_F(ResolveTest, AnAccountHasItsOwnProcessorToken) {
  const PublicToken token = add();
  EXPECT_EQ(given(resolve(token, ask("pay_1", "acc_1"))).processor_token, "token_1");
  EXPECT_EQ(given(resolve(token, ask("pay_2", "acc_2"))).processor_token, "token_2");
  EXPECT_EQ(given(resolve(token, ask("pay_3", "acc_1"))).processor_token, "token_1");
}

TEST_F(ResolveTest, OnePaymentIsOneUseAndALimitHolds) {
  const PublicToken token = add("", R"(,"usage_limit":2)");
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  EXPECT_EQ(uses(token), 1);
  ASSERT_TRUE(resolve(token, ask("pay_2")));
  EXPECT_EQ(resolve(token, ask("pay_3")).error().type, ProblemType::token_used_up);
  EXPECT_EQ(recorder_.entries.back().outcome, Outcome::failed);
  EXPECT_TRUE(resolve(token, ask("pay_2")));  // counted already
  EXPECT_EQ(uses(token), 2);
}

// What asks at once is read together, and each gets its own: another token, another account, none.
TEST_F(ResolveTest, ManyAtOnceShareAReadAndCostNoWrite) {
  std::vector<std::pair<PublicToken, wire::ProcessorTokenRequest>> all;
  std::vector<PublicToken> tokens;
  for (const std::string& number : alike(3)) {
    tokens.push_back(tokenize(request("", "", number))->token);
    ASSERT_TRUE(resolve(tokens.back(), ask("pay_1", "acc_1")));
    ASSERT_TRUE(resolve(tokens.back(), ask("pay_2", "acc_2")));
  }
  constexpr int kEach = 7;
  for (int i = 0; i < kEach; ++i) {
    for (const PublicToken& token : tokens) {
      all.emplace_back(token, ask("pay_3", i % 2 == 0 ? "acc_1" : "acc_2"));
    }
    all.emplace_back(PublicToken::generate(random_), ask("pay_3"));
  }
  lossy_->reads = lossy_->writes = 0;
  EXPECT_EQ(resolve_at_once(all), 3 * kEach);
  EXPECT_EQ(lossy_->reads, 1);
  EXPECT_EQ(lossy_->writes, 0);
  EXPECT_EQ(stored_cards_.bodies.size(), 6U);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    EXPECT_EQ(given(resolve(tokens[i], ask("pay_4", "acc_2"))).processor_token,
              "token_" + std::to_string(2 * i + 2));
    EXPECT_EQ(uses(tokens[i]), 2 + kEach + 1);
  }
  EXPECT_TRUE(rows("SELECT used_at FROM token_uses").empty());
}

TEST_F(ResolveTest, UsesThatCouldNotBeWrittenAreWrittenLater) {
  const PublicToken token = add();
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  lossy_->fates = {LossyDatabase::Fate::refused};
  EXPECT_EQ(loop_.run_until_done(uses_->flush()).error().code(), ErrorCode::unavailable);
  ASSERT_TRUE(resolve(token, ask("pay_2")));
  EXPECT_EQ(uses(token), 2);
  EXPECT_EQ(uses(token), 2);
}

TEST_F(ResolveTest, UsesOfLimitsAtOnceShareAWrite) {
  std::vector<std::pair<PublicToken, wire::ProcessorTokenRequest>> all;
  for (const std::string& number : alike(12)) {
    const auto view = tokenize(request("", R"(,"usage_limit":2)", number));
    ASSERT_TRUE(view);
    ASSERT_TRUE(resolve(view->token, ask("pay_0")));
    all.emplace_back(view->token, ask("pay_1"));
  }
  lossy_->writes = 0;
  EXPECT_EQ(resolve_at_once(all), 12);
  EXPECT_LE(lossy_->writes, 4);
  for (const auto& [token, what] : all) EXPECT_EQ(look_up(token)->usage_count, 2);
  EXPECT_EQ(resolve_at_once(all), 12);  // the same payments again
  for (auto& [token, what] : all) what = ask("pay_2");
  EXPECT_EQ(resolve_at_once(all), 0);
  for (const auto& [token, what] : all) EXPECT_EQ(look_up(token)->usage_count, 2);
}

TEST_F(ResolveTest, OnePaymentAtOnceIsOneUse) {
  const PublicToken token = add("", R"(,"usage_limit":2)");
  ASSERT_TRUE(resolve(token, ask("pay_0")));
  EXPECT_EQ(resolve_at_once({{token, ask("pay_1")}, {token, ask("pay_1")}, {token, ask("pay_1")}}),
            3);
  EXPECT_EQ(look_up(token)->usage_count, 2);
}

TEST_F(ResolveTest, ACodeGoesAlongOnceAndTheOldTokenIsRemoved) {
  const PublicToken token = add();
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  ASSERT_TRUE(tokenize(request(R"(,"cvc":"123")")));
  const auto with_code = resolve(token, ask("pay_2"));
  ASSERT_TRUE(with_code);
  EXPECT_EQ(given(with_code).processor_token, "token_2");
  EXPECT_TRUE(given(with_code).created);
  EXPECT_THAT(stored_cards_.bodies[1], HasSubstr(R"("cvc":"123")"));
  EXPECT_EQ(codes_.count(), 0U);
  EXPECT_EQ(given(resolve(token, ask("pay_3"))).processor_token, "token_2");
  EXPECT_EQ(run_removals(), 1U);
  EXPECT_THAT(stored_cards_.removed, ElementsAre("token_1"));
  EXPECT_EQ(queued(), 0U);
}

// The idempotency key: the same card again is the same card at the processor, whoever asks; one
// with a code, which may not be sent twice, belongs to its payment.
TEST_F(ResolveTest, IdempotencyKeysNameTheCardAndWithACodeThePayment) {
  const PublicToken token = add();
  stored_cards_.problem = wire::Problem{ProblemType::service_unavailable, "no answer"};
  EXPECT_EQ(resolve(token, ask("pay_1")).error().type, ProblemType::service_unavailable);
  EXPECT_EQ(recorder_.entries.back().outcome, Outcome::unknown);
  EXPECT_FALSE(resolve(token, ask("pay_2")));
  EXPECT_FALSE(resolve(token, ask("pay_2", "acc_2")));
  ASSERT_TRUE(tokenize(request(R"(,"cvc":"123")")));
  EXPECT_FALSE(resolve(token, ask("pay_2")));
  const auto& bodies = stored_cards_.bodies;
  ASSERT_EQ(bodies.size(), 4U);
  EXPECT_EQ(key_of(bodies[0]), key_of(bodies[1]));
  EXPECT_NE(key_of(bodies[0]), key_of(bodies[2]));
  EXPECT_NE(key_of(bodies[0]), key_of(bodies[3]));
  expect_balanced();
}

// The key of the hand-over is another one: under the first, the processor would repeat the ids that
// it has forgotten.
TEST_F(ResolveTest, AStaleProcessorTokenIsDroppedAndTheCardHandedOverAnew) {
  const PublicToken token = add();
  ASSERT_EQ(given(resolve(token, ask("pay_1"))).processor_token, "token_1");
  ASSERT_EQ(given(resolve(token, ask("pay_1", "acc_2"))).processor_token, "token_2");
  recorder_.entries.clear();
  const auto anew = resolve(token, ask("pay_2", "acc_1", "token_1"));
  EXPECT_EQ(given(anew).processor_token, "token_3");
  EXPECT_TRUE(given(anew).created);
  EXPECT_NE(key_of(stored_cards_.bodies[0]), key_of(stored_cards_.bodies[2]));
  ASSERT_EQ(recorder_.entries.size(), 4U);
  EXPECT_EQ(recorder_.entries[0].event_type, EventType::processor_token_delete);
  EXPECT_EQ(recorder_.entries[0].phase, Phase::intent);
  EXPECT_THAT(recorder_.entries[0].resources, ElementsAre(token.text(), "acc_1", "pay_2"));
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::done);
  EXPECT_EQ(recorder_.entries[1].operation_id, recorder_.entries[0].operation_id);
  EXPECT_EQ(recorder_.entries[2].event_type, EventType::processor_token_resolve);
  // Whoever comes later with the same news gets the new one; the other account's stays.
  EXPECT_EQ(given(resolve(token, ask("pay_3", "acc_1", "token_1"))).processor_token, "token_3");
  EXPECT_EQ(given(resolve(token, ask("pay_4", "acc_2", "token_1"))).processor_token, "token_2");
  EXPECT_EQ(stored_cards_.bodies.size(), 3U);
  EXPECT_EQ(run_removals(), 1U);
  EXPECT_THAT(stored_cards_.removed, ElementsAre("token_1"));
  expect_balanced();
}

TEST_F(ResolveTest, TwoWhoFindATokenStaleHandTheCardOverUnderOneKey) {
  const PublicToken token = add();
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  EXPECT_EQ(resolve_at_once({{token, ask("pay_2", "acc_1", "token_1")},
                             {token, ask("pay_3", "acc_1", "token_1")}}),
            2);
  for (std::size_t i = 2; i < stored_cards_.bodies.size(); ++i) {
    EXPECT_EQ(key_of(stored_cards_.bodies[i]), key_of(stored_cards_.bodies[1]));
  }
  EXPECT_EQ(run_removals(), 1U);
  expect_balanced();
}

TEST_F(ResolveTest, NothingStaleIsDroppedThatCannotBeLogged) {
  const PublicToken token = add();
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  recorder_.refuse(true);
  EXPECT_EQ(resolve(token, ask("pay_2", "acc_1", "token_1")).error().type,
            ProblemType::audit_unavailable);
  recorder_.refuse(false);
  EXPECT_EQ(queued(), 0U);
  EXPECT_EQ(given(resolve(token, ask("pay_2"))).processor_token, "token_1");
}

TEST_F(ResolveTest, ARefusalIsPassedOnAndNothingIsKept) {
  const PublicToken token = add();
  for (const bool unknown : {false, true}) {
    stored_cards_.refusal = StoreRefusal{R"({"outcome":"told"})", unknown};
    const auto refused = resolve(token, ask("pay_1"));
    ASSERT_TRUE(refused);
    EXPECT_EQ(std::get<StoreRefusal>(*refused).json, stored_cards_.refusal->json);
    EXPECT_EQ(recorder_.entries.back().outcome, unknown ? Outcome::unknown : Outcome::not_done);
  }
  stored_cards_.refusal.reset();
  EXPECT_TRUE(given(resolve(token, ask("pay_2"))).created);
}

// Only a silence leaves open whether the processor has the card.
TEST_F(ResolveTest, AProblemBeforeTheProcessorWasAskedIsNotDone) {
  const PublicToken token = add();
  for (const ProblemType type : {ProblemType::not_allowed, ProblemType::invalid_value}) {
    stored_cards_.problem = wire::Problem{type, "not this one"};
    EXPECT_EQ(resolve(token, ask("pay_1")).error().type, type);
    EXPECT_EQ(recorder_.entries.back().outcome, Outcome::not_done);
  }
  stored_cards_.problem = wire::Problem{ProblemType::service_unavailable, "no answer"};
  EXPECT_FALSE(resolve(token, ask("pay_1")));
  EXPECT_EQ(recorder_.entries.back().outcome, Outcome::unknown);
}

TEST_F(ResolveTest, DeletedExpiredAndForeignTokensDoNotPay) {
  const PublicToken token = add("", R"(,"expires_at":"2026-11-21T13:00:00Z")");
  EXPECT_EQ(resolve(token, ask("pay_1"), caller("mer_b")).error().type, ProblemType::not_found);
  clock_.now += 2 * 3'600'000'000;
  EXPECT_EQ(resolve(token, ask("pay_1")).error().type, ProblemType::token_expired);
  ASSERT_TRUE(erase(token));
  EXPECT_EQ(resolve(token, ask("pay_1")).error().type, ProblemType::token_deleted);
  EXPECT_TRUE(stored_cards_.bodies.empty());
}

TEST_F(ResolveTest, EraseQueuesEveryProcessorTokenAndForgetsUses) {
  const PublicToken token = add("", R"(,"usage_limit":9)");
  ASSERT_TRUE(resolve(token, ask("pay_1", "acc_1")));
  ASSERT_TRUE(resolve(token, ask("pay_2", "acc_2")));
  ASSERT_TRUE(erase(token));
  EXPECT_TRUE(rows("SELECT created_at FROM processor_tokens").empty());
  EXPECT_TRUE(rows("SELECT used_at FROM token_uses").empty());
  EXPECT_EQ(queued(), 2U);
  EXPECT_EQ(run_removals(), 2U);
  EXPECT_THAT(stored_cards_.removed, UnorderedElementsAre("token_1", "token_2"));
  EXPECT_EQ(queued(), 0U);
  expect_balanced();
}

TEST_F(ResolveTest, ANewerExpiryPutsTheCardThereAnew) {
  const PublicToken token = add();
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  TokenRequest newer = request();
  newer.expiry = *ExpiryDate::create(1, 2031);
  ASSERT_EQ(tokenize(std::move(newer))->duplicate, Duplicate::changed);
  EXPECT_EQ(queued(), 1U);
  EXPECT_EQ(given(resolve(token, ask("pay_2"))).processor_token, "token_2");
  EXPECT_THAT(stored_cards_.bodies[1], HasSubstr("2031"));
}

// The card is erased while it is on its way to the processor: it must not stay there.
TEST_F(ResolveTest, ACardErasedUnderwayIsRemovedAtItsProcessor) {
  const PublicToken token = add();
  std::optional<Answer<Resolved>> answer;
  pay_until_handed_over(token, answer);
  ASSERT_TRUE(erase(token));
  stored_cards_.paused = false;
  const auto answered = [&answer] { return answer.has_value(); };
  run_until(answered);
  EXPECT_FALSE(*answer);
  EXPECT_EQ(run_removals(), 1U);
  EXPECT_THAT(stored_cards_.removed, ElementsAre("token_1"));
  expect_balanced();
}

// The database goes away while the card is on its way: where no row can say what the processor has,
// it shall not have it.
TEST_F(ResolveTest, ACardThatCannotBeKeptIsRemovedAtItsProcessor) {
  const PublicToken token = add();
  std::optional<Answer<Resolved>> answer;
  pay_until_handed_over(token, answer);
  lossy_->fates = {LossyDatabase::Fate::refused};
  stored_cards_.paused = false;
  const auto settled = [this] { return recorder_.entries.back().phase == Phase::outcome; };
  run_until(settled);
  EXPECT_EQ(answer->error().type, ProblemType::database_unavailable);
  EXPECT_EQ(recorder_.entries.back().outcome, Outcome::not_done);
  EXPECT_EQ(run_removals(), 1U);
  EXPECT_THAT(stored_cards_.removed, ElementsAre("token_1"));
  expect_balanced();
}

TEST_F(ResolveTest, RemovalIsRepeatedLaterAndGivenUpWithAnEntry) {
  const PublicToken token = add();
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  ASSERT_TRUE(erase(token));
  stored_cards_.remove_fails = true;
  EXPECT_EQ(run_removals(), 0U);
  stored_cards_.remove_fails = false;
  EXPECT_EQ(run_removals(), 0U);  // not due yet
  clock_.now += 6'000'000;
  stored_cards_.remove_fails = true;
  EXPECT_EQ(run_removals(), 0U);
  EXPECT_EQ(queued(), 1U);
  EXPECT_THAT(registry_.text(), HasSubstr("strongroom_removals_queued 1"));
  clock_.now += std::chrono::microseconds(RemovalJob::kGiveUpAfter).count();
  EXPECT_EQ(run_removals(), 0U);
  EXPECT_EQ(queued(), 0U);
  EXPECT_THAT(registry_.text(), HasSubstr("strongroom_removals_queued 0"));
  EXPECT_EQ(recorder_.entries.back().event_type, EventType::processor_token_revoke);
  EXPECT_EQ(recorder_.entries.back().outcome, Outcome::failed);
}

TEST_F(ResolveTest, AnUnknownConnectorIsRefusedBeforeAnything) {
  const PublicToken token = add();
  wire::ProcessorTokenRequest what = ask("pay_1");
  what.head.connector = "nmi";
  EXPECT_EQ(resolve(token, what).error().type, ProblemType::invalid_value);
}

// A kill between the hand-over and its outcome: what is kept is done, else the processor knows.
TEST_F(ResolveTest, OpenIntentsAreClosedFromWhatIsKept) {
  const PublicToken token = add();
  ASSERT_TRUE(resolve(token, ask("pay_1", "acc_1")));
  const auto intent = *std::ranges::find(recorder_.entries, EventType::processor_token_resolve,
                                         &audit::Entry::event_type);
  audit::OpenIntent kept = intent;
  audit::OpenIntent lost = intent;
  lost.resources[1] = "acc_2";
  clock_.now += 1'000'000;  // ids of one millisecond have no order
  lost.operation_id = crypto::new_operation_id(random_, clock_);
  audit::OpenIntent not_dropped = lost;
  not_dropped.event_type = EventType::processor_token_delete;
  recorder_.open = {kept, lost, not_dropped};
  recorder_.entries.clear();
  ASSERT_TRUE(loop_.run_until_done(vault_->close_open_intents()));
  ASSERT_EQ(recorder_.entries.size(), 3U);
  EXPECT_EQ(recorder_.entries[0].outcome, Outcome::done);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::unknown);
  EXPECT_EQ(recorder_.entries[2].outcome, Outcome::not_done);
  recorder_.entries.clear();
  ASSERT_TRUE(resolve(token, ask("pay_2", "acc_1", "token_1")));
  const auto dropped = *std::ranges::find(recorder_.entries, EventType::processor_token_delete,
                                          &audit::Entry::event_type);
  recorder_.open = {dropped};
  ASSERT_TRUE(loop_.run_until_done(vault_->close_open_intents()));
  EXPECT_EQ(recorder_.entries.back().outcome, Outcome::done);
}

TEST_F(ResolveTest, MetricsTellWhatResolvesCameTo) {
  const auto count_of = [this](const std::string& result) {
    const std::string line = "strongroom_resolve_seconds_count{result=\"" + result + "\"} ";
    const std::string text = registry_.text();
    return text.substr(text.find(line) + line.size(), 1);
  };
  const PublicToken token = add();
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  ASSERT_TRUE(resolve(token, ask("pay_2")));
  ASSERT_TRUE(resolve(token, ask("pay_3", "acc_1", "token_1")));
  EXPECT_FALSE(resolve(token, ask("pay_4"), caller("mer_b")));
  stored_cards_.problem = wire::Problem{ProblemType::service_unavailable, "no answer"};
  EXPECT_FALSE(resolve(token, ask("pay_5", "acc_2")));
  recorder_.refuse(true);
  EXPECT_FALSE(resolve(token, ask("pay_6")));
  EXPECT_EQ(count_of("created"), "2");
  EXPECT_EQ(count_of("cached"), "1");
  EXPECT_EQ(count_of("refused"), "1");
  EXPECT_EQ(count_of("unknown"), "1");
  EXPECT_EQ(count_of("unavailable"), "1");
  EXPECT_THAT(registry_.text(), HasSubstr("strongroom_processor_tokens_stale_total 1"));
}

TEST_F(ResolveTest, NothingOfTheProcessorStandsInClear) {
  const PublicToken token = add("", R"(,"usage_limit":9)");
  ASSERT_TRUE(resolve(token, ask("pay_1")));
  for (const char* sql : {"SELECT hex(account_key), hex(sealed) FROM processor_tokens",
                          "SELECT hex(payment_key) FROM token_uses"}) {
    for (const storage::Row& row : rows(sql)) {
      for (const storage::Value& value : row) {
        for (const char* clear : {"token_1", "acc_1", "pay_1"}) {
          EXPECT_THAT(std::string(*value.text()), Not(HasSubstr(hex(as_bytes(clear)))));
        }
      }
    }
  }
}

}  // namespace
}  // namespace strongroom::cde
