#include "connected/auth/authority.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "connected/auth/testing/fixture.h"

namespace strongroom::connected::auth {
namespace {

using audit::EventType;
using audit::Outcome;
using audit::Phase;
using wire::ProblemType;

class AuthorityTest : public testing::AuthTest {
 protected:
  // An intent of an earlier run.
  audit::Entry open_intent(EventType type, const std::string& object) {
    audit::Entry entry;
    entry.uid = crypto::new_entry_id(random_, clock_);
    entry.operation_id = crypto::new_operation_id(random_, clock_);
    entry.event_type = type;
    entry.phase = Phase::intent;
    entry.resources = {object};
    recorder_.open.push_back(entry);
    return entry;
  }
  Outcome outcome_of_operation(const audit::Entry& intent) {
    for (const audit::Entry& entry : recorder_.entries) {
      if (entry.phase == Phase::outcome && entry.operation_id == intent.operation_id) {
        return entry.outcome;
      }
    }
    return Outcome::none;
  }
};

TEST_F(AuthorityTest, CreateMerchantIsIntentThenOutcome) {
  const Merchant merchant = make_merchant("Shop");
  EXPECT_TRUE(is_public_id(merchant.id, kMerchantPrefix));
  ASSERT_EQ(recorder_.entries.size(), 2u);
  const audit::Entry& intent = recorder_.entries[0];
  EXPECT_EQ(intent.phase, Phase::intent);
  EXPECT_EQ(intent.event_type, EventType::merchant_create);
  EXPECT_EQ(intent.merchant_id, merchant.id);
  EXPECT_EQ(intent.user, "uid:0");
  EXPECT_EQ(recorder_.entries[1].phase, Phase::outcome);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::done);
  EXPECT_EQ(recorder_.entries[1].operation_id, intent.operation_id);
  const auto stored = wait(directory_->merchant(merchant.id));
  ASSERT_TRUE(stored && stored->has_value());
  EXPECT_EQ((*stored)->name, "Shop");
}

TEST_F(AuthorityTest, NoAuditNoAct) {
  const Merchant merchant = make_merchant();
  const CreatedKey key = make_key(merchant.id);
  recorder_.available = false;
  const auto other = wait(authority_->create_merchant(actor_, "Other"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().type, ProblemType::audit_unavailable);
  const auto more = wait(authority_->create_key(actor_, {.merchant = merchant.id, .name = "x"}));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().type, ProblemType::audit_unavailable);
  const auto revoked = wait(authority_->revoke_key(actor_, key.key.id, std::nullopt));
  ASSERT_FALSE(revoked);
  EXPECT_EQ(revoked.error().type, ProblemType::audit_unavailable);

  const auto merchants = wait(directory_->merchants(""));
  ASSERT_TRUE(merchants);
  EXPECT_EQ(merchants->items.size(), 1u);
  const auto keys = wait(directory_->keys(merchant.id, ""));
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->items.size(), 1u);
  EXPECT_FALSE(keys->items[0].revoked_at_us);
}

TEST_F(AuthorityTest, KeyIsOfAKnownMerchantOnly) {
  const auto made = wait(
      authority_->create_key(actor_, {.merchant = "mer_" + std::string(26, 'a'), .name = "x"}));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ProblemType::not_found);
  EXPECT_TRUE(recorder_.entries.empty());
}

TEST_F(AuthorityTest, KeyTextIsNotStoredAnywhere) {
  const CreatedKey key = make_key(make_merchant().id);
  close_database();
  const std::string secret = std::string(as_text(key.text.reveal())).substr(kKeyPrefixSize);
  for (const auto& file : std::filesystem::directory_iterator(folder_.path())) {
    std::ifstream stream(file.path(), std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(stream)), {});
    EXPECT_EQ(content.find(secret), std::string::npos) << file.path();
  }
}

TEST_F(AuthorityTest, RevokeIsAuditedOnceAndKeepsItsTime) {
  const CreatedKey key = make_key(make_merchant().id);
  recorder_.entries.clear();
  const auto revoked = wait(authority_->revoke_key(actor_, key.key.id, key.key.merchant));
  ASSERT_TRUE(revoked);
  ASSERT_TRUE(revoked->revoked_at_us);
  ASSERT_EQ(recorder_.entries.size(), 2u);
  EXPECT_EQ(recorder_.entries[0].event_type, EventType::api_key_revoke);
  EXPECT_EQ(recorder_.entries[0].resources, std::vector<std::string>{key.key.id});
  clock_.now += 5'000'000;
  const auto again = wait(authority_->revoke_key(actor_, key.key.id, std::nullopt));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->revoked_at_us, revoked->revoked_at_us);
  EXPECT_EQ(recorder_.entries.size(), 2u);
}

TEST_F(AuthorityTest, RevokeDoesNotReachAnotherMerchantsKey) {
  const CreatedKey key = make_key(make_merchant("One").id);
  const Merchant other = make_merchant("Two");
  const auto revoked = wait(authority_->revoke_key(actor_, key.key.id, other.id));
  ASSERT_FALSE(revoked);
  EXPECT_EQ(revoked.error().type, ProblemType::not_found);
  const auto unknown = wait(authority_->revoke_key(actor_, "key_none", std::nullopt));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().type, ProblemType::not_found);
}

TEST_F(AuthorityTest, DatabaseLossIsClosedAsNotDone) {
  const Merchant merchant = make_merchant();
  recorder_.entries.clear();
  close_database();
  const auto made = wait(authority_->create_merchant(actor_, "Late"));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ProblemType::database_unavailable);
  ASSERT_EQ(recorder_.entries.size(), 2u);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::not_done);
}

TEST_F(AuthorityTest, RecoverClosesIntentsByWhatTheDatabaseShows) {
  const Merchant merchant = make_merchant();
  const CreatedKey living = make_key(merchant.id);
  const CreatedKey dead = make_key(merchant.id);
  ASSERT_TRUE(wait(authority_->revoke_key(actor_, dead.key.id, std::nullopt)));
  recorder_.entries.clear();
  const struct {
    audit::Entry intent;
    Outcome expected;
  } rows[] = {{open_intent(EventType::merchant_create, merchant.id), Outcome::done},
              {open_intent(EventType::merchant_create, "mer_none"), Outcome::not_done},
              {open_intent(EventType::api_key_create, living.key.id), Outcome::done},
              {open_intent(EventType::api_key_create, "key_none"), Outcome::not_done},
              {open_intent(EventType::api_key_revoke, dead.key.id), Outcome::done},
              {open_intent(EventType::api_key_revoke, living.key.id), Outcome::not_done},
              {open_intent(EventType::api_key_revoke, "key_none"), Outcome::not_done}};
  ASSERT_TRUE(wait(authority_->recover()));
  EXPECT_EQ(recorder_.entries.size(), std::size(rows));
  for (const auto& row : rows) EXPECT_EQ(outcome_of_operation(row.intent), row.expected);
}

TEST_F(AuthorityTest, RecoverFailsWhileTheDatabaseIsGone) {
  open_intent(EventType::merchant_create, "mer_none");
  close_database();
  const auto recovered = wait(authority_->recover());
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code(), ErrorCode::unavailable);
  EXPECT_TRUE(recorder_.entries.empty());
}

// Its connection is lost while the server works on: what was sent commits later.
class LateDatabase final : public storage::Database {
 public:
  explicit LateDatabase(storage::Database& real) : real_(real) {}
  async::Task<Result<storage::Rows>> read(storage::Statement statement) override {
    if (commit_before_read-- == 0) {
      const auto committed = co_await real_.write(std::move(sent_));
      SR_CHECK(committed.has_value());
    }
    co_return co_await real_.read(std::move(statement));
  }
  async::Task<Result<std::vector<storage::Rows>>> write(
      std::vector<storage::Statement> statements) override {
    sent_ = std::move(statements);
    co_return fail(answer);
  }
  async::Task<Result<storage::Rows>> read_many(storage::ManyStatement) override {
    co_return fail({ErrorCode::unavailable, "not used"});
  }
  async::Task<Result<std::vector<storage::Rows>>> write_many(
      std::vector<storage::ManyStatement>) override {
    co_return fail({ErrorCode::unavailable, "not used"});
  }
  async::Task<Result<bool>> has_open_for(std::chrono::milliseconds) override { co_return false; }
  [[nodiscard]] bool ready() const override { return true; }
  [[nodiscard]] bool has_room() const override { return true; }
  async::Task<void> close() override { co_return; }

  Error answer{ErrorCode::unknown_outcome, "the connection was lost"};
  int commit_before_read = -1;  // counted down by reads

 private:
  storage::Database& real_;
  std::vector<storage::Statement> sent_;
};

class LateCommitTest : public AuthorityTest {
 protected:
  static constexpr std::chrono::milliseconds kLag{100};
  Authority make_authority() {
    return Authority({.loop = loop_,
                      .directory = late_directory_,
                      .recorder = recorder_,
                      .random = random_,
                      .clock = clock_,
                      .profile = Profile::demo,
                      .commit_lag_max = kLag});
  }
  async::Task<void> settled() {
    for (int i = 0; i < 500 && recorder_.entries.size() < 2; ++i) {
      co_await loop_.sleep_for(std::chrono::milliseconds(10));
    }
  }
  LateDatabase late_{*database_};
  Directory late_directory_{late_};
};

TEST_F(LateCommitTest, LostAnswerIsNotCalledUndoneWhileItMayCommit) {
  Authority authority = make_authority();
  late_.commit_before_read = 1;  // after the first look
  const auto made = wait(authority.create_merchant(actor_, "Late"));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ProblemType::outcome_unknown);
  ASSERT_EQ(recorder_.entries.size(), 1u) << "only the intent";
  wait(settled());
  ASSERT_EQ(recorder_.entries.size(), 2u);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::done);
}

TEST_F(LateCommitTest, FullDiskIsToldFromAnAbsentDatabase) {
  Authority authority = make_authority();
  late_.answer = storage::kDiskFull;
  const auto made = wait(authority.create_merchant(actor_, "Late"));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().type, ProblemType::disk_unavailable);
  ASSERT_EQ(recorder_.entries.size(), 2u);
  EXPECT_EQ(recorder_.entries[1].outcome, Outcome::not_done);
}

TEST_F(LateCommitTest, RecoverLooksAgainBeforeItSaysNotDone) {
  const Merchant merchant = make_merchant();
  const std::string id = "mer_" + std::string(26, 'b');
  recorder_.entries.clear();
  Authority authority = make_authority();
  ASSERT_FALSE(wait(late_directory_.add_merchant({.id = id, .name = "Late", .created_at_us = 1})));
  late_.commit_before_read = 1;
  const audit::Entry late = open_intent(EventType::merchant_create, id);
  const audit::Entry never = open_intent(EventType::merchant_create, "mer_none");
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(wait(authority.recover()));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, kLag / 2);
  EXPECT_EQ(outcome_of_operation(late), Outcome::done);
  EXPECT_EQ(outcome_of_operation(never), Outcome::not_done);
}

TEST_F(LateCommitTest, RecoverGivesUpWhenStopped) {
  Authority authority = make_authority();
  open_intent(EventType::merchant_create, "mer_none");
  authority.stop();
  EXPECT_FALSE(wait(authority.recover()));
  EXPECT_TRUE(recorder_.entries.empty());
}

TEST_F(AuthorityTest, PagesCoverEverythingOnce) {
  std::set<std::string> made;
  for (std::size_t i = 0; i < kPageSizeMax + 3; ++i) made.insert(make_merchant("M").id);
  std::set<std::string> seen;
  const auto first = wait(directory_->merchants(""));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->items.size(), kPageSizeMax);
  EXPECT_TRUE(first->more);
  const auto second = wait(directory_->merchants(first->items.back().id));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->items.size(), 3u);
  EXPECT_FALSE(second->more);
  for (const auto& page : {*first, *second}) {
    for (const Merchant& merchant : page.items) EXPECT_TRUE(seen.insert(merchant.id).second);
  }
  EXPECT_EQ(seen, made);
}

TEST_F(AuthorityTest, KeysAreListedPerMerchant) {
  const Merchant one = make_merchant("One");
  const Merchant two = make_merchant("Two");
  const CreatedKey key = make_key(one.id, Role::merchant_user);
  const auto ones = wait(directory_->keys(one.id, ""));
  const auto twos = wait(directory_->keys(two.id, ""));
  ASSERT_TRUE(ones && twos);
  ASSERT_EQ(ones->items.size(), 1u);
  EXPECT_EQ(ones->items[0].id, key.key.id);
  EXPECT_EQ(ones->items[0].role, Role::merchant_user);
  EXPECT_EQ(ones->items[0].prefix, key.key.prefix);
  EXPECT_EQ(ones->items[0].created_by, actor_.user);
  EXPECT_TRUE(twos->items.empty());
}

}  // namespace
}  // namespace strongroom::connected::auth
