// audit export.
#include "apps/strongroom/audit_export.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/checkpoint_list.h"
#include "apps/strongroom/export_folder.h"
#include "apps/strongroom/signed_checkpoint.h"
#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/static_tree.h"
#include "audit/submission.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

// audit-relay asks a witness every two seconds.
constexpr std::chrono::seconds kWitnessPatience{10};
// It looks once a second which logs there are.
constexpr std::chrono::seconds kRelayPatience{5};
constexpr std::chrono::milliseconds kPause{100};
constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;

// Returns when the witnesses have cosigned the operator's log that grows now as it is, or not in
// time; what there is then is exported.
void wait_for_all_witnesses(audit::Files& files, const std::string& directory, const LogKey& key,
                            const Witnesses& witnesses) {
  const auto log = audit::newest_operators_log(files, directory);
  if (witnesses.empty() || !log) return;
  auto reader = audit::LogReader::open(files, directory, *log);
  const auto verifier = key.verifier(audit::log_origin(key.place(), *log));
  if (reader && verifier) wait_for_witnesses(*reader, *verifier, witnesses, kWitnessPatience);
}

// Has audit-relay record that `log` is exported, before it is; kOk also where none runs, which is
// said, and for a log that has no checkpoint: there is nothing to export.
int record_export(const Context& context, const std::string& log) {
  const std::size_t dash = log.rfind('-');
  if (dash == std::string::npos) return kOk;  // no log's name
  const std::string target =
      fmt::format("/v1/exports/{}/{}", log.substr(0, dash), log.substr(dash + 1));
  const auto deadline = std::chrono::steady_clock::now() + kRelayPatience;
  while (true) {
    const auto answer = call_admin(context.directory, "audit-relay", http::Method::post, target);
    if (!answer) {
      fmt::print(stderr, "strongroom: {}: its export is not recorded: audit-relay does not run\n",
                 log);
      return kOk;
    }
    if (answer->status == 204) return kOk;
    if (answer->status != 404 || std::chrono::steady_clock::now() > deadline) {
      return failed(kNotReachable,
                    fmt::format("{}: not exported, for that cannot be recorded", log));
    }
    std::this_thread::sleep_for(kPause);
  }
}

int not_exported(std::string_view log, const Error& error) {
  switch (error.code()) {
    case ErrorCode::not_found:
    case ErrorCode::conflict:
    case ErrorCode::corrupt:
    case ErrorCode::permission_denied:
      return failed(kCheckFailed, fmt::format("{}: {}", log, error.what()));
    default:
      return failed(kNotReachable, fmt::format("{}: {}", log, error.what()));
  }
}

// Which logs are exported, listed anew at each turn: what the operator's logs tell of must be
// there.
class Chosen {
 public:
  Chosen(audit::Files& files, std::string directory, std::string by_name)
      : files_(files), directory_(std::move(directory)), by_name_(std::move(by_name)) {}

  Result<std::vector<std::string>> list() {
    if (by_name_.empty()) return audit::list_logs(files_, directory_);
    return std::vector{by_name_};
  }
  bool has_checkpoint(const std::string& log) {
    auto reader = audit::LogReader::open(files_, directory_, log);
    return reader && reader->newest_note();
  }
  // A log for which nobody has signed yet must be exported only when it is asked for by name.
  [[nodiscard]] bool may_leave_out(const Error& error) const {
    return by_name_.empty() && error.code() == ErrorCode::not_found;
  }

 private:
  audit::Files& files_;
  std::string directory_;
  std::string by_name_;
};

// Records the exports of `logs` that are not in `recorded` yet, and has all of it signed; the exit
// status. `signed_now`: whether auditd has.
int record_exports(const Context& context, Chosen& chosen, const std::vector<std::string>& logs,
                   std::set<std::string>& recorded, bool& signed_now) {
  const std::size_t before = recorded.size();
  for (const std::string& log : logs) {
    if (!chosen.has_checkpoint(log) || !recorded.insert(log).second) continue;
    if (const int status = record_export(context, log); status != kOk) return status;
  }
  if (recorded.size() > before) signed_now = ask_for_checkpoints(context);
  return kOk;
}

// Adds what was exported to `done`; or gives the exit status.
int write_logs(ExportFolder& to, const Chosen& chosen, const std::vector<std::string>& logs,
               std::vector<ExportedLog>& done) {
  for (const std::string& log : logs) {
    auto written = to.write(log);
    if (!written && chosen.may_leave_out(written.error())) {
      fmt::print(stderr, "strongroom: {}: left out, for it has no checkpoint yet\n", log);
      continue;
    }
    if (!written) return not_exported(log, written.error());
    done.push_back(*std::move(written));
  }
  return kOk;
}

void print(const Context& context, const std::string& out, const std::vector<ExportedLog>& done,
           const std::map<std::string, audit::StaticGaps>& gaps) {
  if (!context.json) fmt::print("exported to {}\n", out);
  boost::json::array logs;
  for (const ExportedLog& log : done) {
    boost::json::object object = to_json(log.last.checkpoint);
    boost::json::array cosigners;
    if (!context.json) print_checkpoint(log.last.checkpoint);
    for (const auto& [witness, time_s] : log.last.cosignatures) {
      const std::string time = rfc3339(time_s * kMicrosecondsPerSecond);
      cosigners.push_back({{"witness", witness}, {"at", time}});
      if (!context.json) fmt::print("    cosigned by {} at {}\n", witness, time);
    }
    object["cosigned"] = std::move(cosigners);
    logs.push_back(std::move(object));
  }
  if (!context.json) {
    print_gaps(gaps);
    return;
  }
  const boost::json::object report{
      {"ok", true}, {"logs", std::move(logs)}, {"gaps", gaps_json(gaps)}};
  fmt::print("{}\n", boost::json::serialize(report));
}

}  // namespace

int export_logs(const Context& context, const ExportOptions& options) {
  if (options.log.empty() != options.all) return failed(kUsage, "either --log or --all");
  const auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  const auto key = LogKey::read(paths->vkey);
  if (!key) return key.error();
  const auto witnesses = read_witnesses(paths->witnesses);
  if (!witnesses) return witnesses.error();
  audit::PosixFiles files;
  ExportFolder to(files, paths->directory, *key, *witnesses, options.out, options.log);
  Chosen chosen(files, paths->directory, options.log);
  std::set<std::string> recorded;
  std::vector<ExportedLog> done;
  ask_for_checkpoints(context);
  // The operator's logs first: what they tell of the others is then no more than those have.
  for (const bool operators : {true, false}) {
    auto logs = chosen.list();
    if (!logs) return not_exported(paths->directory, logs.error());
    bool signed_now = false;
    if (const int status = record_exports(context, chosen, *logs, recorded, signed_now);
        status != kOk) {
      return status;
    }
    std::erase_if(*logs, [operators](const std::string& log) {
      return audit::is_operators(log) != operators;
    });
    if (operators && !logs->empty() && signed_now && paths->asks_witnesses) {
      wait_for_all_witnesses(files, paths->directory, *key, *witnesses);
    }
    if (const int status = write_logs(to, chosen, *logs, done); status != kOk) return status;
  }
  if (const auto ended = to.finish(); !ended) return not_exported(options.out, ended.error());
  std::map<std::string, audit::StaticGaps> gaps;
  for (ExportedLog& log : done) {
    if (!log.gaps.empty()) gaps.emplace(log.path, std::move(log.gaps));
  }
  print(context, options.out, done, gaps);
  return gaps.empty() ? kOk : kArchived;
}

}  // namespace strongroom::tool
