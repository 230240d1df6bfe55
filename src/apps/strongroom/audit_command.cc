// Paths from the configuration, the check by audit/verify.h, the report as text or JSON.
#include "apps/strongroom/audit_command.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/log_gaps.h"
#include "apps/strongroom/progress_bar.h"
#include "audit/archive.h"
#include "audit/verify.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

boost::json::object to_json(const audit::BadPlace& bad) {
  return {{"what", bad.what},           {"file", bad.file}, {"offset_bytes", bad.offset_bytes},
          {"sequence", bad.sequence},   {"log", bad.log},   {"index_begin", bad.index_begin},
          {"index_end", bad.index_end}, {"torn", bad.torn}};
}

boost::json::object to_json(const audit::OpenIntentPlace& intent) {
  return {{"operation_id", uuid_text(intent.operation_id.bytes)},
          {"instance", intent.instance},
          {"event_type", audit::name(intent.event_type)},
          {"sequence", intent.sequence}};
}

boost::json::object to_json(const audit::VerifyReport& report) {
  boost::json::array intents;
  for (const auto& intent : report.open_intents) intents.push_back(to_json(intent));
  boost::json::array unvouched;
  for (const std::uint64_t sequence : report.unvouched_archives) {
    unvouched.emplace_back(audit::archive_name(sequence));
  }
  boost::json::array unaccounted;
  for (const auto& [first, last] : report.unaccounted) {
    unaccounted.push_back({{"first_sequence", first}, {"last_sequence", last}});
  }
  boost::json::object object{{"ok", report.ok()},
                             {"complete", report.complete()},
                             {"entries", report.entries},
                             {"unread_entries", report.unread_entries},
                             {"segments", report.segments},
                             {"logs", report.logs},
                             {"checkpoints", report.checkpoints},
                             {"unsigned_entries", report.unsigned_entries},
                             {"open_intent_count", report.open_intent_count},
                             {"open_intents", std::move(intents)},
                             {"archives", report.archives},
                             {"archives_known", report.archives_known},
                             {"unvouched_archives", std::move(unvouched)},
                             {"unaccounted", std::move(unaccounted)},
                             {"bad", nullptr}};
  if (report.bad) object["bad"] = to_json(*report.bad);
  return object;
}

void print_bad(const audit::BadPlace& bad) {
  fmt::print("NOT INTACT: {}\n", bad.what);
  if (!bad.file.empty()) fmt::print("  file      {} at byte {}\n", bad.file, bad.offset_bytes);
  if (bad.sequence != 0) fmt::print("  sequence  {}\n", bad.sequence);
  if (!bad.log.empty()) fmt::print("  log       {}\n", bad.log);
  if (bad.index_end == bad.index_begin + 1) {
    fmt::print("  entry     {}\n", bad.index_begin);
  } else if (bad.index_end > bad.index_begin) {
    fmt::print("  entries   {} to {}\n", bad.index_begin, bad.index_end - 1);
  }
  if (bad.torn) {
    fmt::print("  It may be the end of a write that a crash cut; auditd cuts such an end off.\n");
  }
}

void print(const audit::VerifyReport& report) {
  if (report.bad) {
    print_bad(*report.bad);
  } else {
    fmt::print("{}\n", report.complete() ? "intact" : "INCOMPLETE: intact as far as it goes");
  }
  fmt::print("  {} in {}, {}, {} verified\n", count(report.entries, "entry", "entries"),
             count(report.segments, "segment", "segments"), count(report.logs, "log", "logs"),
             count(report.checkpoints, "checkpoint", "checkpoints"));
  if (report.archives > 0) {
    fmt::print("  {} as the log names {}\n", count(report.archives, "archive", "archives"),
               report.archives == 1 ? "it" : "them");
  }
  for (const std::string& gap : gaps_of(report)) fmt::print("  {}\n", gap);
  fmt::print(
      "  {} newer than their log's last checkpoint{}\n",
      count(report.unsigned_entries, "entry", "entries"),
      report.unsigned_entries == 0
          ? ""
          : ": checked, but not yet signed for; a running auditd signs within a second or two");
  fmt::print("  {} without an outcome\n", count(report.open_intent_count, "intent", "intents"));
  for (const auto& intent : report.open_intents) {
    fmt::print("    {} of {}, sequence {}\n", audit::name(intent.event_type), intent.instance,
               intent.sequence);
  }
}

Result<audit::VerifyReport> verify_with_bar(const AuditPaths& paths, std::string_view vkey) {
  std::vector<audit::NoteKey> witnesses;
  witnesses.reserve(paths.witnesses.size());
  for (const std::string& text : paths.witnesses) {
    SR_TRY(audit::NoteKey key, audit::NoteKey::parse(text, audit::NoteKeyType::cosignature));
    witnesses.push_back(std::move(key));
  }
  audit::PosixFiles files;
  ProgressBar bar("verified");
  return audit::verify_audit(
      files, paths.directory, vkey, SystemClock().now_us(),
      [&bar](const audit::VerifyProgress& at) { bar.show(at.bytes_done, at.bytes_total); },
      witnesses);
}

}  // namespace

int verify_audit_log(const Context& context, const std::string& vkey_path) {
  const auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  const std::string path = vkey_path.empty() ? paths->vkey : vkey_path;
  const auto vkey = read_key_file(path);
  if (!vkey) return vkey.error();
  record_reading(context, "verify", {}, {});
  const auto report = verify_with_bar(*paths, *vkey);
  if (!report) {
    const int status =
        report.error().code() == ErrorCode::invalid_argument ? kUsage : kNotReachable;
    const std::string& at_fault = status == kUsage ? path : paths->directory;
    return failed(status, fmt::format("{}: {}", at_fault, report.error().what()));
  }
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(to_json(*report)));
  } else {
    print(*report);
  }
  if (!report->ok()) return kCheckFailed;
  return report->complete() ? kOk : kArchived;
}

}  // namespace strongroom::tool
