// Paths and queries: what names a log, what a search may ask, and that no number gets through that
// could be a card's.
#include "connected/relay/requests.h"

#include <gtest/gtest.h>

#include "base/pan_scan.h"

namespace strongroom::connected::relay {
namespace {

using wire::ProblemType;

Answer<SearchQuery> parse(std::string_view query) {
  const http::Head head{.path = "/v1/audit/entries", .query = query, .fields = {}};
  const http::Peer peer;
  return parse_search(http::Request(head, {}, peer, "id"));
}

TEST(RequestsTest, APathNamesOneLogOnly) {
  EXPECT_EQ(log_of_path("mer_1", "2026"), "mer_1-2026");
  EXPECT_EQ(log_of_path("operator", "2026"), "operator-2026");
  EXPECT_EQ(log_of_path("a-b", "2026"), "a-b-2026");
  EXPECT_EQ(log_of_path("a", "b-2026"), std::nullopt);  // that would be a-b's
  EXPECT_EQ(log_of_path("a", "x"), std::nullopt);
  EXPECT_EQ(log_of_path("..", "2026"), std::nullopt);
  EXPECT_EQ(log_of_path("a%2Fb", "2026"), std::nullopt);
}

TEST(RequestsTest, IndexesHaveOneForm) {
  EXPECT_EQ(parse_index("0"), 0);
  EXPECT_EQ(parse_index("17"), 17);
  for (const char* text : {"", "017", "-1", "+1", "1x", "99999999999999999999"}) {
    EXPECT_EQ(parse_index(text), std::nullopt) << text;
  }
}

TEST(RequestsTest, ASearchTakesEveryFilter) {
  const auto query = parse(
      "token=tok_a&actor=key_1&type=token.create&request=r1&merchant=mer_1&limit=7"
      "&from=2026-11-22T10:00:00Z&to=2026-11-22T11:00:00.0001Z");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->resource, "tok_a");
  EXPECT_EQ(query->actor, "key_1");
  EXPECT_EQ(query->type, "token.create");
  EXPECT_EQ(query->request_id, "r1");
  EXPECT_EQ(query->owner, "mer_1");
  EXPECT_EQ(query->limit, 7);
  EXPECT_EQ(query->to_ms - query->from_ms, 3'600'001);  // a part of a millisecond counts whole
}

TEST(RequestsTest, ASearchRefusesWhatIsNone) {
  for (const char* query : {"type=token.made", "from=yesterday", "to=1795300000000", "after=x",
                            "after=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbz", "limit=0", "limit=101"}) {
    const auto parsed = parse(query);
    ASSERT_FALSE(parsed) << query;
    EXPECT_EQ(parsed.error().type, ProblemType::invalid_value) << query;
  }
  EXPECT_EQ(parse("token=4242424242424242").error().type, ProblemType::looks_like_card_data);
  EXPECT_FALSE(parse("actor=" + std::string(257, 'a')));
}

TEST(RequestsTest, ACursorComesBackAndHoldsNoNumber) {
  for (const SearchPlace& place :
       {SearchPlace{}, SearchPlace{.time_ms = 1'795'300'000'123, .id = 4'242'424'242'424'242}}) {
    const std::string text = cursor_text(place);
    EXPECT_EQ(parse_cursor(text), place);
    EXPECT_FALSE(looks_like_pan(text));
  }
}

}  // namespace
}  // namespace strongroom::connected::relay
