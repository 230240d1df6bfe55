// One of a merchant's at a time, in their order, and no other merchant's behind them.
#include "connected/relay/turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace strongroom::connected::relay {
namespace {

using Names = std::vector<std::string>;

class TurnsTest : public ::testing::Test {
 protected:
  // Asks for a turn of the merchant and keeps it until `ended_` says so.
  async::Task<void> ask(std::string merchant, std::string name) {
    const Turns::Turn turn = co_await turns_.take(merchant);
    has_.push_back(name);
    while (!ended(name)) co_await loop_.sleep_for(std::chrono::milliseconds(1));
  }
  [[nodiscard]] bool ended(const std::string& name) const {
    return std::ranges::find(ended_, name) != ended_.end();
  }
  void pass_time() { loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(20))); }
  void end(std::string name) {
    ended_.push_back(std::move(name));
    pass_time();
  }

  async::Loop loop_;
  Turns turns_{loop_};
  Names has_;  // who has or has had a turn
  Names ended_;
};

TEST_F(TurnsTest, AMerchantsQuestionsTakeTurnsAndHoldUpNobodyElses) {
  for (const char* name : {"a1", "a2", "a3"}) async::spawn(ask("mer_a", name));
  async::spawn(ask("mer_b", "b1"));
  pass_time();
  EXPECT_EQ(has_, (Names{"a1", "b1"}));
  end("a1");
  EXPECT_EQ(has_, (Names{"a1", "b1", "a2"}));
  end("b1");
  async::spawn(ask("mer_b", "b2"));
  EXPECT_EQ(has_.back(), "b2") << "nobody has its turn";
  async::spawn(ask("mer_a", "a4"));
  end("a2");
  end("a3");
  EXPECT_EQ(has_, (Names{"a1", "b1", "a2", "b2", "a3", "a4"}));
  end("a4");
  end("b2");
}

}  // namespace
}  // namespace strongroom::connected::relay
