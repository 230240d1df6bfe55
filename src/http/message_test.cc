#include "http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "http/head.h"
#include "http/internal/response_text.h"

namespace strongroom::http {
namespace {

Head head_with(std::string_view query, std::vector<HeaderField> fields = {}) {
  Head head;
  head.path = "/";
  head.query = query;
  head.fields = std::move(fields);
  return head;
}

std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  const Head head = head_with(query);
  const Peer peer;
  return Request(head, {}, peer, "id").query_parameter(name);
}

TEST(RequestTest, QueryParameterDecodes) {
  EXPECT_EQ(parameter("reference=a%20b+c%2f%2F", "reference"), "a b c//");
  EXPECT_EQ(parameter("a=1&b=2&a=3", "a"), "1");
  EXPECT_EQ(parameter("a=1&b=2", "b"), "2");
  EXPECT_EQ(parameter("a&b=", "a"), "");
  EXPECT_EQ(parameter("a&b=", "b"), "");
  EXPECT_EQ(parameter("a=b=c", "a"), "b=c");
}

TEST(RequestTest, PageLimitIsWithinItsBoundsOrRefused) {
  const auto limit = [](std::string_view query) {
    const Head head = head_with(query);
    const Peer peer;
    return page_limit(Request(head, {}, peer, "id"), 100);
  };
  EXPECT_EQ(limit(""), 100U);
  EXPECT_EQ(limit("limit=1"), 1U);
  EXPECT_EQ(limit("after=x&limit=100"), 100U);
  for (const char* query : {"limit=0", "limit=101", "limit=-1", "limit=1.0", "limit=", "limit=ten",
                            "limit=18446744073709551617", "limit=5%20"}) {
    ASSERT_FALSE(limit(query)) << query;
    EXPECT_EQ(limit(query).error().pointer.text(), "?limit");
  }
}

TEST(RequestTest, QueryParameterIsEmptyWhenAbsentOrIllEncoded) {
  EXPECT_EQ(parameter("", "a"), std::nullopt);
  EXPECT_EQ(parameter("ab=1", "a"), std::nullopt);
  EXPECT_EQ(parameter("a=%2", "a"), std::nullopt);
  EXPECT_EQ(parameter("a=%", "a"), std::nullopt);
  EXPECT_EQ(parameter("a=%zz", "a"), std::nullopt);
}

TEST(RequestTest, IsJsonLooksAtTheMediaTypeAlone) {
  const auto is_json = [](std::vector<HeaderField> fields) {
    const Head head = head_with("", std::move(fields));
    const Peer peer;
    return Request(head, {}, peer, "id").is_json();
  };
  for (const std::string_view type : {"application/json", "Application/JSON",
                                      "application/json;charset=utf-8", "application/json ; a=b"}) {
    EXPECT_TRUE(is_json({{"Content-Type", type}})) << type;
  }
  for (const std::string_view type : {"", "text/plain", "application/jsonx", "application/json, x",
                                      "application/problem+json", "text/json;application/json"}) {
    EXPECT_FALSE(is_json({{"Content-Type", type}})) << type;
  }
  EXPECT_FALSE(is_json({}));
}

TEST(RequestTest, TraceparentIsTheFieldOrNothing) {
  const auto traceparent = [](std::string_view value) {
    const Head head = head_with("", {{"Traceparent", value}});
    const Peer peer;
    return std::string(Request(head, {}, peer, "id").traceparent());
  };
  const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_EQ(traceparent(good), good);
  for (const std::string_view bad : {"", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                     "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                     "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                     "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
                                     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
                                     "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
    EXPECT_EQ(traceparent(bad), "") << bad;
  }
}

TEST(RequestTest, ParameterBeyondTheRoutesIsABug) {
  const Head head = head_with("");
  const Peer peer;
  const Request request(head, {}, peer, "id");
  EXPECT_DEATH((void)request.parameter(0), "check failed");
}

TEST(ResponseTest, ProblemResponseCarriesRetryAfter) {
  const Response response =
      problem_response({.type = wire::ProblemType::rate_limited, .retry_after_s = 12}, "id");
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.content_type, "application/problem+json");
  ASSERT_EQ(response.headers.size(), 1u);
  EXPECT_EQ(response.headers[0], std::pair(std::string("Retry-After"), std::string("12")));
  EXPECT_THAT(response.body, ::testing::HasSubstr("\"request_id\":\"id\""));
}

TEST(ResponseTextTest, LeavesLengthAndBodyOutOf204) {
  const std::string text =
      internal::response_text({.status = 204, .body = "ignored"}, Method::delete_, "id", false);
  EXPECT_EQ(text,
            "HTTP/1.1 204 No Content\r\nStrongroom-Request-Id: id\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\n\r\n");
}

TEST(ResponseTextTest, LetsTheHandlerSayHowToCache) {
  Response response{.status = 200, .body = "x"};
  response.headers.emplace_back("cache-control", "max-age=60");
  const std::string text = internal::response_text(response, Method::get, "id", true);
  EXPECT_THAT(text, ::testing::HasSubstr("cache-control: max-age=60\r\n"));
  EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("no-store")));
  EXPECT_THAT(text, ::testing::HasSubstr("Connection: close\r\n\r\nx"));
}

}  // namespace
}  // namespace strongroom::http
