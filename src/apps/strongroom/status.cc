// One line per daemon: ready or not, and which check says so.
#include "apps/strongroom/status.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/daemons.h"
#include "apps/strongroom/table.h"
#include "base/config.h"

namespace strongroom::tool {
namespace {

struct DaemonStatus {
  int status = kNotReachable;
  boost::json::object report;  // /readyz, or what stands for it
};

DaemonStatus ask(const Context& context, std::string_view daemon) {
  const auto response = call_admin(context.directory, daemon, http::Method::get, "/readyz");
  boost::system::error_code error;
  if (response) {
    boost::json::value answer = boost::json::parse(response->body, error);
    if (!error && answer.is_object()) {
      return {.status = response->status == 200 ? kOk : kCheckFailed,
              .report = std::move(answer.get_object())};
    }
  }
  const std::string_view why = response ? "its answer is not JSON"
                               : response.error().code() == ErrorCode::permission_denied
                                   ? "another user listens in its place"
                                   : "does not answer";
  return {.status = kNotReachable,
          .report = {{"instance", daemon}, {"ready", false}, {"error", why}}};
}

std::string text_of(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

void append(std::string& reasons, std::string_view reason) {
  if (!reasons.empty()) reasons += "; ";
  reasons += reason;
}

// The checks that fail and the warnings, or why there is no answer.
std::string remarks(const boost::json::object& report) {
  std::string reasons = text_of(report, "error");
  const boost::json::value* checks = report.if_contains("checks");
  if (checks == nullptr || !checks->is_array()) return reasons;
  for (const boost::json::value& item : checks->get_array()) {
    if (!item.is_object() || item.get_object().if_contains("ok") == nullptr) continue;
    const boost::json::object& check = item.get_object();
    if (check.at("ok") == true) continue;
    append(reasons, fmt::format("{}: {}", text_of(check, "name"), text_of(check, "detail")));
  }
  const boost::json::value* warnings = report.if_contains("warnings");
  if (warnings == nullptr || !warnings->is_array()) return reasons;
  for (const boost::json::value& warning : warnings->get_array()) {
    if (warning.is_string())
      append(reasons, fmt::format("warning: {}", warning.get_string().c_str()));
  }
  return reasons;
}

void print_table(const std::vector<DaemonStatus>& daemons) {
  std::vector<std::vector<std::string>> rows{{"daemon", "ready", "version", "remarks"}};
  for (const DaemonStatus& daemon : daemons) {
    rows.push_back({text_of(daemon.report, "instance"), daemon.status == kOk ? "yes" : "no",
                    text_of(daemon.report, "version"), remarks(daemon.report)});
  }
  fmt::print("{}", table(rows));
}

void print_json(const std::vector<DaemonStatus>& daemons, bool ready) {
  boost::json::array list;
  for (const DaemonStatus& daemon : daemons) list.push_back(daemon.report);
  fmt::print("{}\n",
             boost::json::serialize(boost::json::object{{"ready", ready}, {"daemons", list}}));
}

}  // namespace

int show_status(const Context& context) {
  const auto file = ConfigFile::load(context.config_path());
  if (!file) return failed(kUsage, file.error().text());
  std::vector<DaemonStatus> daemons;
  int status = kOk;
  for (const Daemon& daemon : daemons_of(*file)) {
    daemons.push_back(ask(context, daemon.instance));
    status = std::max(status, daemons.back().status);
  }
  if (context.json) {
    print_json(daemons, status == kOk);
  } else {
    print_table(daemons);
  }
  return status;
}

}  // namespace strongroom::tool
