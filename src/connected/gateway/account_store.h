// AccountStore: which account at which processor a merchant has. Sealed by connectord; read often,
// changed by hand.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/clock.h"
#include "base/result.h"
#include "connected/gateway/records.h"
#include "storage/database.h"

namespace strongroom::connected::gateway {

// Belongs to the database's Loop; both outlive it. Errors of every call are the database's.
class AccountStore final {
 public:
  static constexpr std::int64_t kKeepUs = 1'000'000;  // how long an account may be the old one
  static constexpr std::size_t kMerchantsMax = 4096;
  static constexpr std::size_t kAccountsMax = 100;  // of a merchant

  AccountStore(storage::Database& database, const Clock& clock) noexcept
      : database_(database), clock_(clock) {}

  // Adds the account, or replaces the sealed credentials of the one with its id. Durable on return.
  // conflict: the id is another connector's.
  [[nodiscard]] async::Task<Result<void>> put(Account account);
  // The merchant's accounts, oldest first; at most kKeepUs old.
  [[nodiscard]] async::Task<Result<std::vector<Account>>> of_merchant(std::string merchant);
  // As the database has it now.
  [[nodiscard]] async::Task<Result<std::optional<Account>>> find(std::string merchant,
                                                                 std::string id);

 private:
  struct Kept {
    std::vector<Account> accounts;
    std::int64_t until_us = 0;
  };
  async::Task<Result<std::vector<Account>>> read(std::string merchant);

  storage::Database& database_;
  const Clock& clock_;
  std::map<std::string, Kept, std::less<>> kept_;
};

}  // namespace strongroom::connected::gateway
