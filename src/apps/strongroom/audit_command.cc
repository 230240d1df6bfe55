// Paths from the configuration, the check by audit/verify.h, the report as text or JSON.
#include "apps/strongroom/audit_command.h"

#include <fmt/core.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "audit/verify.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/id.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

constexpr std::size_t kVkeyBytesMax = 4096;

struct AuditPaths {
  std::string directory;
  std::string vkey;
};

// Only these two of [auditd] matter here; its other keys are auditd's to judge.
ConfigResult<AuditPaths> read_paths(const Context& context) {
  SR_TRY(const ConfigFile file, ConfigFile::load(context.config_path(), context.directory));
  SR_TRY(ConfigSection section, file.section("auditd"));
  AuditPaths paths;
  paths.directory = section.path("directory");
  paths.vkey = section.path("public_key");
  return paths;
}

void show_progress(const audit::VerifyProgress& progress) {
  const double share = progress.bytes_total == 0 ? 1.0
                                                 : static_cast<double>(progress.bytes_done) /
                                                       static_cast<double>(progress.bytes_total);
  constexpr std::size_t kWidth = 40;
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(kWidth));
  fmt::print(stderr, "\r[{:<{}}] {:3.0f} %  {} entries", std::string(filled, '='), kWidth,
             share * 100, progress.entries);
}

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
  boost::json::object object{{"ok", report.ok()},
                             {"entries", report.entries},
                             {"segments", report.segments},
                             {"logs", report.logs},
                             {"checkpoints", report.checkpoints},
                             {"unsigned_entries", report.unsigned_entries},
                             {"open_intent_count", report.open_intent_count},
                             {"open_intents", std::move(intents)},
                             {"bad", nullptr}};
  if (report.bad) object["bad"] = to_json(*report.bad);
  return object;
}

void print_bad(const audit::BadPlace& bad) {
  fmt::print("NOT INTACT: {}\n", bad.what);
  if (!bad.file.empty()) fmt::print("  file      {} at byte {}\n", bad.file, bad.offset_bytes);
  if (bad.sequence != 0) fmt::print("  sequence  {}\n", bad.sequence);
  if (!bad.log.empty()) {
    fmt::print("  log       {}, entries {} to {}\n", bad.log, bad.index_begin, bad.index_end);
  }
  if (bad.torn) {
    fmt::print("  It may be the end of a write that a crash cut; auditd cuts such an end off.\n");
  }
}

std::string count(std::uint64_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

void print(const audit::VerifyReport& report) {
  if (report.bad) {
    print_bad(*report.bad);
  } else {
    fmt::print("intact\n");
  }
  fmt::print("  {} in {}, {}, {} verified\n", count(report.entries, "entry", "entries"),
             count(report.segments, "segment", "segments"), count(report.logs, "log", "logs"),
             count(report.checkpoints, "checkpoint", "checkpoints"));
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

}  // namespace

int verify_audit_log(const Context& context, const std::string& vkey_path) {
  const auto paths = read_paths(context);
  if (!paths) return failed(kUsage, paths.error().text());
  const std::string path = vkey_path.empty() ? paths->vkey : vkey_path;
  auto vkey = read_file(path, kVkeyBytesMax);
  if (!vkey) return failed(kUsage, fmt::format("{}: {}", path, vkey.error().what()));
  while (vkey->ends_with('\n')) vkey->pop_back();
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  audit::PosixFiles files;
  const auto report =
      audit::verify_audit(files, paths->directory, *vkey, SystemClock().now_us(),
                          terminal ? audit::VerifyCallback(show_progress) : nullptr);
  if (terminal) fmt::print(stderr, "\n");
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
  return report->ok() ? kOk : kCheckFailed;
}

}  // namespace strongroom::tool
