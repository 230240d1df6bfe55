#include "apps/strongroom/audit_search.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/entry_check.h"
#include "apps/strongroom/table.h"
#include "base/result.h"
#include "http/target.h"

namespace strongroom::tool {
namespace {

constexpr std::string_view kRelay = "audit-relay";
constexpr std::uint64_t kPageMax = 50;  // of the longest entries; an answer has at most 1 MiB

std::string target_of(const AuditFilter& filter) {
  const std::array<std::pair<std::string_view, const std::string&>, 7> parameters{
      {{"token", filter.token},
       {"merchant", filter.merchant},
       {"actor", filter.actor},
       {"type", filter.type},
       {"request", filter.request},
       {"from", filter.from},
       {"to", filter.to}}};
  std::string target = "/v1/entries?";
  for (const auto& [name, value] : parameters) {
    if (!value.empty()) target += fmt::format("{}={}&", name, http::percent_encoded(value));
  }
  return target;
}

std::vector<std::string> row_of(const boost::json::object& found) {
  const std::string place = fmt::format("{}/{}", member(found, "owner"), member(found, "shard"));
  const std::string index = boost::json::serialize(found.at("index"));
  if (found.at("entry").is_null()) return {"archived", place, index, "-", "-", "-", "-", "-"};
  const boost::json::object& entry = found.at("entry").as_object();
  const boost::json::object& facts = entry.at("unmapped").as_object();
  const boost::json::object& source = entry.at("src_endpoint").as_object();
  std::string resources;
  for (const boost::json::value& resource : entry.at("resources").as_array()) {
    if (!resources.empty()) resources += ' ';
    resources += member(resource.as_object(), "uid");
  }
  const std::string outcome = member(facts, "outcome");
  return {member(facts, "timestamp"),
          place,
          index,
          member(facts, "event_type"),
          outcome == "-" ? member(facts, "phase") : outcome,
          member(entry.at("actor").at("user").as_object(), "uid"),
          source.contains("ip") ? member(source, "ip") : member(source, "name"),
          resources.empty() ? "-" : resources};
}

// False, and `status` set, once an entry of the page is not what stands in the log.
bool check_all(EntryCheck& check, const boost::json::array& entries, int& status) {
  for (const boost::json::value& value : entries) {
    const boost::json::object& found = value.as_object();
    const Result<void> checked = check.check(found);
    if (checked) continue;
    const bool altered = checked.error().code() != ErrorCode::unavailable;
    status =
        failed(altered ? kCheckFailed : kNotReachable,
               fmt::format("entry {} of {}/{}: {}", boost::json::serialize(found.at("index")),
                           member(found, "owner"), member(found, "shard"), checked.error().what()));
    return false;
  }
  return true;
}

// Beside the answer, which is for programs, too.
void say(const EntryCheck& check) { fmt::print(stderr, "strongroom: {}\n", check.what_was_done()); }

void print_lines(const Context& context, const boost::json::array& entries) {
  for (const boost::json::value& entry : entries) {
    if (context.json) {
      fmt::print("{}\n", boost::json::serialize(entry));
      continue;
    }
    const std::vector<std::string> cells = row_of(entry.as_object());
    fmt::print("{}  {} {}  {} {}  {}  {}  {}\n", cells[0], cells[1], cells[2], cells[3], cells[4],
               cells[5], cells[6], cells[7]);
  }
  std::fflush(stdout);  // who follows through a pipe waits for it
}

}  // namespace

int search_audit_log(const Context& context, const AuditFilter& filter) {
  EntryCheck check(context);
  boost::json::array all;
  std::string after;
  while (all.size() < filter.limit) {
    const std::string target =
        fmt::format("{}limit={}{}", target_of(filter),
                    std::min<std::uint64_t>(filter.limit - all.size(), kPageMax), after);
    auto page = ask_admin(context, kRelay, http::Method::get, target);
    if (!page) return page.error();
    boost::json::array& entries = page->at("data").as_array();
    if (int status = kOk; !check_all(check, entries, status)) return status;
    for (boost::json::value& found : entries) all.push_back(std::move(found));
    const std::string next = member(*page, "next");
    if (next == "-") break;
    after = "&after=" + next;
  }
  say(check);
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(all));
    return kOk;
  }
  std::vector<std::vector<std::string>> rows{
      {"time", "log", "index", "event", "outcome", "actor", "from", "resources"}};
  rows.reserve(all.size() + 1);
  for (const boost::json::value& found : all) rows.push_back(row_of(found.as_object()));
  fmt::print("{}", table(rows));
  return kOk;
}

int tail_audit_log(const Context& context, std::uint64_t lines, bool follow) {
  EntryCheck check(context);
  bool first = true;
  std::string target = fmt::format("/v1/entries/tail?limit={}", lines);
  do {
    auto page = ask_admin(context, kRelay, http::Method::get, target);
    if (!page) return page.error();
    const boost::json::array& entries = page->at("data").as_array();
    if (int status = kOk; !check_all(check, entries, status)) return status;
    if (std::exchange(first, false)) say(check);
    print_lines(context, entries);
    target = fmt::format("/v1/entries/tail?limit={}&after={}", kPageMax, member(*page, "next"));
  } while (follow);
  return kOk;
}

}  // namespace strongroom::tool
