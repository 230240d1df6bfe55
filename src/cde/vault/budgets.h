// Budgets: how often in a minute a merchant, and each identity that acts for it, may do what finds
// something out by trying. A stolen key is worth that much and no more. Deletes are counted in the
// database (held_deletes.h).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace strongroom::cde {

enum class Act : std::uint8_t { tokenize, resolve };
inline constexpr std::size_t kActs = 2;

// Of one act, per minute; 1..kBudgetMax.
struct Budget {
  std::int64_t merchant;
  std::int64_t identity;
};
inline constexpr std::int64_t kBudgetMax = 60'000'000;

// One per process, shared by its workers. Thread-safe. A holder's minute is full at first and fills
// again as time goes (GCRA: ITU-T I.371). A new process begins with full ones, and two processes
// count for themselves: of n, a key gets n budgets at most. What that finds out is bounded by
// CardStore's count of like cards, which they share, and by the uses that a token has; a count in
// the database would be one more write for each card.
class Budgets final {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::minutes kWindow{1};
  static constexpr std::size_t kHoldersMax = 65536;  // of one act; further ones share a budget

  // `limits` in the order of Act.
  explicit Budgets(const std::array<Budget, kActs>& limits);

  struct Refusal {
    std::chrono::seconds wait;  // until one more may be done
    // Refusals that the entry in the log stands for which is due now, this one included; 0: none is
    // due, for a holder has one in a minute.
    std::uint64_t to_tell;
  };
  // Spends one act of the merchant's budget and of the identity's, or of none.
  [[nodiscard]] std::expected<void, Refusal> spend(Act act, std::string_view merchant,
                                                   std::string_view identity, TimePoint now);

 private:
  struct Holder {
    TimePoint spent_until{};  // what is spent has come back by then
    TimePoint next_entry{};
    std::uint64_t refused = 0;  // since the last entry
  };
  using Holders = std::map<std::string, Holder, std::less<>>;
  struct Side {
    std::chrono::nanoseconds step{};  // in which one act comes back
    Holders holders;
  };
  static Holder& holder(Side& side, std::string_view name, TimePoint now);
  // How long until one more may be done; nothing or less: now.
  static std::chrono::nanoseconds wait(const Side& side, const Holder& holder, TimePoint now);
  static Refusal refuse(Holder& holder, std::chrono::nanoseconds wait, TimePoint now);

  std::mutex mutex_;
  std::array<Side, kActs> merchants_;
  std::array<Side, kActs> identities_;
};

}  // namespace strongroom::cde
