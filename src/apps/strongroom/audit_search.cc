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
#include "apps/strongroom/table.h"
#include "audit/merkle.h"
#include "base/encoding.h"

namespace strongroom::tool {
namespace {

constexpr std::string_view kRelay = "audit-relay";
constexpr std::uint64_t kPageMax = 50;  // of the longest entries; an answer has at most 1 MiB

// RFC 3986 section 2.1: everything but what never needs it.
std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:";
  std::string out;
  for (const char c : text) {
    if (kPlain.contains(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

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
    if (!value.empty()) target += fmt::format("{}={}&", name, percent_encoded(value));
  }
  return target;
}

// The text of an entry is canonical, so what was parsed is written again byte for byte.
bool has_its_hash(const boost::json::object& found) {
  const boost::json::value& entry = found.at("entry");
  if (entry.is_null()) return true;
  const std::string bytes = boost::json::serialize(entry);
  return base64(audit::leaf_hash(as_bytes(bytes))) == member(found, "leaf_hash");
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

int altered(const boost::json::object& found) {
  return failed(kCheckFailed, fmt::format("entry {} of {}/{} is not the one that is in the log",
                                          boost::json::serialize(found.at("index")),
                                          member(found, "owner"), member(found, "shard")));
}

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
  boost::json::array all;
  std::string after;
  while (all.size() < filter.limit) {
    const std::string target =
        fmt::format("{}limit={}{}", target_of(filter),
                    std::min<std::uint64_t>(filter.limit - all.size(), kPageMax), after);
    auto page = ask_admin(context, kRelay, http::Method::get, target);
    if (!page) return page.error();
    for (boost::json::value& found : page->at("data").as_array()) {
      if (!has_its_hash(found.as_object())) return altered(found.as_object());
      all.push_back(std::move(found));
    }
    const std::string next = member(*page, "next");
    if (next == "-") break;
    after = "&after=" + next;
  }
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
  std::string target = fmt::format("/v1/entries/tail?limit={}", lines);
  do {
    auto page = ask_admin(context, kRelay, http::Method::get, target);
    if (!page) return page.error();
    const boost::json::array& entries = page->at("data").as_array();
    for (const boost::json::value& found : entries) {
      if (!has_its_hash(found.as_object())) return altered(found.as_object());
    }
    print_lines(context, entries);
    target = fmt::format("/v1/entries/tail?limit={}&after={}", kPageMax, member(*page, "next"));
  } while (follow);
  return kOk;
}

}  // namespace strongroom::tool
