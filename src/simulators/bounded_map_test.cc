#include "simulators/bounded_map.h"

#include <gtest/gtest.h>

namespace strongroom::simulators {
namespace {

TEST(BoundedMapTest, FindsWhatWasPut) {
  BoundedMap<int> map(2);
  EXPECT_EQ(map.put("a", 1), 1);
  ASSERT_NE(map.find("a"), nullptr);
  EXPECT_EQ(*map.find("a"), 1);
  EXPECT_EQ(map.find("b"), nullptr);
}

TEST(BoundedMapTest, ForgetsTheOldest) {
  BoundedMap<int> map(2);
  map.put("a", 1);
  map.put("b", 2);
  map.put("a", 3);  // replacing makes nothing younger
  map.put("c", 4);
  EXPECT_EQ(map.find("a"), nullptr);
  EXPECT_EQ(*map.find("b"), 2);
  EXPECT_EQ(*map.find("c"), 4);
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(map.keys().size(), 2u);
}

TEST(BoundedMapTest, RemovedKeysTakeNoRoom) {
  BoundedMap<int> map(2);
  map.put("a", 1);
  map.remove("a");
  map.remove("a");
  map.put("b", 2);
  map.put("c", 3);
  EXPECT_NE(map.find("b"), nullptr);
  EXPECT_NE(map.find("c"), nullptr);
}

}  // namespace
}  // namespace strongroom::simulators
