// Quotas: how many bytes a minute each writer may put into the journal, so that one that was taken
// over cannot fill the disk, or bury what others write (PCI DSS 10.3.3, 10.7).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace strongroom::auditd {

// About 24,000 entries of 700 bytes a second, more than a host of two cores causes.
inline constexpr std::uint64_t kQuotaBytesPerMinute = std::uint64_t{1} << 30;

// One thread.
class Quotas {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Quotas(std::uint64_t bytes_per_minute) : bytes_per_minute_(bytes_per_minute) {}

  // Takes `bytes` off what `instance` has left. False, and nothing is taken, when it has less. What
  // was not used for a minute may be used at once; more is not saved up.
  [[nodiscard]] bool take(std::string_view instance, std::size_t bytes, Time now);
  // What was used stays used.
  void set_bytes_per_minute(std::uint64_t bytes) { bytes_per_minute_ = bytes; }
  // The writers that were turned away, and whether they were since `since`; those that were not are
  // forgotten.
  [[nodiscard]] std::map<std::string, bool> turned_away(Time since);

 private:
  struct Used {
    double bytes = 0;
    Time at;
  };

  std::uint64_t bytes_per_minute_;
  std::map<std::string, Used, std::less<>> used_;
  std::map<std::string, Time, std::less<>> turned_away_;
};

}  // namespace strongroom::auditd
