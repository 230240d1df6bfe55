// Quotas: how much each writer may put into the log in a time, so that one that was taken over
// cannot fill the disk, or bury what others write (PCI DSS 10.3.3, 10.7).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace strongroom::auditd {

struct QuotaLimit {
  std::uint64_t at_once = 0;  // what may be used when nothing was; more is not saved up
  std::uint64_t per_minute = 0;
};

// About 24,000 entries of 700 bytes a second, more than a host of two cores causes.
inline constexpr std::uint64_t kQuotaBytesPerMinute = std::uint64_t{1} << 30;

// A log costs files, memory and a checkpoint for ever, so a writer may not begin one for each id
// that it makes up. A merchant's log begins with authd's merchant.create, one by one: ten thousand
// merchants may come at once, and then ten a second, which is an import of a million in a day.
inline constexpr QuotaLimit kNewLogsQuota{.at_once = 10'000, .per_minute = 600};

// Thread-safe.
class Quotas {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Quotas(QuotaLimit limit) : limit_(limit) {}

  // Takes `amount` off what `instance` has left. False, and nothing is taken, when it has less.
  [[nodiscard]] bool take(std::string_view instance, std::size_t amount, Time now);
  // What was used stays used.
  void set_limit(QuotaLimit limit);
  // The writers that were turned away, and whether they were since `since`; those that were not are
  // forgotten.
  [[nodiscard]] std::map<std::string, bool> turned_away(Time since);

 private:
  struct Used {
    double amount = 0;
    Time at;
  };

  std::mutex mutex_;
  QuotaLimit limit_;
  std::map<std::string, Used, std::less<>> used_;
  std::map<std::string, Time, std::less<>> turned_away_;
};

}  // namespace strongroom::auditd
