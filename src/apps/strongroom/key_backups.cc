// Requests to vaultd's admin socket.
#include "apps/strongroom/key_backups.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <expected>
#include <string_view>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/key_answers.h"
#include "apps/strongroom/table.h"
#include "base/encoding.h"
#include "crypto/random.h"

namespace strongroom::tool {
namespace {

using boost::json::object;

constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kMinuteLength = 16;  // of an RFC 3339 time
constexpr std::string_view kLabelPrefix = "strongroom/";

bool has_ended(const object& backup) { return !backup.at("ending").is_null(); }

std::string minute_of(const object& backup, std::string_view name) {
  std::string time = member(backup, name).substr(0, kMinuteLength);
  if (const std::size_t t = time.find('T'); t != std::string::npos) time[t] = ' ';
  return time;
}

// What it holds, or may hold.
std::string holds_of(const object& backup) {
  const bool keys = member(backup, "kind") == "keys";
  if (keys && backup.at("verified_at").is_null()) return "any key";
  std::string all;
  for (const boost::json::value& item : backup.at("holds").as_array()) {
    std::string_view label = item.as_string();
    label.remove_prefix(std::min(kLabelPrefix.size(), label.size()));
    if (!label.starts_with("pan-encryption/")) continue;
    all += (all.empty() ? "" : ", ") + std::string(label);
  }
  return keys ? all : "cards under " + all;
}

std::string state_of(const object& backup) {
  if (!has_ended(backup)) return backup.at("verified_at").is_null() ? "not verified" : "whole";
  const std::string ending = member(backup, "ending");
  return ending == "replaced" ? "replaced by " + member(backup, "replaced_by") : ending;
}

void print_table(const boost::json::array& backups) {
  std::vector<std::vector<std::string>> rows{
      {"id", "of", "begun", "made by", "state", "ended", "holds"}};
  for (const boost::json::value& item : backups) {
    const object& backup = item.as_object();
    const bool ours = backup.at("means").is_null();
    rows.push_back({member(backup, "id"), member(backup, "kind"), minute_of(backup, "begun_at"),
                    ours ? "strongroom backup" : member(backup, "means"), state_of(backup),
                    minute_of(backup, "ended_at"), holds_of(backup)});
  }
  fmt::print("{}", table(rows));
}

std::expected<object, int> note(const Context& context, const object& body) {
  return ask_admin(context, kKeysDaemon, http::Method::post, kBackupLedgerTarget,
                   boost::json::serialize(body));
}

}  // namespace

int list_key_backups(const Context& context, const KeyBackupOptions& options) {
  const auto answer = ask_admin(context, kKeysDaemon, http::Method::get, kBackupLedgerTarget);
  if (!answer) return answer.error();
  boost::json::array shown;
  for (const boost::json::value& item : answer->at("data").as_array()) {
    if (options.all || !has_ended(item.as_object())) shown.push_back(item);
  }
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(shown));
  } else {
    print_table(shown);
  }
  return kOk;
}

int add_key_backup(const Context& context, const KeyBackupOptions& options) {
  crypto::SystemRandom random;
  std::array<std::byte, kIdBytes> id{};
  random.fill(id);
  const auto added =
      note(context, {{"id", hex(id)}, {"kind", "keys"}, {"act", "add"}, {"means", options.means}});
  if (!added) return added.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*added));
  } else {
    fmt::print("{}\n  holds {}\n", member(*added, "id"), holds_of(*added));
  }
  return kOk;
}

int close_key_backup(const Context& context, const KeyBackupOptions& options) {
  if (options.destroyed != options.replaced_by.empty()) {
    return failed(kUsage, "say how it has ended: --destroyed, or --replaced-by ID");
  }
  object body{{"id", options.id}, {"kind", "keys"}, {"act", "destroyed"}};
  if (!options.replaced_by.empty()) {
    body["act"] = "replaced";
    body["replaced_by"] = options.replaced_by;
  }
  const auto closed = note(context, body);
  if (!closed) return closed.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*closed));
  } else {
    fmt::print("{} is {}\n", member(*closed, "id"), state_of(*closed));
  }
  return kOk;
}

}  // namespace strongroom::tool
