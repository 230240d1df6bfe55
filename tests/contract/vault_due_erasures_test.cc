// Cards that a restore brings back although they were erased: each goes again, and until then it is
// told that something is due.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "audit/entry_list.h"
#include "cde/vault/due_erasures.h"
#include "contract/each_database.h"
#include "contract/resolve_fixture.h"

namespace strongroom::cde {
namespace {

constexpr std::int64_t kHourUs = 3'600'000'000;
constexpr std::string_view kDue = "SELECT token_hash FROM due_erasures";
constexpr std::string_view kLive = "SELECT token_id FROM cards WHERE deleted_at IS NULL";

// As the tool writes it behind a dump.
class List {
 public:
  void add(const std::string& token, EventType type = EventType::token_delete) {
    crypto::SystemRandom random;
    const SystemClock clock;
    audit::Entry entry;
    entry.uid = crypto::new_entry_id(random, clock);
    entry.operation_id = crypto::new_operation_id(random, clock);
    entry.time_us = clock.now_us();
    entry.event_type = type;
    entry.phase = Phase::intent;
    entry.instance = "vaultd";
    entry.gateway_token = token;
    add_json(audit::to_json(entry));
  }
  void add_json(std::string json) { entries_.push_back(std::move(json)); }
  std::vector<std::byte> bytes() const { return audit::entry_list(entries_); }

 private:
  std::vector<std::string> entries_;
};

Result<std::vector<storage::Statement>> read_list(const std::vector<std::byte>& bytes) {
  std::size_t taken = 0;
  return read_due_erasures([&](std::span<std::byte> out) -> Result<std::size_t> {
    const std::size_t size = std::min(out.size(), bytes.size() - taken);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(taken), size, out.begin());
    taken += size;
    return size;
  });
}

class DueErasuresTest : public OnEachDatabase<ResolveTest> {
 protected:
  void note(const List& list) {
    auto statements = read_list(list.bytes());
    ASSERT_TRUE(statements);
    ASSERT_TRUE(loop_.run_until_done(database_->write(*std::move(statements))));
  }
  Result<std::uint64_t> erase_due() {
    DueErasures due(*database_, *cards_, *vault_, clock_);
    return loop_.run_until_done(due.run());
  }
  std::vector<PublicToken> add(std::size_t count) {
    std::vector<PublicToken> tokens;
    const std::vector<std::string> numbers = alike(count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto made = tokenize(request("", "", numbers[i]), owner(i));
      tokens.push_back(made->token);
    }
    return tokens;
  }
  static Caller owner(std::size_t i) { return caller("mer_" + std::to_string(i / 16)); }
};

TEST_P(DueErasuresTest, WhatIsDueIsErasedAndRecordedForItsMerchant) {
  constexpr std::size_t kCards = 300;  // more than one batch
  const std::vector<PublicToken> tokens = add(kCards);
  List list;
  for (std::size_t i = 2; i < kCards; ++i) list.add(tokens[i].text());
  list.add(tokens[2].text());                       // an intent and its outcome, say
  list.add(PublicToken::generate(random_).text());  // made after the backup
  note(list);
  recorder_.entries.clear();
  const auto erased = erase_due();
  ASSERT_TRUE(erased);
  EXPECT_EQ(*erased, kCards - 1);
  EXPECT_EQ(rows(kLive).size(), 2U);
  EXPECT_TRUE(rows(kDue).empty());
  EXPECT_TRUE(look_up(tokens[0], owner(0)));
  EXPECT_EQ(look_up(tokens[2], owner(2)).error().type, ProblemType::token_deleted);
  std::size_t intents = 0;
  for (const audit::Entry& entry : recorder_.entries) {
    if (entry.phase != Phase::intent) continue;
    ++intents;
    EXPECT_EQ(entry.event_type, EventType::token_delete);
    EXPECT_EQ(entry.operation, "restore");
    EXPECT_TRUE(entry.merchant_id.starts_with("mer_"));
  }
  EXPECT_EQ(intents, kCards - 2);
  expect_balanced();
  EXPECT_EQ(*erase_due(), 0U);
}

TEST_P(DueErasuresTest, ACardWhoseTimeWasOverSaysSoWhereItStillIs) {
  TokenRequest sent = request();
  sent.expires_at_us = clock_.now + kHourUs;
  const PublicToken over = tokenize(std::move(sent))->token;
  const PublicToken staying = tokenize(request("", "", alike(2)[1]))->token;
  clock_.now += 2 * kHourUs;
  List list;
  list.add(over.text(), EventType::token_expire);
  list.add(staying.text(), EventType::token_expire);  // its end was set after the backup
  note(list);
  ASSERT_TRUE(erase_due());
  EXPECT_EQ(look_up(over).error().type, ProblemType::token_expired);
  EXPECT_EQ(look_up(staying).error().type, ProblemType::token_deleted);
}

TEST_P(DueErasuresTest, WhatCannotBeErasedStaysDue) {
  const std::vector<PublicToken> tokens = add(3);
  List list;
  for (const PublicToken& token : tokens) list.add(token.text());
  note(list);
  recorder_.refuse(true);
  const auto failed = erase_due();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::unavailable);
  EXPECT_EQ(rows(kDue).size(), 3U);
  EXPECT_EQ(rows(kLive).size(), 3U);
  recorder_.refuse(false);
  EXPECT_EQ(*erase_due(), 3U);
  EXPECT_TRUE(rows(kLive).empty());
}

TEST_P(DueErasuresTest, AListThatIsNoneIsRefused) {
  List list;
  list.add(PublicToken::generate(random_).text());
  const std::vector<std::byte> whole = list.bytes();
  ASSERT_TRUE(read_list(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(read_list({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}));
  }
  std::vector<std::byte> more = whole;
  more.push_back(std::byte{0});
  EXPECT_FALSE(read_list(more));
  List wrong_type, wrong_token, wrong_json;
  wrong_type.add(PublicToken::generate(random_).text(), EventType::token_lookup);
  wrong_token.add("tok_none");
  wrong_json.add_json("{}");
  for (const List& one : {wrong_type, wrong_token, wrong_json})
    EXPECT_FALSE(read_list(one.bytes()));
}

INSTANTIATE_TEST_SUITE_P(Databases, DueErasuresTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& of) { return std::string(of.param); });

}  // namespace
}  // namespace strongroom::cde
