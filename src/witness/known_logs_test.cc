// The file of known logs: what it says, what it may not say, and how it grows.
#include "witness/known_logs.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "audit/testing/golden.h"
#include "base/clock.h"

namespace strongroom::witness {
namespace {

using audit::testing::kOrigin;
using audit::testing::kVkey;
using audit::testing::kWitnessVkey;

const std::int64_t kNowUs = *parse_rfc3339("2028-11-22T15:00:00Z");
const std::string kLine = "log " + std::string(kVkey) + "\n";

TEST(KnownLogsTest, ParsesKeysInTheirOrder) {
  const auto keys = parse_known_logs("# ours\n\n" + kLine + kLine);
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 2U);
  EXPECT_EQ(keys->front().name, kOrigin);
  EXPECT_EQ(keys->front().text(), kVkey);
  EXPECT_TRUE(parse_known_logs("")->empty());
}

TEST(KnownLogsTest, RefusesOtherLinesAndNamesThem) {
  for (const std::string& line :
       {std::string(kVkey), "log" + std::string(kVkey), "log  " + std::string(kVkey),
        "log " + std::string(kVkey) + " x", " " + kLine, std::string("log "),
        std::string("witness w ") + std::string(kVkey), "log " + std::string(kWitnessVkey)}) {
    const auto keys = parse_known_logs(kLine + line + "\n");
    ASSERT_FALSE(keys) << line;
    EXPECT_EQ(keys.error().code(), ErrorCode::invalid_argument);
    EXPECT_EQ(keys.error().detail(), 2U) << line;
  }
}

TEST(KnownLogsTest, KnowsLaterShardsOfALogUnderItsKey) {
  const audit::NoteKey first{"v.example/auditd/operator/2026",
                             audit::testing::signer_of(1).public_key()};
  audit::NoteKey second{"v.example/auditd/operator/2028",
                        audit::testing::signer_of(2).public_key()};
  const std::vector<audit::NoteKey> known{second, first};
  const auto public_keys = [&](std::string_view origin) {
    std::vector<crypto::Ed25519PublicKey> keys;
    for (const audit::NoteKey& key : keys_of(known, origin, kNowUs)) {
      EXPECT_EQ(key.name, origin);
      keys.push_back(key.public_key);
    }
    return keys;
  };
  for (const char* shard : {"2026", "2026b20261122T150000Z", "2027", "2027b20270101T000000Z"}) {
    EXPECT_EQ(public_keys(std::string("v.example/auditd/operator/") + shard),
              std::vector{first.public_key})
        << shard;
  }
  for (const char* shard : {"2028", "2029", "2028b20281122T150000Z"}) {
    EXPECT_EQ(public_keys(std::string("v.example/auditd/operator/") + shard),
              std::vector{second.public_key})
        << shard << ": a later line begins a later key";
  }
  for (const char* origin :
       {"v.example/auditd/operator/2025", "v.example/auditd/mer_1/2027",
        "v.example/other/operator/2027", "w.example/auditd/operator/2027",
        "v.example/auditd/operator/20270", "v.example/auditd/operator/2027b", "2027", "",
        "v.example/auditd/operator/2026/2027", "v.example/auditd/operator/"}) {
    EXPECT_TRUE(public_keys(origin).empty()) << origin;
  }
  EXPECT_TRUE(keys_of({{"log.example/2026", first.public_key}}, "log.example/2027", kNowUs).empty())
      << "no shard as auditd names them";
}

TEST(KnownLogsTest, KnowsNoShardOfAYearFarAheadOrOfNoTime) {
  const audit::NoteKey named{"v.example/auditd/operator/2026",
                             audit::testing::signer_of(1).public_key()};
  const auto is_known = [&](std::string_view shard) {
    const std::string origin = fmt::format("v.example/auditd/operator/{}", shard);
    return !keys_of({named}, origin, kNowUs).empty();
  };
  for (const char* shard : {"2028", "2029", "2028b20291231T235959Z", "2026b20280229T000000Z"}) {
    EXPECT_TRUE(is_known(shard)) << shard;
  }
  for (const char* shard :
       {"2030", "9999", "2029b20300101T000000Z", "2028b99991231T235959Z", "2028b20271231T235959Z",
        "2028b20281301T000000Z", "2028b20280230T000000Z", "2028b20280229T240000Z"}) {
    EXPECT_FALSE(is_known(shard)) << shard;
  }
  const audit::NoteKey ahead{"v.example/auditd/operator/2040", named.public_key};
  EXPECT_EQ(keys_of({ahead}, ahead.name, kNowUs).size(), 1U) << "its keeper has named it";
}

TEST(KnownLogsTest, GrowsByALineForAKeyThatIsNew) {
  const auto key = audit::NoteKey::parse(kVkey).value();
  EXPECT_EQ(with_log("", key), kLine);
  EXPECT_EQ(with_log("# ours", key), "# ours\n" + kLine);
  EXPECT_EQ(with_log("# ours\n" + kLine, key), "# ours\n" + kLine);
  EXPECT_EQ(with_log(kLine, key), kLine);
}

}  // namespace
}  // namespace strongroom::witness
