// The index finds what concerns what is asked for, by every key and by several, page by page, and
// keeps up with the logs also after a restart.
#include "connected/relay/search_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <span>
#include <string>

#include "connected/relay/testing/relay_fixture.h"

namespace strongroom::connected::relay {
namespace {

using audit::EventType;
using testing::kTimeUs;

constexpr std::int64_t kTimeMs = kTimeUs / 1'000;
constexpr std::int64_t kMinuteMs = 60'000;

class SearchIndexTest : public testing::RelayTest {
 protected:
  std::vector<EntryPlace> found(SearchQuery query) {
    if (query.limit == 0) query.limit = 10;
    const auto found = wait(index_->search(std::move(query)));
    SR_CHECK(found.has_value());
    std::vector<EntryPlace> places;
    for (const FoundEntry& entry : *found) places.push_back(entry.place);
    return places;
  }
  static EntryPlace mine(std::uint64_t index) { return {"mer_1-2026", index}; }
  static EntryPlace theirs(std::uint64_t index) { return {"mer_2-2026", index}; }
};

TEST_F(SearchIndexTest, FindsByEachKeyAndByAllOfThem) {
  auto created = folder_.entry("mer_1", EventType::token_create, 0);
  created.gateway_token = "tok_a";
  created.request_id = "r1";
  auto paid = folder_.entry("mer_1", EventType::payment_sale, 1);
  paid.resources = {"pay_1", "tok_a"};
  paid.user = "key_2";
  auto other = folder_.entry("mer_2", EventType::token_create, 2);
  other.gateway_token = "tok_b";
  folder_.append({created, paid, other});
  follow();
  EXPECT_EQ(found({.resource = "tok_a"}), (std::vector{mine(1), mine(0)}));
  EXPECT_EQ(found({.resource = "pay_1"}), std::vector{mine(1)});
  EXPECT_EQ(found({.actor = "key_2"}), std::vector{mine(1)});
  EXPECT_EQ(found({.type = "token.create"}), (std::vector{theirs(0), mine(0)}));
  EXPECT_EQ(found({.request_id = "r1"}), std::vector{mine(0)});
  EXPECT_EQ(found({.from_ms = kTimeMs + kMinuteMs}), (std::vector{theirs(0), mine(1)}));
  EXPECT_EQ(found({.to_ms = kTimeMs + kMinuteMs}), std::vector{mine(0)});
  EXPECT_EQ(
      found({.resource = "tok_a", .actor = "key_1", .type = "token.create", .request_id = "r1"}),
      std::vector{mine(0)});
  EXPECT_TRUE(found({.resource = "tok_a", .actor = "key_2", .request_id = "r1"}).empty());
}

TEST_F(SearchIndexTest, PassesOverWhatIsArchivedAndCountsIt) {
  auto first = folder_.entry("mer_1");
  auto second = folder_.entry("mer_1");
  first.gateway_token = second.gateway_token = "tok_a";
  folder_.append({first, folder_.entry("")});
  folder_.append({second, folder_.entry("mer_2")}, true);
  folder_.archive();
  follow();
  EXPECT_EQ(found({.resource = "tok_a"}), std::vector{mine(1)});
  EXPECT_EQ(found({}), (std::vector{theirs(0), mine(1)})) << "and keeps nothing else";
  const LogSizes unread{{"mer_1-2026", 1}, {"operator-2026", 1}};
  EXPECT_EQ(index_->unread(), unread);
  close();
  open();
  folder_.append({folder_.entry("mer_1")});
  follow();
  EXPECT_EQ(index_->unread(), unread);
  EXPECT_EQ(index_->sizes(),
            (LogSizes{{"mer_1-2026", 3}, {"mer_2-2026", 1}, {"operator-2026", 1}}));
}

TEST_F(SearchIndexTest, AnIndexOfTheFirstSchemaIsTakenOver) {
  const std::string url = "sqlite:" + folder_.directory() + "/../first.db";
  ASSERT_TRUE(storage::migrate_at(url, migrations().first(1)));
  const auto first = *storage::open(loop_, {.url = url});
  std::vector<storage::Statement> rows(3);
  rows[0].sql =
      "INSERT INTO logs (id, name, owner, size) "
      "VALUES (1, 'mer_1-2026', 'mer_1', 3), (2, 'mer_2-2026', 'mer_2', 1), "
      "(3, 'mer_3-2026', 'mer_3', 2)";
  rows[1].sql =
      "INSERT INTO entries (id, log, entry_index, time) "
      "VALUES (1, 1, 0, 0), (2, 1, 1, 0), (3, 1, 2, 7), (4, 2, 0, 8), (5, 3, 0, 0), (6, 3, 1, 0)";
  rows[2].sql = "INSERT INTO terms (term, time, entry, log) VALUES ('actor key_1', 7, 3, 1)";
  ASSERT_TRUE(wait(first->write(std::move(rows))));
  wait(first->close());
  ASSERT_TRUE(storage::migrate_at(url, migrations()));
  const auto second = *storage::open(loop_, {.url = url});
  SearchIndex index(*second);
  ASSERT_TRUE(wait(index.load()));
  EXPECT_EQ(index.sizes(), (LogSizes{{"mer_1-2026", 3}, {"mer_2-2026", 1}, {"mer_3-2026", 2}}));
  EXPECT_EQ(index.unread(), (LogSizes{{"mer_1-2026", 2}, {"mer_3-2026", 2}}));
  const auto found = wait(index.search({.limit = 10}));
  ASSERT_TRUE(found && found->size() == 2);
  EXPECT_EQ((*found)[0].place, theirs(0));
  EXPECT_EQ((*found)[1].place, mine(2));
  const auto by_term = wait(index.search({.actor = "key_1", .limit = 10}));
  ASSERT_TRUE(by_term && by_term->size() == 1);
  EXPECT_EQ((*by_term)[0].place, mine(2));
  wait(second->close());
}

TEST_F(SearchIndexTest, RecordsOfALogAreTheOperatorsBeforeTheEnd) {
  constexpr std::int64_t kMinutesAYear = 527'040;
  auto told = folder_.entry("mer_1");
  told.resources = {"test.example/auditd/mer_1/2026"};
  folder_.append({folder_.entry("mer_1")});
  auto next_year = folder_.record_of("mer_1-2026", kMinutesAYear);
  folder_.append({folder_.record_of("mer_1-2026", 0), folder_.record_of("mer_1-2026", 2), told,
                  folder_.record_of("mer_1-2026", 2), next_year});
  follow();
  const auto records = [&](std::string log, std::uint64_t end, std::int64_t until_ms) {
    std::string origin = "test.example/auditd/mer_1/2026";
    EntryPlace place{std::move(log), end};
    const auto found = wait(index_->records_of(std::move(origin), std::move(place), until_ms, 8));
    SR_CHECK(found.has_value());
    std::vector<EntryPlace> places;
    for (const FoundEntry& entry : *found) places.push_back(entry.place);
    return places;
  };
  constexpr std::int64_t kAnyTime = std::numeric_limits<std::int64_t>::max();
  const auto at = [](std::uint64_t index) { return EntryPlace{"operator-2026", index}; };
  EXPECT_EQ(records("operator-2026", 3, kAnyTime), (std::vector{at(2), at(1), at(0)}));
  EXPECT_EQ(records("operator-2026", 2, kAnyTime), (std::vector{at(1), at(0)}));
  EXPECT_EQ(records("operator-2026", 3, kTimeMs + 2 * kMinuteMs), std::vector{at(0)});
  EXPECT_EQ(records("operator-2027", 1, kAnyTime), (std::vector<EntryPlace>{{"operator-2027", 0}}));
  EXPECT_TRUE(records("operator-2025", 1, kAnyTime).empty());
}

TEST_F(SearchIndexTest, OwnersSeeTheirOwnAlone) {
  auto first = folder_.entry("mer_1");
  auto second = folder_.entry("mer_2");
  first.gateway_token = second.gateway_token = "tok_same";
  folder_.append({first, second, folder_.entry("")});
  follow();
  EXPECT_EQ(found({.owner = "mer_1"}), std::vector{mine(0)});
  EXPECT_EQ(found({.owner = "mer_2", .resource = "tok_same"}), std::vector{theirs(0)});
  EXPECT_EQ(found({.owner = "mer_2", .type = "token.create"}), std::vector{theirs(0)});
  EXPECT_EQ(found({.owner = "mer_2", .actor = "key_1"}), std::vector{theirs(0)});
  EXPECT_EQ(found({.owner = "operator"}), (std::vector<EntryPlace>{{"operator-2026", 0}}));
  EXPECT_TRUE(found({.owner = "mer"}).empty());
  EXPECT_TRUE(found({.owner = ""}).empty());
  EXPECT_TRUE(found({.owner = "", .resource = "tok_same"}).empty());
}

TEST_F(SearchIndexTest, PagesMeetWithoutGapAndRepetition) {
  std::vector<audit::Entry> entries;
  for (int i = 0; i < 25; ++i)
    entries.push_back(folder_.entry("mer_1", EventType::token_create, i / 7));
  folder_.append(entries);
  follow();
  for (const bool by_term : {false, true}) {
    SearchQuery query{.limit = 4};
    if (by_term) query.owner = "mer_1";
    std::vector<std::uint64_t> indexes;
    for (;;) {
      const auto page = wait(index_->search(query));
      ASSERT_TRUE(page);
      if (page->empty()) break;
      for (const FoundEntry& entry : *page) indexes.push_back(entry.place.index);
      query.before = page->back().at;
    }
    ASSERT_EQ(indexes.size(), 25);
    EXPECT_TRUE(std::ranges::is_sorted(indexes, std::greater{}));
  }
}

// Over more blocks of the index than it looks at in one go. Their times overlap, as do those of
// logs that it comes to one after the other.
TEST_F(SearchIndexTest, FindsInEveryBlockWhatALookAtEachEntryFinds) {
  constexpr std::int64_t kEntries = 50'000;
  constexpr std::int64_t kTimes = 40;
  std::mt19937 dice(1);
  const auto one_of = [&](unsigned count) { return std::to_string(dice() % count); };
  std::vector<IndexedEntry> all;
  LogSizes sizes;
  for (std::int64_t i = 0; i < kEntries; ++i) {
    const std::string owner = "mer_" + one_of(2);
    const std::string log = owner + "-2026";
    all.push_back({.place = {log, sizes[log]++},
                   .time_ms = 1 + i % (kEntries / 2) * kTimes / kEntries + i * 8 / kEntries,
                   .terms = {"actor " + one_of(3), "owner " + owner, "resource " + one_of(2'000)}});
  }
  constexpr std::size_t kBatch = 999;
  for (std::size_t begin = 0; begin < all.size(); begin += kBatch) {
    const std::span batch = std::span(all).subspan(begin, std::min(kBatch, all.size() - begin));
    ASSERT_TRUE(wait(index_->add({batch.begin(), batch.end()})));
  }
  std::vector<std::pair<std::int64_t, const IndexedEntry*>> newest_first;
  for (const IndexedEntry& entry : all) newest_first.emplace_back(entry.time_ms, &entry);
  std::ranges::sort(newest_first, std::greater());  // of one time, the last of them first
  for (int round = 0; round < 20; ++round) {
    SearchQuery query{.from_ms = static_cast<std::int64_t>(dice() % kTimes),
                      .limit = 1 + dice() % 2'000};
    query.to_ms = query.from_ms + 1 + static_cast<std::int64_t>(dice() % kTimes);
    std::vector<std::string> terms;
    if (dice() % 2 != 0) terms.push_back("actor " + (query.actor = one_of(3)));
    if (dice() % 2 != 0) terms.push_back("owner " + *(query.owner = "mer_" + one_of(2)));
    if (dice() % 2 != 0) terms.push_back("resource " + (query.resource = one_of(2'000)));
    std::vector<EntryPlace> expected;
    for (const auto& [time, entry] : newest_first) {
      const bool in_time = time >= query.from_ms && time < query.to_ms;
      if (in_time && std::ranges::includes(entry->terms, terms)) expected.push_back(entry->place);
    }
    std::vector<EntryPlace> got;
    for (bool may_be_more = true; may_be_more;) {
      const auto page = wait(index_->search(query));
      ASSERT_TRUE(page);
      for (const FoundEntry& entry : *page) got.push_back(entry.place);
      may_be_more = page->size() == query.limit;
      if (may_be_more) query.before = page->back().at;
    }
    ASSERT_TRUE(got == expected) << "round " << round << ": " << got.size() << " of "
                                 << expected.size();
  }
}

TEST_F(SearchIndexTest, ASearchEndsWhenItTakesTooLong) {
  folder_.append({folder_.entry("mer_1")});
  follow();
  SearchIndex hasty(*database_, std::chrono::milliseconds(0));
  ASSERT_TRUE(wait(hasty.load()));
  const auto found = wait(hasty.search({.actor = "key_1", .limit = 1}));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::exhausted);
}

TEST_F(SearchIndexTest, GoesOnWhereItWas) {
  folder_.append({folder_.entry("mer_1"), folder_.entry("")});
  follow();
  close();
  open();
  folder_.append({folder_.entry("mer_2"), folder_.entry("mer_1")});
  follow();
  EXPECT_EQ(index_->sizes(),
            (LogSizes{{"mer_1-2026", 2}, {"mer_2-2026", 1}, {"operator-2026", 1}}));
  EXPECT_EQ(found({.owner = "mer_1"}), (std::vector{mine(1), mine(0)}));
  EXPECT_EQ(metrics_.gauge("lag", "-").value(), 0);
}

TEST_F(SearchIndexTest, TailGivesWhatWasAddedInTheOrderOfTime) {
  folder_.append({folder_.entry("mer_2", EventType::token_create, 0),
                  folder_.entry("mer_1", EventType::token_create, 1),
                  folder_.entry("mer_1", EventType::token_create, 2)});
  follow();
  const auto newest = wait(index_->added_after(-1, 2));
  ASSERT_TRUE(newest && newest->size() == 2);
  EXPECT_EQ((*newest)[0].place, mine(0));
  EXPECT_EQ((*newest)[1].place, mine(1));
  EXPECT_EQ(index_->last_deed(), newest->back().at.id);
  close();
  open();
  folder_.append({folder_.entry("mer_2", EventType::log_read, 3)});
  follow();
  const auto added = wait(index_->added_after(newest->back().at.id, 10));
  ASSERT_TRUE(added && added->size() == 1);
  EXPECT_EQ((*added)[0].place, theirs(1));
  EXPECT_EQ(index_->last_deed(), newest->back().at.id);  // looking is no deed
}

TEST_F(SearchIndexTest, ADamagedLogHoldsUpNoOther) {
  auto marked = folder_.entry("mer_1");
  marked.gateway_token = "tok_marked";
  folder_.append({folder_.entry("mer_1"), marked, folder_.entry("mer_2")});
  folder_.damage("tok_marked");
  follow_until([&] { return indexer_->met_damage() && index_->sizes().size() == 2; });
  EXPECT_EQ(index_->sizes(), (LogSizes{{"mer_1-2026", 1}, {"mer_2-2026", 1}}));
  EXPECT_EQ(indexer_->lag(), 1);
}

}  // namespace
}  // namespace strongroom::connected::relay
