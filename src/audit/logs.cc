// Names, origins and trees of the logs.
#include "audit/logs.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "audit/entry_text.h"
#include "base/pan_scan.h"
#include "base/try.h"

namespace strongroom::audit {
namespace {

constexpr std::size_t kMerchantIdBytesMax = 64;
constexpr std::size_t kYearDigits = 4;
constexpr std::string_view kShardForm = "0000b00000000T000000Z";  // 0: any digit
// "/<owner>/<shard>" behind a place.
constexpr std::size_t kPlaceBytesMax =
    kFieldBytesMax - 1 - kMerchantIdBytesMax - 1 - kShardForm.size();
constexpr std::size_t kSecondsEnd = 19;  // of 2026-11-22T15:00:00.000Z

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_id_character(char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-'; }

// Behind the last letter. What an origin has behind them begins with a year, whose digits would be
// read with them.
std::size_t last_digits(std::string_view id) {
  const auto last_letter = std::find_if(id.rbegin(), id.rend(), is_letter);
  return static_cast<std::size_t>(std::count_if(id.rbegin(), last_letter, is_digit));
}

// 2026 or 2026b20261122T150000Z
bool is_shard(std::string_view text) {
  if (text.size() != kYearDigits && text.size() != kShardForm.size()) return false;
  return std::ranges::equal(text, kShardForm.substr(0, text.size()), [](char c, char form) {
    return form == '0' ? is_digit(c) : c == form;
  });
}

}  // namespace

bool names_a_log(std::string_view merchant_id) noexcept {
  return !merchant_id.empty() && merchant_id.size() <= kMerchantIdBytesMax &&
         is_letter(merchant_id[0]) && merchant_id != kOperator &&
         std::ranges::all_of(merchant_id, is_id_character) &&
         last_digits(merchant_id) + kYearDigits < kPanDigitsMin;
}

bool is_operators(std::string_view log_name) noexcept {
  return log_name.substr(0, log_name.rfind('-')) == kOperator;
}

std::string_view log_owner(std::string_view merchant_id) noexcept {
  return names_a_log(merchant_id) ? merchant_id : kOperator;
}

std::string_view log_owner(const EntryView& entry) noexcept { return log_owner(entry.merchant_id); }

std::string break_time(std::string_view timestamp) {
  std::string time;
  std::ranges::copy_if(timestamp.substr(0, kSecondsEnd), std::back_inserter(time),
                       [](char c) { return is_digit(c) || c == 'T'; });
  time += 'Z';
  return time;
}

std::string log_of_break(std::string_view broken_at) {
  return fmt::format("{}-{}b{}", kOperator, broken_at.substr(0, kYearDigits), broken_at);
}

const std::string& LogNames::of(const EntryView& entry) {
  const std::string_view year = entry.timestamp.substr(0, kYearDigits);
  name_.assign(log_owner(entry));
  name_ += '-';
  name_ += year;
  const bool breaks = entry.event_type == EventType::log_break;
  if (breaks || year <= std::string_view(broken_at_).substr(0, kYearDigits)) {
    name_ += 'b';
    name_ += breaks ? break_time(entry.timestamp) : broken_at_;
  }
  return name_;
}

void LogNames::took(const EntryView& entry) {
  if (entry.event_type == EventType::log_break) broken_at_ = break_time(entry.timestamp);
}

Result<std::string> log_place(std::string_view trust_domain, std::string_view instance) {
  std::string place = fmt::format("{}/{}", trust_domain, instance);
  const bool is_plain = plain_run(place).size == place.size() &&
                        place.find_first_of(" +") == std::string::npos &&
                        std::ranges::count(place, '/') == 1;
  if (is_plain && place.size() <= kPlaceBytesMax && !looks_like_pan(place)) return place;
  return fail({ErrorCode::invalid_argument,
               "no origin of a log can begin with it: too long, or not of such characters"});
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
  const std::string_view owner = name.substr(0, dash), shard = name.substr(dash + 1);
  return (owner == kOperator || names_a_log(owner)) && is_shard(shard);
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

Log& Logs::of(const EntryView& entry) {
  const std::string& name = names_.of(entry);
  if (const auto found = logs_.find(name); found != logs_.end()) return found->second;
  return logs_.emplace(name, Log{.name = name, .tree = {}, .growth = {}}).first->second;
}

void Logs::append(Log& log, const EntryView& entry, const Hash& leaf, const FramePlace& place) {
  names_.took(entry);
  LogGrowth& growth = log.growth;
  if (growth.empty()) growth.old_size = log.tree.size();
  log.tree.append(leaf, [&growth](unsigned level, const Hash& hash) {
    if (growth.levels.size() <= level) growth.levels.resize(level + 1);
    growth.levels[level].push_back(hash);
  });
  growth.places.push_back(place);
  if (log.tree.size() == 1) note_newest(log);
}

// Shards ascend as their names do.
void Logs::note_newest(const Log& log) {
  const std::string_view owner = std::string_view(log.name).substr(0, log.name.rfind('-'));
  const auto [found, is_first] = newest_.emplace(owner, &log);
  if (!is_first && found->second->name < log.name) found->second = &log;
}

const Log* Logs::newest_of(std::string_view owner) const {
  const auto found = newest_.find(owner);
  return found == newest_.end() ? nullptr : found->second;
}

Log* Logs::find(std::string_view name) {
  const auto found = logs_.find(name);
  return found == logs_.end() ? nullptr : &found->second;
}

void Logs::restore(Log log) {
  const std::string name = log.name;
  const auto [placed, is_new] = logs_.insert_or_assign(name, std::move(log));
  note_newest(placed->second);
}

}  // namespace strongroom::audit
