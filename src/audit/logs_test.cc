// Names of logs and what becomes of their origins in an entry.
#include "audit/logs.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "base/pan_scan.h"

namespace strongroom::audit {
namespace {

TEST(LogsTest, NamesAndOrigins) {
  EXPECT_TRUE(names_a_log("mer_1-x"));
  for (const std::string_view name : {"", "operator", "a/b", "..", "[masked]", "a b"}) {
    EXPECT_FALSE(names_a_log(name)) << name;
  }
  EXPECT_FALSE(names_a_log(std::string(65, 'a')));
  EXPECT_TRUE(names_a_log("mer_42424242a"));
  EXPECT_TRUE(names_a_log("mer_4242424"));
  for (const std::string_view name : {"mer_42424242", "mer_4-2_4-2_4-2_4-2", "1a", "_a", "-a"}) {
    EXPECT_FALSE(names_a_log(name)) << name;
  }
  EXPECT_TRUE(is_operators("operator-2026b20261122T144015Z"));
  EXPECT_FALSE(is_operators("operator-2026-2026")) << "of a merchant that is called so";
  EXPECT_EQ(log_origin("td/auditd", "mer-1-2026"), "td/auditd/mer-1/2026");
  EXPECT_EQ(*name_of_origin("td/auditd", "td/auditd/mer-1/2026"), "mer-1-2026");
  EXPECT_EQ(*place_of_origin("td/auditd/mer-1/2026"), "td/auditd");
  EXPECT_FALSE(name_of_origin("td/auditd", "td/other/mer-1/2026"));
  EXPECT_FALSE(name_of_origin("td/auditd", "td/auditd/mer/1/2026"));
  EXPECT_FALSE(place_of_origin("a/b"));
  EXPECT_FALSE(place_of_origin("/2026"));
}

// Ids whose last digits and the year would pass for a card number, and all that is near to them.
class OwnerGenerator {
 public:
  std::string next() {
    constexpr std::string_view kCharacters = "0123456789012345678901234567890123456789aZb_-";
    std::string id = std::array{"", "mer_", "m", "4242", "a4-"}[engine_() % 5];
    for (std::size_t left = engine_() % 24; left > 0; --left) {
      id += kCharacters[engine_() % kCharacters.size()];
    }
    for (char digit = '0'; digit <= '9'; ++digit) {
      if (looks_like_pan(id + digit + "/2026")) return id + digit;
    }
    return id;
  }

 private:
  std::mt19937 engine_{20'261'122};  // NOLINT(bugprone-random-generator-seed): the same each time
};

TEST(LogsTest, EveryOriginIsReadBackAsItWasWritten) {
  const std::string longest(169 - std::string_view("/auditd").size(), 'd');
  const std::array places{log_place("td.example", "auditd").value(),
                          log_place("4242.4242.4242", "auditd-4242").value(),
                          log_place(longest, "auditd").value()};
  OwnerGenerator owners;
  std::size_t masked = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string owner = owners.next();
    masked += looks_like_pan(owner + "/2026") ? 1 : 0;
    for (const bool broken : {false, true}) {
      LogNames names(broken ? "20261122T144015Z" : "");
      Entry entry{.event_type = EventType::token_create,
                  .outcome = Outcome::success,
                  .time_us = 1'795'353'000'000'000,
                  .instance = "vaultd",
                  .merchant_id = owner};
      const std::string json = to_json(entry);
      const std::string name = names.of(read_entry(json).value());
      EXPECT_TRUE(is_log_name(name)) << name;
      const std::string& place = places.at(static_cast<std::size_t>(i) % places.size());
      entry.resources = {log_origin(place, name)};
      const auto read = parse_entry(to_json(entry));
      ASSERT_TRUE(read) << entry.resources[0];
      ASSERT_EQ(read->resources, entry.resources);
      EXPECT_EQ(name_of_origin(place, read->resources[0]).value(), name);
    }
  }
  EXPECT_GT(masked, 1'000U) << "else this tests nothing";
}

TEST(LogsTest, PlaceIsWhatOriginsCanBeginWith) {
  EXPECT_EQ(log_place("strongroom.local", "auditd").value(), "strongroom.local/auditd");
  for (const std::string& domain :
       {std::string(170, 'd'), std::string("a b"), std::string("a+b"), std::string("a/b"),
        std::string("a\nb"), std::string("\xC3\xA4"), std::string("4242424242424242")}) {
    EXPECT_EQ(log_place(domain, "auditd").error().code(), ErrorCode::invalid_argument) << domain;
  }
}

}  // namespace
}  // namespace strongroom::audit
