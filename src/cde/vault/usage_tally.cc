// Writing is a statement for a few dozen tokens, in their order, so that two tallies never wait
// for each other's rows crosswise.
#include "cde/vault/usage_tally.h"

#include <array>
#include <utility>
#include <vector>

#include "base/log.h"
#include "storage/value.h"

namespace strongroom::cde {
namespace {

using storage::Column;
using storage::ColumnType;
using storage::Value;

constexpr std::size_t kTokensPerCommit = 64;
constexpr std::array kGiven{Column{"counted", ColumnType::bytes},
                            Column{"uses", ColumnType::integer}};
constexpr storage::ManySql kAddUses{
    "UPDATE cards SET usage_count = usage_count + given.uses FROM {given}"
    " WHERE token_id = given.counted AND deleted_at IS NULL",
    kGiven};

}  // namespace

void UsageTally::add(TokenId token, std::int64_t count) {
  if (counts_.size() >= kTokensMax && !counts_.contains(token)) {
    if (!std::exchange(full_, true)) log::warn("uses of tokens are not counted any more");
    return;
  }
  counts_[token] += count;
}

async::Task<Result<void>> UsageTally::flush() {
  Counts counts = std::exchange(counts_, {});
  full_ = false;
  while (!counts.empty()) {
    std::vector<storage::Row> rows;
    auto end = counts.begin();
    for (; end != counts.end() && rows.size() < kTokensPerCommit; ++end) {
      rows.push_back({Value::id(end->first), Value::integer(end->second)});
    }
    const auto written = co_await storage::write_rows(database_, kAddUses, std::move(rows));
    if (!written) {
      // What may have been written is not written again: a use less, rather than one too many.
      const bool open = written.error().code() == ErrorCode::unknown_outcome;
      if (open) counts.erase(counts.begin(), end);
      for (const auto& [token, count] : counts) add(token, count);
      co_return fail(written.error());
    }
    counts.erase(counts.begin(), end);
  }
  co_return Result<void>{};
}

async::Task<void> UsageTally::run() {
  while (!stopping_) {
    busy_ = true;
    static_cast<void>(co_await flush());  // readiness says that the database is away
    busy_ = false;
    co_await loop_.sleep_for(kStep);
  }
}

}  // namespace strongroom::cde
