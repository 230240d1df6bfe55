#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <string>
#include <thread>
#include <vector>

namespace strongroom::log {
namespace {

constexpr std::int64_t kTime = 1'795'298'400'123'456;
const std::string kHead = R"({"time":"2026-11-21T22:00:00.123Z","level":"info","event":"test")";

std::string line(Fields fields) { return format_line(Level::info, kTime, "test", fields); }

// Catches what is written to standard error while it lives.
class StandardError {
 public:
  StandardError() : saved_(::dup(STDERR_FILENO)) {
    EXPECT_EQ(::pipe2(pipe_.data(), O_NONBLOCK), 0);
    ::dup2(pipe_[1], STDERR_FILENO);
  }
  ~StandardError() {
    ::dup2(saved_, STDERR_FILENO);
    for (const int fd : {saved_, pipe_[0], pipe_[1]}) ::close(fd);
  }
  std::string read() {
    std::string text(65536, '\0');
    const ssize_t size = ::read(pipe_[0], text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }

 private:
  int saved_;
  std::array<int, 2> pipe_{};
};

TEST(LogTest, WritesEveryKindOfValue) {
  const std::string address = "127.0.0.1";
  EXPECT_EQ(line({{"address", address},
                  {"port", 8443},
                  {"least", std::numeric_limits<std::int64_t>::min() / 1'000'000'000},
                  {"size", std::uint64_t{12}},
                  {"ok", true},
                  {"literal", "x"}}),
            kHead + R"(,"address":"127.0.0.1","port":8443,"least":-9223372036,"size":12,"ok":true,)"
                    R"("literal":"x"})"
                    "\n");
}

TEST(LogTest, WritesErrorsWithCodeAndDetail) {
  const Error error{ErrorCode::unavailable, "disk does not answer"};
  EXPECT_EQ(line({{"error", error}}),
            kHead + R"(,"error":{"code":"unavailable","what":"disk does not answer"}})"
                    "\n");
  EXPECT_EQ(line({{"error", error.with_detail(5)}}),
            kHead + R"(,"error":{"code":"unavailable","what":"disk does not answer","detail":5}})"
                    "\n");
}

TEST(LogTest, MasksCardNumbersInTextAndInNumbers) {
  EXPECT_EQ(line({{"path", "/v1/tokens/4242424242424242"}}),
            kHead + R"(,"path":"/v1/tokens/****************","masked":true})"
                    "\n");
  EXPECT_EQ(line({{"count", std::int64_t{4'242'424'242'424'242}}}),
            kHead + R"(,"count":"****************","masked":true})"
                    "\n");
  EXPECT_EQ(line({{"count", std::uint64_t{5'555'555'555'554'444}}}),
            kHead + R"(,"count":"****************","masked":true})"
                    "\n");
}

TEST(LogTest, MasksBeforeItCutsLongText) {
  const std::string text = std::string(1012, 'x') + " 4242424242424242 tail";
  const std::string written = line({{"text", text}});
  EXPECT_EQ(written.find("4242"), std::string::npos);
  EXPECT_NE(written.find(R"(***...","masked":true)"), std::string::npos);
  EXPECT_LT(written.size(), 1200U);
}

TEST(LogTest, EscapesWhatJsonCannotHold) {
  EXPECT_EQ(line({{"text", std::string_view("a\"b\\c\n\0\x7F", 8)}}),
            kHead + R"(,"text":"a\"b\\c\u000a\u0000\u007f"})"
                    "\n");
  EXPECT_EQ(line({{"text", "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x94\x90"}}),
            kHead + ",\"text\":\"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x94\x90\"}\n");
}

TEST(LogTest, ReplacesBytesThatAreNotUtf8) {
  for (const char* bytes : {"\x80", "\xC0", "\xC3", "\xFF", "\xF5"}) {
    EXPECT_EQ(line({{"text", bytes}}), kHead + R"(,"text":"\ufffd"})"
                                               "\n");
  }
  // A surrogate (RFC 3629 section 3), overlong forms and beyond U+10FFFF: byte by byte.
  for (const char* bytes : {"\xED\xA0\x80", "\xE0\x80\x80", "\xE2\x82\xC3"}) {
    EXPECT_EQ(line({{"text", bytes}}), kHead + R"(,"text":"\ufffd\ufffd\ufffd"})"
                                               "\n");
  }
  for (const char* bytes : {"\xF0\x80\x80\x80", "\xF4\x90\x80\x80"}) {
    EXPECT_EQ(line({{"text", bytes}}), kHead + R"(,"text":"\ufffd\ufffd\ufffd\ufffd"})"
                                               "\n");
  }
}

TEST(LogTest, DropsLinesBelowTheLevel) {
  StandardError captured;
  set_level(Level::warn);
  EXPECT_FALSE(enabled(Level::info));
  EXPECT_TRUE(enabled(Level::warn));
  debug("debug");
  info("info");
  EXPECT_EQ(captured.read(), "");
  warn("warn");
  error("error", {{"n", 1}});
  set_level(Level::info);
  const std::string text = captured.read();
  EXPECT_NE(text.find(R"("level":"warn","event":"warn"})"), std::string::npos);
  EXPECT_NE(text.find(R"("level":"error","event":"error","n":1})"), std::string::npos);
}

TEST(LogTest, KeepsLinesOfThreadsWhole) {
  StandardError captured;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([] {
      for (int i = 0; i < 50; ++i) info("whole", {{"text", "0123456789"}});
    });
  }
  threads.clear();
  const std::string text = captured.read();
  std::size_t lines = 0;
  for (std::size_t begin = 0; begin < text.size(); ++lines) {
    const std::size_t end = text.find('\n', begin);
    ASSERT_NE(end, std::string::npos);
    const std::string_view whole(text.data() + begin, end - begin);
    EXPECT_TRUE(whole.starts_with(R"({"time":")") && whole.ends_with(R"("text":"0123456789"})"));
    begin = end + 1;
  }
  EXPECT_EQ(lines, 200U);
}

TEST(LogTest, NamesTheProcess) {
  set_process("connectord-stripe");
  EXPECT_EQ(line({}), R"({"time":"2026-11-21T22:00:00.123Z","level":"info",)"
                      R"("process":"connectord-stripe","event":"test"})"
                      "\n");
  set_process(std::string(100, 'x'));
  EXPECT_NE(line({}).find('"' + std::string(63, 'x') + '"'), std::string::npos);
  set_process("");
  EXPECT_EQ(line({}), kHead + "}\n");
}

TEST(LogTest, ParseLevelTakesTheFourNames) {
  EXPECT_EQ(*parse_level("debug"), Level::debug);
  EXPECT_EQ(*parse_level("info"), Level::info);
  EXPECT_EQ(*parse_level("warn"), Level::warn);
  EXPECT_EQ(*parse_level("error"), Level::error);
  EXPECT_EQ(parse_level("trace").error().code(), ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace strongroom::log
