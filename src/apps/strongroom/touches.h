// Touches of cards, counted from the journal, and their picture.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "audit/entry_view.h"
#include "base/id.h"

namespace strongroom::tool {

inline constexpr std::size_t kTouchRowsMax = 1'000'000;

struct Touch {
  std::string day;    // YYYY-MM-DD, UTC
  std::string actor;  // on whose behalf
  std::string token;
  std::string operation;  // the event type
  std::string outcome;    // `open`: an intent whose outcome is not told
  auto operator<=>(const Touch&) const = default;
};

struct TouchFilter {
  std::string from, to;  // days, both inclusive
  std::string merchant;  // empty: all
};

// Touches counts entries as the journal has them, one after the other.
class Touches {
 public:
  explicit Touches(TouchFilter filter) : filter_(std::move(filter)) {}

  // Leaves out what is not about a card or not asked for. False: more than kTouchRowsMax rows.
  [[nodiscard]] bool add(const audit::EntryView& entry);
  // What was added, with the intents that are open.
  [[nodiscard]] std::map<Touch, std::uint64_t> counts() const;
  [[nodiscard]] bool has_open() const noexcept { return !open_.empty(); }

 private:
  TouchFilter filter_;
  std::map<Touch, std::uint64_t> counts_;
  std::map<OperationId, Touch> open_;
};

// An SVG picture of `counts`: a bar per day, in it a part for each of the busiest actors.
[[nodiscard]] std::string touches_svg(const std::map<Touch, std::uint64_t>& counts,
                                      std::string_view title);

}  // namespace strongroom::tool
