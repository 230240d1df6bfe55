#include "http/head.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace strongroom::http {
namespace {

using wire::ProblemType;

constexpr std::size_t kFieldsMax = 8;

// The problem of a head that must be refused; nothing when it is taken.
std::optional<ProblemType> refusal(std::string_view head) {
  Head out;
  const auto parsed = parse_head(head, kFieldsMax, out);
  return parsed ? std::nullopt : std::optional(parsed.error().type);
}

std::string with_target(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: v\r\n\r\n";
}
std::string with_fields(std::string_view fields) {
  return "POST / HTTP/1.1\r\nHost: v\r\n" + std::string(fields) + "\r\n";
}

TEST(HeadTest, ParseTakesAWholeHead) {
  const std::string text =
      "POST /v1/cards/tok_1?a=b&c=%20?/&d[]=e HTTP/1.1\r\nhost: vaultd:7001\r\n"
      "Content-Length: 198\r\nX-Empty:\r\nX-Tab: \ta\tb \r\nexpect: 100-Continue\r\n"
      "Connection: close\r\n\r\n";
  Head head;
  ASSERT_TRUE(parse_head(text, kFieldsMax, head).has_value());
  EXPECT_EQ(head.method, Method::post);
  EXPECT_EQ(head.path, "/v1/cards/tok_1");
  EXPECT_EQ(head.query, "a=b&c=%20?/&d[]=e");
  EXPECT_EQ(head.content_length, 198u);
  EXPECT_TRUE(head.expects_continue);
  EXPECT_TRUE(head.close);
  EXPECT_EQ(head.header("host"), "vaultd:7001");
  EXPECT_EQ(head.header("x-tab"), "a\tb");
  EXPECT_EQ(head.header("x-empty"), "");
  EXPECT_EQ(head.header("absent"), "");
  EXPECT_EQ(head.fields.size(), 6u);
}

TEST(HeadTest, ParseForgetsTheHeadBefore) {
  Head head;
  ASSERT_TRUE(parse_head(with_fields("Content-Length: 5\r\nExpect: 100-continue\r\n"
                                     "Connection: close\r\n"),
                         kFieldsMax, head)
                  .has_value());
  ASSERT_TRUE(parse_head(with_target("/"), kFieldsMax, head).has_value());
  EXPECT_EQ(head.content_length, 0u);
  EXPECT_FALSE(head.expects_continue);
  EXPECT_FALSE(head.close);
  EXPECT_EQ(head.fields.size(), 1u);
  EXPECT_EQ(head.query, "");
}

TEST(HeadTest, ParseKnowsTheMethods) {
  for (const Method method :
       {Method::get, Method::head, Method::post, Method::put, Method::patch, Method::delete_}) {
    Head head;
    const std::string text = std::string(to_string(method)) + " / HTTP/1.1\r\nHost: v\r\n\r\n";
    ASSERT_TRUE(parse_head(text, kFieldsMax, head).has_value());
    EXPECT_EQ(head.method, method);
  }
  for (const std::string_view method : {"CONNECT", "TRACE", "OPTIONS", "get", "BREW"}) {
    EXPECT_EQ(refusal(std::string(method) + " / HTTP/1.1\r\nHost: v\r\n\r\n"),
              ProblemType::method_unknown);
  }
}

TEST(HeadTest, ParseRefusesOddRequestLines) {
  for (const std::string_view line :
       {"GET / HTTP/1.0", "GET / HTTP/2.0", "GET / HTTP/1.2", "GET / HTTP/0.9", "GET /", "GET", "",
        "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1", "G(T / HTTP/1.1", "GET / http/1.1", "GET / HTTP/1.1x"}) {
    EXPECT_EQ(refusal(std::string(line) + "\r\nHost: v\r\n\r\n"), ProblemType::malformed_request)
        << line;
  }
  EXPECT_EQ(refusal("\r\nGET / HTTP/1.1\r\nHost: v\r\n\r\n"), ProblemType::malformed_request);
}

TEST(HeadTest, ParseRefusesTargetsThatTwoProgramsCouldReadDifferently) {
  for (const std::string_view target :
       {"http://v/", "*",       "v:443",  "",      "//",    "/a//b",   "/.",
        "/..",       "/a/../b", "/a/./b", "/a/..", "/a\\b", "/a#b",    "/a\"b",
        "/<a>",      "/a|b",    "/a{b}",  "/a^b",  "/a`b",  "/?a#b",   "/?a\\b",
        "/\xc3\xa9", "/?\xff",  "/%",     "/%4",   "/%4g",  "/?a=%zz", "/?%41%"}) {
    EXPECT_EQ(refusal(with_target(target)), ProblemType::malformed_request) << target;
  }
  for (const std::string_view target :
       {"/", "/a/", "/a/b.c", "/...", "/a?", "/a?b?c", "/%41", "/a;b=c", "/~a-b_c!$&'()*+,=:@"}) {
    EXPECT_EQ(refusal(with_target(target)), std::nullopt) << target;
  }
}

TEST(HeadTest, ParseRefusesBrokenLines) {
  for (const std::string_view fields :
       {"A: b\nC: d\r\n", "A: b\rC: d\r\n", "A: b\r\r\n", "A: b\n\r\n", "A: b\r\n c\r\n",
        "A: b\r\n\tc\r\n", "A : b\r\n", "A\t: b\r\n", " A: b\r\n", ": b\r\n", "A\r\n", "A b: c\r\n",
        "A: b\x01\r\n", "A: b\x7f\r\n", "A: \x80\r\n", "A\x80: b\r\n", "A(: b\r\n"}) {
    EXPECT_EQ(refusal(with_fields(fields)), ProblemType::malformed_request) << fields;
  }
  EXPECT_EQ(refusal(with_fields(std::string_view("A: b\0\r\n", 7))),
            ProblemType::malformed_request);
}

TEST(HeadTest, ParseInsistsOnOneHost) {
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\n\r\n"), ProblemType::malformed_request);
  EXPECT_EQ(refusal(with_fields("Host: w\r\n")), ProblemType::malformed_request);
  EXPECT_EQ(refusal(with_fields("HOST: v\r\n")), ProblemType::malformed_request);
}

TEST(HeadTest, ParseRefusesASecondFieldOfThoseThatDecide) {
  for (const std::string_view name :
       {"Authorization", "Content-Type", "Idempotency-Key", "Strongroom-Ticket",
        "Strongroom-Source", "Strongroom-Request-Id"}) {
    const std::string once = std::string(name) + ": a\r\n";
    EXPECT_EQ(refusal(with_fields(once)), std::nullopt) << name;
    EXPECT_EQ(refusal(with_fields(once + once)), ProblemType::malformed_request) << name;
    const std::string both = once + "authorization: b\r\nX: y\r\n";
    EXPECT_EQ(refusal(with_fields(both)).has_value(), name == "Authorization") << name;
  }
  EXPECT_EQ(refusal(with_fields("Accept: a\r\nAccept: b\r\n")), std::nullopt);
}

TEST(HeadTest, ParseTakesOnePlainContentLength) {
  for (const std::string_view value :
       {"", "-1", "+1", "1,1", "1, 1", "0x10", "1e3", "1 1", "1.0", "99999999999999999999",
        "18446744073709551616", "9999999999999"}) {
    EXPECT_EQ(refusal(with_fields("Content-Length: " + std::string(value) + "\r\n")),
              ProblemType::malformed_request)
        << value;
  }
  EXPECT_EQ(refusal(with_fields("Content-Length: 3\r\nContent-Length: 3\r\n")),
            ProblemType::malformed_request);
  EXPECT_EQ(refusal(with_fields("Content-Length: 3\r\ncontent-length: 4\r\n")),
            ProblemType::malformed_request);
  EXPECT_EQ(refusal(with_fields("Content-Length: 00007\r\n")), std::nullopt);
}

TEST(HeadTest, ParseRefusesTransferEncoding) {
  for (const std::string_view coding :
       {"chunked", "gzip", "identity", "gzip, chunked", "xchunked", "chunked, identity", ""}) {
    const std::string field = "Transfer-Encoding: " + std::string(coding) + "\r\n";
    EXPECT_EQ(refusal(with_fields(field)), ProblemType::length_required) << coding;
    EXPECT_EQ(refusal(with_fields(field + "Content-Length: 3\r\n")),
              ProblemType::malformed_request);
    EXPECT_EQ(refusal(with_fields("Content-Length: 3\r\n" + field)),
              ProblemType::malformed_request);
  }
}

TEST(HeadTest, ParseRefusesOtherExpectations) {
  EXPECT_EQ(refusal(with_fields("Expect: a-miracle\r\n")), ProblemType::expectation_failed);
}

TEST(HeadTest, ParseBoundsTheFields) {
  std::string fields;
  for (std::size_t i = 0; i + 1 < kFieldsMax; ++i) fields.append("A: b\r\n");
  EXPECT_EQ(refusal(with_fields(fields)), std::nullopt);
  EXPECT_EQ(refusal(with_fields(fields + "A: b\r\n")), ProblemType::headers_too_large);
}

TEST(HeadTest, ParseRefusesWhatIsNotExactlyOneHead) {
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: v\r\n"), ProblemType::malformed_request);
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHost: v\r\n\r\nX"), ProblemType::malformed_request);
  EXPECT_EQ(refusal(with_target("/") + with_target("/")), ProblemType::malformed_request);
}

TEST(HeadTest, FindHeadEndFindsTheEmptyLineHoweverTheBytesCame) {
  const std::string text = "GET / HTTP/1.1\r\nHost: v\r\n\r\nBODY\r\n\r\n";
  const std::size_t end = text.find("BODY");
  for (std::size_t first = 0; first < text.size(); ++first) {
    const auto early = find_head_end(text.substr(0, first), 0);
    EXPECT_EQ(early.has_value(), first >= end) << first;
    if (!early) {
      EXPECT_EQ(find_head_end(text, first), end) << first;
    }
  }
  EXPECT_EQ(find_head_end("GET / HTTP/1.1\n\nX", 0), 16u);
  EXPECT_EQ(find_head_end("GET / HTTP/1.1\r\n\nX", 0), 17u);
  EXPECT_EQ(find_head_end("", 0), std::nullopt);
}

}  // namespace
}  // namespace strongroom::http
