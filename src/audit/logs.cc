// Names, origins and trees of the logs.
#include "audit/logs.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kMerchantIdBytesMax = 64;
constexpr std::size_t kYearDigits = 4;

bool is_id_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool names_a_log(std::string_view merchant_id) noexcept {
  return !merchant_id.empty() && merchant_id.size() <= kMerchantIdBytesMax &&
         merchant_id != kOperator && std::ranges::all_of(merchant_id, is_id_character);
}

bool is_operators(std::string_view log_name) noexcept {
  return log_name.starts_with(kOperator) && log_name.substr(kOperator.size()).starts_with('-');
}

void log_name(const EntryView& entry, std::string& out) {
  out.assign(names_a_log(entry.merchant_id) ? entry.merchant_id : kOperator);
  out += '-';
  out += entry.timestamp.substr(0, kYearDigits);
}

std::string log_name(const EntryView& entry) {
  std::string name;
  log_name(entry, name);
  return name;
}

std::string log_origin(std::string_view place, std::string_view name) {
  const std::size_t dash = std::min(name.rfind('-'), name.size() - 1);
  return fmt::format("{}/{}/{}", place, name.substr(0, dash), name.substr(dash + 1));
}

Result<std::string> place_of_origin(std::string_view origin) {
  const std::size_t year = origin.rfind('/');
  const std::size_t owner = year == std::string_view::npos || year == 0
                                ? std::string_view::npos
                                : origin.rfind('/', year - 1);
  if (owner == std::string_view::npos || owner == 0) {
    return fail({ErrorCode::invalid_argument, "not the origin of a log"});
  }
  return std::string(origin.substr(0, owner));
}

Result<std::string> name_of_origin(std::string_view place, std::string_view origin) {
  if (origin.starts_with(place) && origin.substr(place.size()).starts_with('/')) {
    std::string name(origin.substr(place.size() + 1));
    const std::size_t slash = name.find('/');
    if (slash != std::string::npos) {
      name[slash] = '-';
      if (name.find('/') == std::string::npos) return name;
    }
  }
  return fail({ErrorCode::invalid_argument, "not the origin of a log of this place"});
}

bool is_log_name(std::string_view name) noexcept {
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos) return false;
  const std::string_view owner = name.substr(0, dash), year = name.substr(dash + 1);
  return (owner == kOperator || names_a_log(owner)) && year.size() == kYearDigits &&
         std::ranges::all_of(year, is_digit);
}

void LogGrowth::join(LogGrowth later) {
  if (empty()) {
    *this = std::move(later);
    return;
  }
  SR_CHECK(later.empty() || later.old_size == old_size + places.size());
  if (levels.size() < later.levels.size()) levels.resize(later.levels.size());
  for (std::size_t level = 0; level < later.levels.size(); ++level) {
    levels[level].insert(levels[level].end(), later.levels[level].begin(),
                         later.levels[level].end());
  }
  places.insert(places.end(), later.places.begin(), later.places.end());
}

Log& Logs::append(const EntryView& entry, const Hash& leaf, const FramePlace& place) {
  log_name(entry, name_);
  Log& log = logs_[name_];
  LogGrowth& growth = log.growth;
  if (growth.empty()) growth.old_size = log.tree.size();
  log.tree.append(leaf, [&growth](unsigned level, const Hash& hash) {
    if (growth.levels.size() <= level) growth.levels.resize(level + 1);
    growth.levels[level].push_back(hash);
  });
  growth.places.push_back(place);
  return log;
}

}  // namespace strongroom::audit
