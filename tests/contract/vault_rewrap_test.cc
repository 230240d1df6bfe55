// After a rotation the DEK of every card comes under the new version, whatever is killed, away or
// tampered with meanwhile; and nothing is said to be empty that is not.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cde/vault/rewrap_job.h"
#include "contract/each_database.h"
#include "contract/vault_fixture.h"

namespace strongroom::cde {
namespace {

using Fate = LossyDatabase::Fate;

constexpr KeyName kKek = KeyName::pan_encryption;
constexpr KeyKeeper::Waits kNoWaits{.beat = std::chrono::milliseconds(0),
                                    .dead_after = std::chrono::milliseconds(300),
                                    .begun_ends = std::chrono::milliseconds(0)};
constexpr std::size_t kPage = RewrapJob::kDeksMaxBesideWork;
constexpr std::size_t kCards = 2 * kPage + 6;

// A ring whose HSM can be away.
class LostRing final : public KeyRing {
 public:
  explicit LostRing(KeyRing& inner) : inner_(inner) {}
  async::Task<Result<ProtectedCard>> protect(std::string_view merchant,
                                             std::span<const std::byte> pan_digits,
                                             const SecretBytes& dek, TokenId token) override {
    return inner_.protect(merchant, pan_digits, dek, token);
  }
  async::Task<Result<SecretBytes>> unwrap(const crypto::Sealed& wrapped, TokenId token) override {
    return inner_.unwrap(wrapped, token);
  }
  async::Task<Result<std::vector<Result<crypto::Sealed>>>> rewrap(
      std::span<const WrappedDek> deks) override {
    if (calls_left == 0) co_return fail({ErrorCode::unavailable, "no HSM"});
    --calls_left;
    co_return co_await inner_.rewrap(deks);
  }
  std::uint32_t encryption_version() const override { return inner_.encryption_version(); }
  async::Task<Result<BlindIndex>> blind_index(std::string_view value) override {
    return inner_.blind_index(value);
  }
  std::uint32_t blind_index_version() const override { return inner_.blind_index_version(); }
  bool hsm_answers() const override { return calls_left > 0; }

  int calls_left = 1'000'000;

 private:
  KeyRing& inner_;
};

class RewrapTest : public OnEachDatabase<VaultTest> {
 protected:
  RewrapTest() { start(); }
  ~RewrapTest() override { job_.reset(); }

  // As a vaultd that is started (anew) does.
  void start() {
    job_.reset();
    ring_.reset();
    vault_.reset();
    if (keys_) loop_.run_until_done(keys_->keeper.leave());
    keys_.reset();
    lossy_->fates.clear();
    lossy_->refused_writes = 0;
    keys_ = std::make_unique<OpenKeys>(loop_, *lossy_, *hsm_, random_, clock_, "vaultd", kNoWaits);
    SR_CHECK(loop_.run_until_done(keys_->keeper.start()));
    SR_CHECK(loop_.run_until_done(keys_->keeper.step()));
    make_vault({});
    ring_ = std::make_unique<LostRing>(keys_->ring);
    job_ = std::make_unique<RewrapJob>(RewrapJob::Parts{loop_, *cards_, *ring_, keys_->keeper,
                                                        recorder_, random_, clock_, metrics_});
  }
  std::vector<PublicToken> add(std::size_t count) {
    std::vector<PublicToken> tokens;
    while (tokens.size() < count) {
      std::string number = "424242" + std::to_string(1'000'000'000 + added_++).substr(1);
      number.push_back('0');
      while (!Pan::parse(number)) ++number.back();
      numbers_.push_back(number);
      const auto view = tokenize(request("", "", number));
      SR_CHECK(view);
      tokens.push_back(view->token);
      clock_.now += 1000;  // so the next one's id is a later one
    }
    return tokens;
  }
  // Until everything new is under the next version, and nothing can come under the others.
  void rotate() {
    KeyKeeper& keeper = keys_->keeper;
    SR_CHECK(loop_.run_until_done(keeper.rotate(kKek, "operator")));
    const std::uint32_t next = keeper.records().latest(kKek)->version;
    for (int steps = 0; keeper.records().kek_floor < next || keeper.to_empty().empty(); ++steps) {
      SR_CHECK(steps < 10 && loop_.run_until_done(keeper.step()));
    }
    recorder_.entries.clear();
  }
  Result<bool> step() { return loop_.run_until_done(job_->step()); }
  // A page is one of kDeksMaxBesideWork DEKs.
  Result<bool> small_step() {
    metrics_.count_request();
    return step();
  }
  Result<bool> run() {
    Result<bool> more = true;
    while (more && *more) more = small_step();
    return more;
  }
  std::int64_t under(std::uint32_t version) {
    const auto found = *loop_.run_until_done(
        database_->read({"SELECT CAST(count(*) AS bigint) FROM cards WHERE kek_version = $1",
                         {storage::Value::integer(version)}}));
    return *found.at(0).at(0).integer();
  }
  bool is_emptied(std::uint32_t version) {
    return keys_->keeper.records().find(kKek, version)->emptied_at_us.has_value();
  }
  void expect_all_readable(const std::vector<PublicToken>& tokens) {
    for (const PublicToken& token : tokens) EXPECT_TRUE(look_up(token));
  }
  CardRow row_of(const PublicToken& token) {
    return *loop_.run_until_done(cards_->find_by_token(token.hash()))->card;
  }
  // As somebody does who can write to the database.
  void put_dek(TokenId token, const crypto::Sealed& dek, std::uint32_t version) {
    SR_CHECK(loop_.run_until_done(database_->write(
        {{"UPDATE cards SET wrapped_dek = $2, kek_version = $3 WHERE token_id = $1",
          {storage::Value::id(token), storage::Value::sealed(dek),
           storage::Value::integer(version)}}})));
  }
  std::vector<audit::Entry> told() const {
    std::vector<audit::Entry> told;
    for (const audit::Entry& entry : recorder_.entries) {
      if (entry.event_type == EventType::key_rewrap) told.push_back(entry);
    }
    return told;
  }

  std::unique_ptr<LostRing> ring_;
  std::unique_ptr<RewrapJob> job_;
  std::vector<std::string> numbers_;
  std::size_t added_ = 0;
};

TEST_P(RewrapTest, EveryDekMovesAndNothingElseDoes) {
  const std::vector<PublicToken> tokens = add(kCards);
  EXPECT_FALSE(*step()) << "without a rotation there is nothing to do";
  EXPECT_TRUE(job_->progress().versions.empty());
  const auto sealed = rows("SELECT card_sealed, operation_id FROM cards ORDER BY token_id");
  rotate();
  EXPECT_EQ(job_->progress().versions, std::vector<std::uint32_t>{1});
  ASSERT_TRUE(run());
  EXPECT_EQ(under(1), 0);
  EXPECT_EQ(under(2), static_cast<std::int64_t>(kCards));
  EXPECT_EQ(rows("SELECT card_sealed, operation_id FROM cards ORDER BY token_id"), sealed);
  for (const PublicToken& token : tokens) EXPECT_EQ(row_of(token).wrapped_dek.key_version(), 2U);
  expect_all_readable(tokens);
  EXPECT_TRUE(is_emptied(1));
  EXPECT_TRUE(keys_->keeper.to_empty().empty());
  EXPECT_FALSE(*run());
  EXPECT_TRUE(job_->progress().versions.empty());
}

TEST_P(RewrapTest, TheLogTellsTheCountAndThatNoneIsLeft) {
  add(kCards);
  rotate();
  ASSERT_TRUE(run());
  const std::vector<audit::Entry> entries = told();
  ASSERT_EQ(entries.size(), 3U);
  const std::string old = "strongroom/pan-encryption/1";
  EXPECT_EQ(entries[0].phase, Phase::intent);
  EXPECT_EQ(entries[0].resources, (std::vector{old, std::string("strongroom/pan-encryption/2")}));
  EXPECT_EQ(entries[0].merchant_id, "");
  EXPECT_EQ(entries[1].operation_id, entries[0].operation_id);
  EXPECT_EQ(entries[1].outcome, Outcome::done);
  EXPECT_EQ(entries[1].count, kCards);
  EXPECT_EQ(entries[2].phase, Phase::single);
  EXPECT_EQ(entries[2].outcome, Outcome::success);
  EXPECT_EQ(entries[2].resources, std::vector{old});
  EXPECT_EQ(entries[2].count, 0U);
}

TEST_P(RewrapTest, WhereNothingStandsUnderItThatIsAllThereIsToTell) {
  rotate();
  ASSERT_TRUE(run());
  ASSERT_EQ(told().size(), 1U);
  EXPECT_EQ(told()[0].count, 0U);
  EXPECT_TRUE(is_emptied(1));
}

TEST_P(RewrapTest, SeveralVersionsAreEmptiedAtOnce) {
  std::vector<PublicToken> tokens = add(kPage + 1);
  rotate();
  tokens.push_back(add(1).front());
  rotate();
  EXPECT_EQ(job_->progress().versions, (std::vector<std::uint32_t>{1, 2}));
  ASSERT_TRUE(run());
  EXPECT_EQ(under(3), static_cast<std::int64_t>(tokens.size()));
  EXPECT_TRUE(is_emptied(1) && is_emptied(2));
  expect_all_readable(tokens);
}

// While the write of a page is under way: one card of it is erased, one gets a new expiry.
TEST_P(RewrapTest, WhatChangesMeanwhileIsNotLost) {
  std::vector<PublicToken> tokens = add(kCards);
  rotate();
  ASSERT_FALSE(job_->progress().left);
  ASSERT_TRUE(small_step());  // counts
  lossy_->fates = {Fate::held};
  const auto lost = small_step();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code(), ErrorCode::unknown_outcome);
  ASSERT_TRUE(erase(tokens[0]));
  const std::string newer =
      R"({"card":{"number":")" + numbers_[1] + R"(","exp_month":11,"exp_year":2034}})";
  auto parsed = parse_token_request(as_bytes(newer), {Profile::demo, clock_.now_us()});
  ASSERT_TRUE(parsed);
  const auto replaced = tokenize(*std::move(parsed));
  ASSERT_TRUE(replaced);
  EXPECT_EQ(replaced->token.text(), tokens[1].text());
  ASSERT_TRUE(loop_.run_until_done(lossy_->let_go()));
  const PublicToken gone = std::move(tokens[0]);
  tokens.erase(tokens.begin());
  const auto left = rows("SELECT wrapped_dek, kek_version FROM cards WHERE deleted_at IS NOT NULL");
  ASSERT_EQ(left.size(), 1U);
  EXPECT_TRUE(left[0][0].is_null()) << "an erased card has its DEK back";
  EXPECT_TRUE(left[0][1].is_null());
  ASSERT_TRUE(run());
  EXPECT_EQ(look_up(gone).error().type, ProblemType::token_deleted);
  EXPECT_EQ(look_up(tokens[0])->expiry.year(), 2034);
  expect_all_readable(tokens);
  EXPECT_EQ(under(2), static_cast<std::int64_t>(tokens.size()));
  EXPECT_TRUE(is_emptied(1));
}

// Of a vaultd that was frozen, and sends its write when the rows are under yet another version:
// they would be lost with the one in between.
TEST_P(RewrapTest, AWriteThatComesLateDoesNotBringAnEmptiedVersionBack) {
  const std::vector<PublicToken> tokens = add(3);
  rotate();
  const auto page = loop_.run_until_done(cards_->old_deks({.after = {},
                                                           .last = row_of(tokens[2]).token_id,
                                                           .version_max = 1,
                                                           .rows_max = 10,
                                                           .deks_max = 10}));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->deks.size(), 3U);
  std::vector<WrappedDek> wrapped;
  for (const auto& dek : page->deks) wrapped.push_back({dek.token, *dek.wrapped});
  auto under_2 = loop_.run_until_done(keys_->ring.rewrap(wrapped));
  ASSERT_TRUE(under_2);
  std::vector<CardStore::MovedDek> late;
  for (std::size_t i = 0; i < 3; ++i) {
    late.push_back({page->deks[i].token, page->deks[i].version, *std::move((*under_2)[i])});
  }
  ASSERT_TRUE(run());
  rotate();
  ASSERT_TRUE(run());
  ASSERT_TRUE(is_emptied(2));
  EXPECT_EQ(*loop_.run_until_done(cards_->move_deks(std::move(late))), 0U);
  EXPECT_EQ(under(3), 3);
  expect_all_readable(tokens);
}

TEST_P(RewrapTest, KilledAtEachWriteItGoesOn) {
  const std::vector<PublicToken> tokens = add(kCards);
  const std::array fates{Fate::refused, Fate::held, Fate::disk_full};
  std::uint32_t version = 1;
  for (std::size_t at = 0; at < 4; ++at) {
    for (const Fate fate : fates) {
      rotate();
      const std::uint32_t old = version++;
      lossy_->fates = std::vector(at, Fate::passes);
      lossy_->fates.push_back(fate);
      if (at == 3) lossy_->refused_writes = 1;  // of the registry
      const Result<bool> killed = run();
      ASSERT_FALSE(killed) << at;
      EXPECT_FALSE(is_emptied(old));
      const auto intent = std::ranges::find(recorder_.entries, Phase::intent, &audit::Entry::phase);
      ASSERT_NE(intent, recorder_.entries.end());
      recorder_.open = {*intent};
      recorder_.entries.clear();
      start();
      if (fate == Fate::held && at < 3) SR_CHECK(loop_.run_until_done(lossy_->let_go()));
      ASSERT_TRUE(loop_.run_until_done(vault_->close_open_intents()));
      ASSERT_EQ(recorder_.entries.size(), 1U);
      EXPECT_EQ(recorder_.entries[0].outcome, Outcome::not_done);
      ASSERT_TRUE(loop_.run_until_done(keys_->keeper.step()));
      ASSERT_TRUE(run());
      EXPECT_EQ(under(version), static_cast<std::int64_t>(kCards));
      EXPECT_TRUE(is_emptied(old));
      expect_all_readable(tokens);
    }
  }
  EXPECT_EQ(*loop_.run_until_done(keys_->keeper.outcome_of(recorder_.open[0])), Outcome::done);
}

TEST_P(RewrapTest, ItWaitsForWhatIsAwayAndGoesOn) {
  const std::vector<PublicToken> tokens = add(kCards);
  rotate();
  recorder_.refuse(true);
  ASSERT_FALSE(run()) << "nothing may be moved that is not told";
  EXPECT_EQ(under(1), static_cast<std::int64_t>(kCards));
  recorder_.refuse(false);
  ring_->calls_left = static_cast<int>(kPage / RewrapJob::kSlice) + 2;
  const auto no_hsm = run();
  ASSERT_FALSE(no_hsm);
  EXPECT_EQ(no_hsm.error().code(), ErrorCode::unavailable);
  EXPECT_EQ(job_->progress().moved, kPage);
  ring_->calls_left = 1000;
  lossy_->fates = {Fate::disk_full};
  ASSERT_FALSE(run());
  ASSERT_TRUE(run());
  EXPECT_EQ(under(2), static_cast<std::int64_t>(kCards));
  expect_all_readable(tokens);
  EXPECT_EQ(told().size(), 3U) << "one run for the log";
  EXPECT_EQ(told()[1].count, kCards);
}

TEST_P(RewrapTest, ACardThatDoesNotOpenKeepsTheVersionAndNoOtherCard) {
  const std::vector<PublicToken> tokens = add(kCards);
  const CardRow swapped = row_of(tokens[0]), other = row_of(tokens[1]);
  put_dek(swapped.token_id, other.wrapped_dek, 1);
  const CardRow broken = row_of(tokens[kPage + 1]);
  SR_CHECK(loop_.run_until_done(
      database_->write({{"UPDATE cards SET wrapped_dek = token_hash WHERE token_id = $1",
                         {storage::Value::id(broken.token_id)}}})));
  rotate();
  ::testing::internal::CaptureStderr();
  const auto more = run();
  const std::string log = ::testing::internal::GetCapturedStderr();
  ASSERT_TRUE(more);
  EXPECT_FALSE(*more) << "it rests";
  for (const TokenId& token : {swapped.token_id, broken.token_id}) {
    EXPECT_NE(log.find(uuid_text(token.bytes)), std::string::npos) << log;
  }
  EXPECT_EQ(job_->failed(), 2U);
  EXPECT_EQ(job_->progress().failed, 2U);
  EXPECT_EQ(under(1), 2);
  EXPECT_EQ(under(2), static_cast<std::int64_t>(kCards - 2));
  ASSERT_EQ(told().size(), 2U);
  EXPECT_EQ(told()[1].outcome, Outcome::not_done);
  EXPECT_EQ(told()[1].count, kCards - 2);
  ASSERT_FALSE(*run());
  EXPECT_EQ(told().size(), 2U) << "nothing was moved, and nothing is new";
  EXPECT_FALSE(is_emptied(1));

  put_dek(swapped.token_id, swapped.wrapped_dek, 1);
  put_dek(broken.token_id, broken.wrapped_dek, 1);
  ASSERT_TRUE(run());
  EXPECT_TRUE(is_emptied(1));
  EXPECT_EQ(job_->failed(), 0U);
  expect_all_readable(tokens);
}

// Behind the place to which the pass has come.
TEST_P(RewrapTest, ARowThatCameLateIsFound) {
  const std::vector<PublicToken> tokens = add(kCards);
  const CardRow late = row_of(tokens[0]);
  rotate();
  ASSERT_TRUE(small_step());
  ASSERT_TRUE(small_step());
  EXPECT_EQ(under(2), static_cast<std::int64_t>(kPage));
  put_dek(late.token_id, late.wrapped_dek, 1);
  ASSERT_TRUE(run());
  EXPECT_EQ(under(1), 0);
  EXPECT_TRUE(is_emptied(1));
  expect_all_readable(tokens);
}

// Nobody waits for what a destroyed version still protects.
TEST_P(RewrapTest, WhatStandsUnderAnUnknownVersionKeepsNothing) {
  const std::vector<PublicToken> tokens = add(2);
  const CardRow unknown = row_of(tokens[0]);
  put_dek(unknown.token_id, row_of(tokens[1]).wrapped_dek, 0);
  rotate();
  ASSERT_TRUE(run());
  EXPECT_EQ(job_->failed(), 0U);
  EXPECT_TRUE(is_emptied(1));
}

TEST_P(RewrapTest, BesideRequestsItTakesSmallPages) {
  add(kCards);
  rotate();
  ASSERT_TRUE(small_step());
  ASSERT_TRUE(small_step());
  EXPECT_EQ(job_->progress().moved, kPage);
  EXPECT_EQ(job_->progress().done, kPage);
  loop_.run_until_done(loop_.sleep_for(RewrapJob::kQuiet));
  ASSERT_TRUE(step());
  EXPECT_EQ(job_->progress().moved, kCards);
}

TEST_P(RewrapTest, WithNothingElseToDoTheNextPageIsWrappedWhileOneIsWritten) {
  constexpr int kCalls = RewrapJob::kDeksMax / RewrapJob::kSlice;  // for a page
  const std::vector<PublicToken> tokens = add(kPage + RewrapJob::kDeksMax + 6);
  rotate();
  ASSERT_TRUE(small_step());  // counts
  ASSERT_TRUE(small_step());
  loop_.run_until_done(loop_.sleep_for(RewrapJob::kQuiet));
  const int before = ring_->calls_left;
  lossy_->fates = {Fate::disk_full};
  ASSERT_FALSE(step());
  EXPECT_EQ(ring_->calls_left, before - kCalls - 1);
  EXPECT_EQ(job_->progress().moved, kPage);
  EXPECT_EQ(job_->progress().done, kPage) << "what was wrapped ahead is not written alone";
  ring_->calls_left = kCalls;
  ASSERT_FALSE(step()) << "the HSM is away for the second page";
  EXPECT_EQ(job_->progress().moved, kPage + RewrapJob::kDeksMax);
  ring_->calls_left = 1;
  ASSERT_TRUE(step());
  EXPECT_EQ(job_->progress().moved, tokens.size());
  ring_->calls_left = 1000;
  ASSERT_TRUE(run());
  EXPECT_EQ(under(2), static_cast<std::int64_t>(tokens.size()));
  EXPECT_TRUE(is_emptied(1));
  expect_all_readable(tokens);
}

TEST_P(RewrapTest, OneThatIsStoppedSaysHowFarItCame) {
  add(kCards);
  rotate();
  ASSERT_TRUE(small_step());
  ASSERT_TRUE(small_step());
  job_->stop();
  ASSERT_EQ(told().size(), 2U);
  EXPECT_EQ(told()[1].outcome, Outcome::not_done);
  EXPECT_EQ(told()[1].count, kPage);
}

TEST_P(RewrapTest, ItRunsByItself) {
  const std::vector<PublicToken> tokens = add(kCards);
  async::spawn(job_->run());
  rotate();
  for (int i = 0; i < 1000 && !is_emptied(1); ++i) {
    loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(10)));
  }
  EXPECT_TRUE(is_emptied(1));
  job_->stop();
  loop_.run_until_done(loop_.sleep_for(RewrapJob::kStep + std::chrono::milliseconds(100)));
  expect_all_readable(tokens);
}

INSTANTIATE_TEST_SUITE_P(Databases, RewrapTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& of) { return std::string(of.param); });

}  // namespace
}  // namespace strongroom::cde
