// write_batch: what a batcher's batch becomes in a database: one transaction, and one for each item
// where what one of them is would undo it for all.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "base/try.h"

namespace strongroom::storage {

// `write` writes some of the items as one transaction, as Task<Result<std::vector<Outcome>>>, with
// an outcome for each in their order. Gives each item its fate; `items` outlive the call.
template <class Outcome, class Item, class Write>
[[nodiscard]] async::Task<std::vector<Result<Outcome>>> write_batch(std::span<const Item> items,
                                                                    Write write) {
  std::vector<Result<Outcome>> fates;
  fates.reserve(items.size());
  const Result<std::vector<Outcome>> together = co_await write(items);
  if (together) {
    SR_CHECK(together->size() == items.size());
    for (const Outcome& outcome : *together) fates.emplace_back(outcome);
    co_return fates;
  }
  const ErrorCode code = together.error().code();
  const bool one_spoils_all = code == ErrorCode::conflict || code == ErrorCode::invalid_argument;
  if (!one_spoils_all || items.size() == 1) {
    fates.assign(items.size(), Result<Outcome>(fail(together.error())));
    co_return fates;
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Result<std::vector<Outcome>> alone = co_await write(items.subspan(i, 1));
    fates.push_back(alone ? Result<Outcome>(alone->front()) : Result<Outcome>(fail(alone.error())));
  }
  co_return fates;
}

}  // namespace strongroom::storage
