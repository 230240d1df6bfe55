// Directory: merchants and API keys as the auth database holds them. It knows SQL and nothing of
// who asks; authority.h decides and audits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "base/result.h"
#include "connected/auth/role.h"
#include "crypto/hash.h"
#include "storage/database.h"

namespace strongroom::connected::auth {

inline constexpr std::size_t kPageSizeMax = 100;

struct Merchant {
  std::string id;  // mer_...
  std::string name;
  std::int64_t created_at_us = 0;
  bool active = true;  // a suspended merchant's keys open nothing
};

struct ApiKey {
  std::string id;        // key_...
  std::string merchant;  // mer_...
  std::string prefix;    // the visible start of its text
  Role role = Role::merchant_user;
  std::string name;
  std::int64_t created_at_us = 0;
  std::string created_by{};  // "key_...", or "uid:1000" of an operator; empty: not kept then
  std::optional<std::int64_t> revoked_at_us{};
  std::optional<std::int64_t> last_used_at_us{};  // within kLastUsedStepUs
};

// Page of a list, oldest first.
template <class Item>
struct Page {
  std::vector<Item> items;
  bool more = false;  // ask again after the last item's id
};

// Belongs to the database's Loop. Errors are the database's, and those named.
class Directory {
 public:
  // `database` outlives the Directory.
  explicit Directory(storage::Database& database) noexcept : database_(database) {}

  // Durable on return.
  [[nodiscard]] async::Task<Result<void>> add_merchant(Merchant merchant);
  [[nodiscard]] async::Task<Result<std::optional<Merchant>>> merchant(std::string id);
  // At most `limit`, which is at most kPageSizeMax, of those after the merchant `after` (empty:
  // from the first).
  [[nodiscard]] async::Task<Result<Page<Merchant>>> merchants(std::string after,
                                                              std::size_t limit = kPageSizeMax);

  // Durable on return. `hash` is of the key's text.
  [[nodiscard]] async::Task<Result<void>> add_key(ApiKey key, crypto::Sha256Digest hash);
  [[nodiscard]] async::Task<Result<std::optional<ApiKey>>> key(std::string id);
  [[nodiscard]] async::Task<Result<Page<ApiKey>>> keys(std::string merchant, std::string after,
                                                       std::size_t limit = kPageSizeMax);
  // Durable on return. A key that was revoked before keeps its time.
  [[nodiscard]] async::Task<Result<void>> revoke_key(std::string id, std::int64_t now_us);

  // The living key of an active merchant with this hash; empty when there is none. Time does not
  // depend on how much of a hash is right: an index look-up of a hash tells nothing of the text.
  [[nodiscard]] async::Task<Result<std::optional<ApiKey>>> key_by_hash(crypto::Sha256Digest hash);
  [[nodiscard]] async::Task<Result<void>> touch_key(std::string id, std::int64_t now_us);

 private:
  storage::Database& database_;
};

}  // namespace strongroom::connected::auth
