// audit report.
#include "apps/strongroom/audit_report.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/progress_bar.h"
#include "apps/strongroom/table.h"
#include "apps/strongroom/touches.h"
#include "audit/journal_reader.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr std::size_t kDayBytes = 10;
constexpr std::uint64_t kProgressEntries = 8'192;
constexpr std::string_view kFirstDay = "0000-00-00";

bool is_day(const std::string& text) {
  return text.size() == kDayBytes && parse_rfc3339(text + "T00:00:00.000Z").has_value();
}

std::string today() { return rfc3339(SystemClock().now_us()).substr(0, kDayBytes); }

// exhausted: too many rows; corrupt: the journal is damaged.
Result<Touches> count_touches(const std::string& directory, const TouchFilter& filter) {
  audit::PosixFiles files;
  SR_TRY(auto reader, audit::JournalReader::open(files, directory));
  SR_CHECK_OK(reader.start_at_oldest());
  Touches touches(filter);
  ProgressBar bar("read");
  for (std::uint64_t entries = 0;; ++entries) {
    const auto frame = reader.next();
    // Beside a running auditd the last group may not be whole yet.
    if (!frame && frame.error().code() == ErrorCode::corrupt && reader.torn()) break;
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) break;
    SR_TRY(const audit::EntryView entry, audit::read_entry(as_text((*frame)->entry)));
    if (!touches.add(entry)) {
      return fail({ErrorCode::exhausted, "too many rows: choose fewer days, or one merchant"});
    }
    if (entries % kProgressEntries == 0) bar.show(reader.bytes_read(), reader.bytes_total());
  }
  bar.show(1, 1);
  return touches;
}

void print(const Context& context, const std::map<Touch, std::uint64_t>& counts) {
  if (context.json) {
    boost::json::array rows;
    rows.reserve(counts.size());
    for (const auto& [touch, count] : counts) {
      rows.push_back({{"day", touch.day},
                      {"actor", touch.actor},
                      {"token", touch.token},
                      {"operation", touch.operation},
                      {"outcome", touch.outcome},
                      {"count", count}});
    }
    fmt::print("{}\n", boost::json::serialize(rows));
    return;
  }
  std::vector<std::vector<std::string>> rows{
      {"day", "actor", "token", "operation", "outcome", "count"}};
  rows.reserve(counts.size() + 1);
  for (const auto& [touch, count] : counts) {
    rows.push_back({touch.day, touch.actor, touch.token, touch.operation, touch.outcome,
                    fmt::format("{}", count)});
  }
  fmt::print("{}", table(rows));
}

std::string title_of(const TouchFilter& filter) {
  const std::string who = filter.merchant.empty() ? "all merchants" : filter.merchant;
  const std::string when = filter.from == filter.to   ? filter.to
                           : filter.from == kFirstDay ? fmt::format("until {}", filter.to)
                                                      : filter.from + " to " + filter.to;
  return fmt::format("Who touched cards of {}, {}, entries per day", who, when);
}

}  // namespace

int report_touches(const Context& context, const ReportOptions& options) {
  TouchFilter filter{options.from, options.to, options.merchant};
  for (const std::string* day : {&options.day, &options.from, &options.to}) {
    if (!day->empty() && !is_day(*day)) return failed(kUsage, "a day is YYYY-MM-DD");
  }
  if (filter.from.empty() && filter.to.empty()) {
    filter.from = filter.to = options.day.empty() ? today() : options.day;
  }
  if (filter.from.empty()) filter.from = kFirstDay;
  if (filter.to.empty()) filter.to = today();
  const auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  record_reading(context, "report", filter.merchant,
                 fmt::format("{} to {}", filter.from, filter.to));
  const auto touches = count_touches(paths->directory, filter);
  if (!touches) {
    const ErrorCode code = touches.error().code();
    const int status = code == ErrorCode::exhausted     ? kUsage
                       : code == ErrorCode::unavailable ? kNotReachable
                                                        : kCheckFailed;
    return failed(status, touches.error().what());
  }
  const auto counts = touches->counts();
  if (!options.plot.empty()) {
    const auto written = write_file_durable(
        options.plot, as_bytes(touches_svg(counts, title_of(filter))), kFileMode);
    if (!written)
      return failed(kUsage, fmt::format("{}: {}", options.plot, written.error().what()));
  }
  print(context, counts);
  return kOk;
}

}  // namespace strongroom::tool
