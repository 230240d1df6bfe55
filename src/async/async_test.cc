// Task, Batcher and BlockingPool: order, batching, bounds.
#include <gtest/gtest.h>

#include <atomic>

#include "async/batcher.h"
#include "async/blocking_pool.h"
#include "async/loop.h"
#include "async/when_all.h"

namespace strongroom::async {
namespace {

Task<int> add(int a, int b) { co_return a + b; }

Task<int> sum_to(int n) {
  int total = 0;
  for (int i = 1; i <= n; ++i) total = co_await add(total, i);
  co_return total;
}

TEST(TaskTest, ReturnsThroughManyAwaitsWithoutGrowingTheStack) {
  Loop loop;
  EXPECT_EQ(loop.run_until_done(sum_to(20'000)), 200'010'000);
}

TEST(LoopTest, SleepsAtLeastAsLongAsAsked) {
  Loop loop;
  const auto start = std::chrono::steady_clock::now();
  loop.run_until_done(loop.sleep_for(std::chrono::milliseconds(20)));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(20));
}

TEST(LoopTest, RunsPostedWorkFromAnotherThread) {
  Loop loop;
  std::thread other([&] { loop.post([&] { loop.stop(); }); });
  loop.run();
  other.join();
}

Task<void> sleep_and_note(Loop& loop, int ms, std::vector<int>& ended) {
  if (ms > 0) co_await loop.sleep_for(std::chrono::milliseconds(ms));
  ended.push_back(ms);
}

TEST(WhenAllTest, RunsTasksAtOnceAndEndsWithTheLast) {
  Loop loop;
  std::vector<int> ended;
  const auto gather = [&]() -> Task<std::size_t> {
    std::vector<Task<void>> tasks;
    for (const int ms : {30, 0, 10}) tasks.push_back(sleep_and_note(loop, ms, ended));
    co_await when_all(std::move(tasks));
    co_return ended.size();
  };
  EXPECT_EQ(loop.run_until_done(gather()), 3U);
  EXPECT_EQ(ended, (std::vector{0, 10, 30}));
}

TEST(WhenAllTest, EndsAtOnceWhenNothingIsToBeAwaited) {
  Loop loop;
  std::vector<int> ended;
  std::vector<Task<void>> tasks;
  loop.run_until_done(when_all({}));
  for (int i = 0; i < 3; ++i) tasks.push_back(sleep_and_note(loop, 0, ended));
  loop.run_until_done(when_all(std::move(tasks)));
  EXPECT_EQ(ended.size(), 3U);
}

struct Recorder {
  Loop& loop;
  std::vector<std::size_t> sizes;
  Task<std::vector<Result<int>>> flush(std::vector<int> items) {
    sizes.push_back(items.size());
    co_await loop.sleep_for(std::chrono::milliseconds(20));
    std::vector<Result<int>> outcomes;
    for (const int item : items) {
      if (item < 0) {
        outcomes.emplace_back(fail({ErrorCode::invalid_argument, "negative"}));
      } else {
        outcomes.emplace_back(item * 2);
      }
    }
    co_return outcomes;
  }
};

struct Tally {
  int good = 0;
  int bad = 0;
  int full = 0;
};

Task<void> submit_one(Batcher<int, int>& batcher, int item, Tally& tally, int& left, Loop& loop) {
  const Result<int> outcome = co_await batcher.submit(item);
  if (outcome && *outcome == item * 2) ++tally.good;
  if (!outcome && outcome.error().code() == ErrorCode::invalid_argument) ++tally.bad;
  if (!outcome && outcome.error().code() == ErrorCode::exhausted) ++tally.full;
  if (--left == 0) loop.stop();
}

TEST(BatcherTest, FlushesATurnsItemsTogetherEachWithItsOwnFate) {
  Loop loop;
  Recorder recorder{loop, {}};
  Batcher<int, int> batcher(
      loop, {.batch_max = 8, .queue_max = 100, .in_flight_max = 1},
      [&](std::vector<int> items) { return recorder.flush(std::move(items)); });
  Tally tally;
  int left = 10;
  for (int i = 0; i < 10; ++i) spawn(submit_one(batcher, i == 5 ? -1 : i, tally, left, loop));
  loop.run();
  EXPECT_EQ(recorder.sizes, (std::vector<std::size_t>{8, 2}));
  EXPECT_EQ(tally.good, 9);
  EXPECT_EQ(tally.bad, 1);
}

Task<void> submit_later(Batcher<int, int>& batcher, int item, Tally& tally, int& left, Loop& loop) {
  co_await loop.sleep_for(std::chrono::microseconds(200));
  co_await submit_one(batcher, item, tally, left, loop);
}

TEST(BatcherTest, GathersTheNextBatchWhileOneIsUnderWay) {
  Loop loop;
  Recorder recorder{loop, {}};
  Batcher<int, int> batcher(
      loop, {.batch_max = 8, .queue_max = 100, .in_flight_max = 1},
      [&](std::vector<int> items) { return recorder.flush(std::move(items)); });
  Tally tally;
  int left = 4;
  spawn(submit_one(batcher, 1, tally, left, loop));
  for (int i = 2; i < 5; ++i) spawn(submit_later(batcher, i, tally, left, loop));
  loop.run();
  EXPECT_EQ(recorder.sizes, (std::vector<std::size_t>{1, 3}));
  EXPECT_EQ(tally.good, 4);
}

Task<void> submit_in_turn(Batcher<int, int>& batcher, Tally& tally, Loop& loop) {
  int none = 3;
  co_await submit_one(batcher, 1, tally, none, loop);
  co_await submit_one(batcher, 2, tally, none, loop);
  loop.stop();
}

TEST(BatcherTest, KeepsItsPace) {
  constexpr std::chrono::milliseconds kPace(50);
  Loop loop;
  Recorder recorder{loop, {}};
  Batcher<int, int> batcher(
      loop, {.batch_max = 8, .queue_max = 100, .in_flight_max = 1, .pace = kPace},
      [&](std::vector<int> items) { return recorder.flush(std::move(items)); });
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  spawn(submit_in_turn(batcher, tally, loop));
  loop.run();
  EXPECT_GE(std::chrono::steady_clock::now() - start, kPace);
  EXPECT_EQ(recorder.sizes, (std::vector<std::size_t>{1, 1}));
  EXPECT_EQ(tally.good, 2);
}

TEST(BatcherTest, RefusesWhatWaitsTooLongAndFlushesTheRest) {
  constexpr std::chrono::milliseconds kHang(200), kWaitMax(50);
  Loop loop;
  std::vector<std::size_t> sizes;
  auto hang = [&](std::vector<int> items) -> Task<std::vector<Result<int>>> {
    sizes.push_back(items.size());
    const std::vector<int> kept = std::move(items);
    co_await loop.sleep_for(sizes.size() == 1 ? kHang : std::chrono::milliseconds(0));
    std::vector<Result<int>> outcomes;
    for (const int item : kept) outcomes.emplace_back(item * 2);
    co_return outcomes;
  };
  auto batcher = std::make_unique<Batcher<int, int>>(
      loop, BatcherLimits{.batch_max = 8, .in_flight_max = 1, .wait_max = kWaitMax}, hang);
  Tally tally;
  int left = 4;
  const auto start = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration refused_after{};
  auto later = [&](int item, std::chrono::milliseconds after) -> Task<void> {
    co_await loop.sleep_for(after);
    const int full = tally.full;
    co_await submit_one(*batcher, item, tally, left, loop);
    if (tally.full > full) refused_after = std::chrono::steady_clock::now() - start;
  };
  spawn(submit_one(*batcher, 1, tally, left, loop));  // its flush hangs
  spawn(later(2, std::chrono::milliseconds(20)));
  spawn(later(3, std::chrono::milliseconds(21)));
  spawn(later(4, kHang - kWaitMax / 2));  // in time for the next flush
  loop.run();
  EXPECT_EQ(tally.full, 2);
  EXPECT_EQ(tally.good, 2);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 1}));
  EXPECT_GE(refused_after, kWaitMax);
  EXPECT_LT(refused_after, kHang) << "they waited for the flush that hangs";
  batcher.reset();  // its timer may still run
  loop.run_until_done(loop.sleep_for(2 * kWaitMax));
}

TEST(BatcherTest, RefusesWhenItsQueueIsFull) {
  Loop loop;
  Recorder recorder{loop, {}};
  Batcher<int, int> batcher(
      loop, {.batch_max = 8, .queue_max = 2, .in_flight_max = 1},
      [&](std::vector<int> items) { return recorder.flush(std::move(items)); });
  Tally tally;
  int left = 4;
  for (int i = 0; i < 4; ++i) spawn(submit_one(batcher, i, tally, left, loop));
  loop.run();
  EXPECT_EQ(tally.good, 2);
  EXPECT_EQ(tally.full, 2);
}

Task<Result<int>> on_pool(BlockingPool& pool, Loop& loop, std::thread::id& where) {
  auto work = [&where]() -> Result<int> {
    where = std::this_thread::get_id();
    return 7;
  };
  co_return co_await pool.run(loop, work);
}

TEST(BlockingPoolTest, WorksOnAnotherThreadAndResumesOnTheLoop) {
  Loop loop;
  BlockingPool pool(1, 4);
  std::thread::id where;
  const Result<int> outcome = loop.run_until_done(on_pool(pool, loop, where));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(*outcome, 7);
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(BlockingPoolTest, RefusesWhenItsQueueIsFull) {
  Loop loop;
  BlockingPool pool(1, 0);
  std::thread::id where;
  const Result<int> outcome = loop.run_until_done(on_pool(pool, loop, where));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), ErrorCode::exhausted);
}

}  // namespace
}  // namespace strongroom::async
