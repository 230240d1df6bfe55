// The file of known logs: what it says, what it may not say, and how it grows.
#include "witness/known_logs.h"

#include <gtest/gtest.h>

#include "audit/testing/golden.h"

namespace strongroom::witness {
namespace {

using audit::testing::kOrigin;
using audit::testing::kVkey;
using audit::testing::kWitnessVkey;

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

TEST(KnownLogsTest, GrowsByALineForAKeyThatIsNew) {
  const auto key = audit::NoteKey::parse(kVkey).value();
  EXPECT_EQ(with_log("", key), kLine);
  EXPECT_EQ(with_log("# ours", key), "# ours\n" + kLine);
  EXPECT_EQ(with_log("# ours\n" + kLine, key), "# ours\n" + kLine);
  EXPECT_EQ(with_log(kLine, key), kLine);
}

}  // namespace
}  // namespace strongroom::witness
