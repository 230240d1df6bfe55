// What every route of the log has in common: who reads, whether he may, and the entry that says so.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/blocking_pool.h"
#include "async/loop.h"
#include "async/task.h"
#include "audit/denials.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "base/result.h"
#include "connected/relay/indexer.h"
#include "connected/relay/log_files.h"
#include "connected/relay/log_watch.h"
#include "connected/relay/search_index.h"
#include "connected/relay/turns.h"
#include "crypto/random.h"
#include "http/message.h"
#include "http/shares.h"

namespace strongroom::connected::relay {

// So many requests a merchant may have under way; those of a few dozen fit into the listener.
inline constexpr std::size_t kRequestsPerMerchantMax = 16;

// What the handlers call; everything outlives the routers.
struct RouteParts {
  const bool& serving;   // false until the start is in the log: 503
  const bool& stopping;  // then nobody waits any longer
  async::Loop& loop;
  async::BlockingPool& pool;
  const LogFiles& logs;
  const LogWatch& watch;
  http::Shares& shares;
  Turns& turns;
  SearchIndex& index;
  const Indexer& indexer;
  audit::Recorder& recorder;
  audit::Denials& denials;
  crypto::Random& random;
  const Clock& clock;
  // How long a proof waits for its checkpoint; auditd signs within a second or two.
  std::chrono::milliseconds patience{2'000};
};

// Whose logs a reader may know of.
struct Sight {
  Owner owner;  // nullopt: everybody's
  [[nodiscard]] bool covers(std::string_view other) const { return !owner || *owner == other; }
};
// nullopt: nobody's. A merchant's ticket of scope audit:read sees that merchant's own logs alone. A
// ticket without a merchant is of the platform, and sees all by the scope audit:read-all and none
// without it. An operator at the admin socket sees all.
[[nodiscard]] std::optional<Sight> sight_of(const http::Request& request);

// One reading: "GET /v1/audit/entries", whose logs it was of (empty: of several owners), and what
// was asked for.
struct Reading {
  std::string_view operation;
  std::string owner{};
  std::vector<std::string> resources{};
  audit::EventType type = audit::EventType::log_read;
};
// Writes the entry of its type, into the log of the owner that was read, so that a merchant sees
// who did; into the operator's, with the owner as a resource, where that has none. One that was not
// narrowed down has the owner as its resource, or "all logs". Durable on return. unavailable:
// nothing may be answered (PCI DSS 10.2.1.3).
[[nodiscard]] async::Task<Result<void>> record_reading(RouteParts parts,
                                                       const http::Request& request,
                                                       Reading reading, bool success);

// The asker's turn (turns.h) with the search index: its ticket's merchant's, or the platform's.
// An operator at the admin socket waits for none.
[[nodiscard]] async::Task<std::optional<Turns::Turn>> take_turn(RouteParts parts,
                                                                const http::Request& request);

// `response`, once the reading is recorded; else that it could not be.
[[nodiscard]] async::Task<http::Response> answer_recorded(RouteParts parts,
                                                          const http::Request& request,
                                                          Reading reading, http::Response response);
// `refused`, once the denial is recorded; else that it could not be.
[[nodiscard]] async::Task<http::Response> deny(RouteParts parts, const http::Request& request,
                                               std::string_view operation, wire::Problem refused);

[[nodiscard]] http::Response problem(const http::Request& request, const wire::Problem& what);

}  // namespace strongroom::connected::relay
