// RelayTest: an audit folder and the search index over it, which follows when told to. For tests.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "base/metrics.h"
#include "connected/relay/indexer.h"
#include "connected/relay/log_watch.h"
#include "connected/relay/schema.h"
#include "connected/relay/search_index.h"
#include "connected/relay/testing/audit_folder.h"
#include "storage/database.h"
#include "storage/migrations.h"

namespace strongroom::connected::relay::testing {

class RelayTest : public ::testing::Test {
 protected:
  RelayTest() { open(); }
  ~RelayTest() override { close(); }

  template <class T>
  T wait(async::Task<T> task) {
    return loop_.run_until_done(std::move(task));
  }
  void open() {
    const std::string url = "sqlite:" + folder_.directory() + "/../index.db";
    SR_CHECK(storage::migrate_at(url, migrations()).has_value());
    auto opened = storage::open(loop_, {.url = url});
    SR_CHECK(opened.has_value());
    database_ = *std::move(opened);
    index_.emplace(*database_);
    watch_.emplace(LogWatch::Parts{.loop = loop_,
                                   .pool = pool_,
                                   .files = folder_.files(),
                                   .clock = clock_,
                                   .directory = folder_.directory(),
                                   .metrics = {.checkpoint_age_seconds = metrics_.gauge("age", "-"),
                                               .bytes_free = metrics_.gauge("free", "-")},
                                   .pause = std::chrono::milliseconds(5)});
    indexer_.emplace(Indexer::Parts{.loop = loop_,
                                    .pool = pool_,
                                    .files = folder_.files(),
                                    .directory = folder_.directory(),
                                    .watch = *watch_,
                                    .index = *index_,
                                    .lag = metrics_.gauge("lag", "-")});
  }
  void close() {
    indexer_.reset();
    wait(database_->close());
  }
  // Signs, and lets watch and indexer run until `done` says so.
  template <class Done>
  void follow_until(Done done) {
    folder_.sign();
    int running = 2;
    const auto run = [&running](auto& part) -> async::Task<void> {
      co_await part.run();
      --running;
    };
    const auto scenario = [&]() -> async::Task<void> {
      async::spawn(run(*watch_));
      async::spawn(run(*indexer_));
      while (!done()) co_await loop_.sleep_for(std::chrono::milliseconds(2));
      watch_->stop();
      indexer_->stop();
      while (running > 0) co_await loop_.sleep_for(std::chrono::milliseconds(2));
    };
    wait(scenario());
  }
  void follow() {
    LogSizes signed_sizes;
    folder_.sign();
    signed_sizes = look_at(folder_.files(), folder_.directory())->signed_sizes;
    follow_until([&] { return index_->sizes() == signed_sizes; });
  }

  AuditFolder folder_;
  async::Loop loop_;
  async::BlockingPool pool_{1, 256};
  SystemClock clock_;
  Registry metrics_;
  std::unique_ptr<storage::Database> database_;
  std::optional<SearchIndex> index_;
  std::optional<LogWatch> watch_;
  std::optional<Indexer> indexer_;
};

}  // namespace strongroom::connected::relay::testing
