#include "base/rendezvous.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace strongroom {
namespace {

const std::vector<std::string> kNames{"a", "b", "c"};

std::string key(int i) { return "tok_" + std::to_string(i); }

TEST(RendezvousTest, TheOrderOfTheNamesChangesNothing) {
  for (int i = 0; i < 100; ++i) {
    const auto order = rendezvous_order(kNames, key(i));
    EXPECT_EQ(rendezvous_order({"c", "a", "b"}, key(i)), order);
    EXPECT_EQ(order.size(), 3U);
  }
}

TEST(RendezvousTest, EachNameIsFirstForItsShare) {
  std::map<std::string, int> first;
  for (int i = 0; i < 3000; ++i) ++first[rendezvous_order(kNames, key(i)).front()];
  for (const std::string& name : kNames) {
    EXPECT_GT(first[name], 850);
    EXPECT_LT(first[name], 1150);
  }
}

TEST(RendezvousTest, WhoIsGoneLeavesTheOthersTheirs) {
  for (int i = 0; i < 1000; ++i) {
    auto order = rendezvous_order(kNames, key(i));
    std::erase(order, "b");
    EXPECT_EQ(rendezvous_order({"a", "c"}, key(i)), order);
  }
}

// A token's code is where an older release would look for it, too.
TEST(RendezvousTest, TheOrderIsFixedForAllTime) {
  std::string firsts;
  for (int i = 0; i < 12; ++i) firsts += rendezvous_order(kNames, key(i)).front();
  EXPECT_EQ(firsts, "acabbbcbbbba");
}

}  // namespace
}  // namespace strongroom
