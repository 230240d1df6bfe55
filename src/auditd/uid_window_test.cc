// UidWindow and UidSet against what the standard library's set says.
#include "auditd/uid_window.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace strongroom::auditd {
namespace {

// Uids as UUID v7 has them, a few of them near each other.
EntryId uid_of(std::uint64_t number) {
  std::mt19937_64 random(number / 3);
  EntryId uid;
  for (std::byte& byte : uid.bytes) byte = static_cast<std::byte>(random());
  uid.bytes[8] = (uid.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  uid.bytes[15] = static_cast<std::byte>(number % 3);
  return uid;
}

TEST(UidSetTest, HoldsWhatWasAddedAndNothingElse) {
  UidSet set;
  std::set<EntryId> model;
  for (std::uint64_t number = 0; number < 10'000; ++number) {
    const EntryId uid = uid_of(number * number % 7'001);
    EXPECT_EQ(set.contains(uid), model.contains(uid));
    EXPECT_EQ(set.add(uid), model.insert(uid).second);
  }
  EXPECT_EQ(set.uids().size(), model.size());
  EXPECT_EQ((std::set<EntryId>(set.uids().begin(), set.uids().end())), model);
}

TEST(UidSetTest, ForgetsAllAtOnce) {
  UidSet set;
  EXPECT_FALSE(set.contains(uid_of(1)));
  set.clear();
  EXPECT_TRUE(set.add(uid_of(1)));
  set.clear();
  EXPECT_FALSE(set.contains(uid_of(1)));
  EXPECT_TRUE(set.uids().empty());
  EXPECT_TRUE(set.add(uid_of(1)));
}

TEST(UidWindowTest, RemembersItsLastUidsInTheirOrder) {
  constexpr std::uint64_t kAdded = 2 * kUidWindow + kUidWindow / 2;
  std::vector<EntryId> all;
  all.reserve(kAdded);
  UidWindow window;
  for (std::uint64_t number = 0; number < kAdded; ++number) {
    all.push_back(uid_of(number));
    window.add(all.back());
    window.add(all[all.size() - 1 - number % std::min(all.size(), kUidWindow)]);  // again
  }
  const std::vector<EntryId> last(all.end() - kUidWindow, all.end());
  EXPECT_EQ(window.uids(), last);
  for (const EntryId& uid : last) ASSERT_TRUE(window.contains(uid));
  EXPECT_FALSE(window.contains(all.front()));
  EXPECT_FALSE(window.contains(uid_of(kAdded)));
}

TEST(UidWindowTest, GivesFewerWhileItIsNotFull) {
  UidWindow window;
  EXPECT_TRUE(window.uids().empty());
  window.add(uid_of(7));
  window.add(uid_of(5));
  window.add(uid_of(7));
  EXPECT_EQ(window.uids(), (std::vector<EntryId>{uid_of(7), uid_of(5)}));
}

}  // namespace
}  // namespace strongroom::auditd
