// audit report.
#include "apps/strongroom/audit_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

#include "apps/strongroom/archived.h"
#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/progress_bar.h"
#include "apps/strongroom/table.h"
#include "apps/strongroom/touches.h"
#include "audit/archive.h"
#include "audit/holdings.h"
#include "audit/journal_reader.h"
#include "audit/logs.h"
#include "audit/segment.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/pan_scan.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr std::size_t kDayBytes = 10;
constexpr std::uint64_t kProgressEntries = 8'192;
constexpr std::string_view kFirstDay = "0000-00-00", kLastDay = "9999-99-99";

bool is_day(const std::string& text) {
  return text.size() == kDayBytes && parse_rfc3339(text + "T00:00:00.000Z").has_value();
}

std::string day_of(std::int64_t unix_ms) { return rfc3339(unix_ms * 1000).substr(0, kDayBytes); }

std::string today() { return rfc3339(SystemClock().now_us()).substr(0, kDayBytes); }

// What was counted, and what of the days asked for is in archives.
struct Counted {
  std::map<Touch, std::uint64_t> counts;
  std::vector<audit::AwaySegment> away;
};

class Report {
 public:
  Report(std::string directory, TouchFilter filter)
      : directory_(std::move(directory)), filter_(std::move(filter)), touches_(filter_) {}

  // exhausted: too many rows; corrupt: the journal is damaged.
  Result<Counted> count() {
    // Opened first: a segment that auditd archives meanwhile is missed here, not passed over.
    SR_TRY(auto journal, audit::JournalReader::open(files_, directory_));
    SR_TRY(const audit::Holdings holdings, audit::list_holdings(files_, directory_));
    for (const audit::ClosedSegment& copy : holdings.restored) SR_CHECK_OK(count_copy(copy));
    SR_CHECK_OK(count_journal(journal));
    Counted counted{.counts = touches_.counts(), .away = {}};
    SR_TRY(counted.away, concerned(holdings));
    return counted;
  }

 private:
  Result<void> take(const audit::FrameView& frame) {
    SR_TRY(const audit::EntryView entry, audit::read_entry(as_text(frame.entry)));
    if (touches_.add(entry)) return {};
    return fail({ErrorCode::exhausted, "too many rows: choose fewer days, or one merchant"});
  }

  // A copy holds as many entries as the trees have in its segment, whatever its archive says.
  Result<void> count_copy(const audit::ClosedSegment& copy) {
    SR_TRY(const auto parts, audit::parts_in_segment(files_, directory_, copy.first_sequence));
    std::uint64_t left = 0;
    for (const audit::LogPart& part : parts) left += part.end - part.begin;
    SR_TRY(auto reader, audit::JournalReader::open(
                            files_, fmt::format("{}/{}", directory_, audit::kRestoredFolder)));
    SR_CHECK_OK(reader.start_at_segment(copy.first_sequence));
    ProgressBar bar(audit::archive_name(copy.first_sequence));
    for (std::uint64_t entries = 0; entries < left; ++entries) {
      SR_TRY(const auto frame, reader.next());
      if (!frame) return fail({ErrorCode::corrupt, "a restored copy lacks entries"});
      SR_CHECK_OK(take(*frame));
      if (entries % kProgressEntries == 0) bar.show(entries, left);
    }
    bar.show(1, 1);
    return {};
  }

  Result<void> count_journal(audit::JournalReader& reader) {
    SR_CHECK_OK(reader.start_at_oldest());
    ProgressBar bar("read");
    for (std::uint64_t entries = 0;; ++entries) {
      const auto frame = reader.next();
      // Beside a running auditd the last group may not be whole yet.
      if (!frame && frame.error().code() == ErrorCode::corrupt && reader.torn()) break;
      if (!frame) return std::unexpected(frame.error());
      if (!*frame) break;
      SR_CHECK_OK(take(**frame));
      if (entries % kProgressEntries == 0) bar.show(reader.bytes_read(), reader.bytes_total());
    }
    bar.show(1, 1);
    return {};
  }

  // Those that may hold an entry that was asked for, or the outcome of one that is open here.
  Result<std::vector<audit::AwaySegment>> concerned(const audit::Holdings& holdings) {
    std::vector<audit::AwaySegment> all;
    for (const audit::AwaySegment& segment : holdings.away) {
      SR_TRY(const std::string newest, newest_day(segment));
      const std::string oldest = segment.archive ? day_of(segment.archive->segment.oldest_ms) : "";
      if (newest < filter_.from || (oldest > filter_.to && !touches_.has_open())) continue;
      SR_TRY(const bool has_entries, holds_entries_asked_for(segment));
      if (has_entries) all.push_back(segment);
    }
    return all;
  }

  // Without an archive that tells: the day of the first entry known behind the segment, for entries
  // stand in the order of their times but for moments.
  Result<std::string> newest_day(const audit::AwaySegment& segment) {
    if (segment.archive) return day_of(segment.archive->segment.newest_ms);
    const std::uint64_t behind = segment.last_sequence + 1;
    const auto header = audit::read_archive_header(files_, audit::archive_path(directory_, behind));
    if (header) return day_of(header->segment.oldest_ms);
    const auto first_ms = audit::segment_time_ms(files_, directory_, behind);
    return first_ms ? day_of(*first_ms) : std::string(kLastDay);
  }

  // The trees know how many entries of which log were in a segment.
  Result<bool> holds_entries_asked_for(const audit::AwaySegment& segment) {
    if (filter_.merchant.empty() || !segment.archive) return true;
    SR_TRY(const auto parts, audit::parts_in_segment(files_, directory_, segment.first_sequence));
    const std::string_view owner = audit::log_owner(filter_.merchant);
    return std::ranges::any_of(parts, [owner](const audit::LogPart& part) {
      return part.log_name.substr(0, part.log_name.rfind('-')) == owner;
    });
  }

  audit::PosixFiles files_;
  std::string directory_;
  TouchFilter filter_;
  Touches touches_;
};

boost::json::object to_json(const audit::AwaySegment& segment) {
  boost::json::object object{{"archive", nullptr},
                             {"from", nullptr},
                             {"to", nullptr},
                             {"entries", segment.last_sequence - segment.first_sequence + 1}};
  if (segment.archive) {
    object["archive"] = audit::archive_name(segment.first_sequence);
    object["from"] = rfc3339(segment.archive->segment.oldest_ms * 1000);
    object["to"] = rfc3339(segment.archive->segment.newest_ms * 1000);
  }
  return object;
}

std::string text_of(const audit::AwaySegment& segment) {
  const std::string entries = entries_text(segment.last_sequence - segment.first_sequence + 1);
  if (!segment.archive) {
    return fmt::format("{}, {} to {} of the journal, of which no archive is there", entries,
                       segment.first_sequence, segment.last_sequence);
  }
  return fmt::format("{} to {}, {}: strongroom audit restore {}",
                     rfc3339(segment.archive->segment.oldest_ms * 1000),
                     rfc3339(segment.archive->segment.newest_ms * 1000), entries,
                     audit::archive_name(segment.first_sequence));
}

void print(const Context& context, const Counted& counted) {
  const std::map<Touch, std::uint64_t>& counts = counted.counts;
  if (context.json) {
    boost::json::array away;
    away.reserve(counted.away.size());
    for (const audit::AwaySegment& segment : counted.away) away.push_back(to_json(segment));
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
    const boost::json::object report{{"complete", counted.away.empty()},
                                     {"rows", std::move(rows)},
                                     {"archived", std::move(away)}};
    fmt::print("{}\n", boost::json::serialize(report));
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
  if (!counted.away.empty()) fmt::print("\nNot counted, for it is not at hand:\n");
  for (const audit::AwaySegment& segment : counted.away) fmt::print("  {}\n", text_of(segment));
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
  if (looks_like_pan(filter.merchant)) {
    return failed(kUsage,
                  "this id looks like a card number, so the log has [masked] in its place: leave "
                  "--merchant out, and tell its entries by their tokens");
  }
  if (filter.from.empty()) filter.from = kFirstDay;
  if (filter.to.empty()) filter.to = today();
  const auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  record_reading(context, "report", filter.merchant,
                 fmt::format("{} to {}", filter.from, filter.to));
  const auto counted = Report(paths->directory, filter).count();
  if (!counted) {
    const ErrorCode code = counted.error().code();
    const int status = code == ErrorCode::exhausted     ? kUsage
                       : code == ErrorCode::unavailable ? kNotReachable
                                                        : kCheckFailed;
    return failed(status, counted.error().what());
  }
  const bool complete = counted->away.empty();
  if (!options.plot.empty()) {
    const std::string title =
        title_of(filter) + (complete ? "" : "; INCOMPLETE: archived entries are not counted");
    const auto written =
        write_file_durable(options.plot, as_bytes(touches_svg(counted->counts, title)), kFileMode);
    if (!written)
      return failed(kUsage, fmt::format("{}: {}", options.plot, written.error().what()));
  }
  print(context, *counted);
  return complete ? kOk : kArchived;
}

}  // namespace strongroom::tool
