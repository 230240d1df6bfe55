// UsageTally: counts the uses of tokens that have no limit. Nothing is decided by that count, so no
// payment waits for it, nor costs a commit: what a second brought is written together. What a
// killed process had not written yet is not counted.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>

#include "async/loop.h"
#include "async/task.h"
#include "base/id.h"
#include "base/result.h"
#include "storage/database.h"

namespace strongroom::cde {

// Belongs to one Loop. Its parts outlive it.
class UsageTally final {
 public:
  static constexpr std::chrono::seconds kStep{1};
  static constexpr std::size_t kTokensMax = 65536;  // that wait; the uses of more are not counted

  UsageTally(async::Loop& loop, storage::Database& database) : loop_(loop), database_(database) {}

  void add(TokenId token, std::int64_t count = 1);

  // Writes what was counted. Errors are the database's; what was not written is kept.
  [[nodiscard]] async::Task<Result<void>> flush();
  // Does that every second, until stop().
  [[nodiscard]] async::Task<void> run();
  void stop() noexcept { stopping_ = true; }
  // True while run() is at the database, not in its pauses.
  [[nodiscard]] bool busy() const noexcept { return busy_; }

 private:
  using Counts = std::map<TokenId, std::int64_t>;

  async::Loop& loop_;
  storage::Database& database_;
  Counts counts_;
  bool full_ = false;
  bool stopping_ = false;
  bool busy_ = false;
};

}  // namespace strongroom::cde
