// Requests to vaultd's admin socket.
#include "apps/strongroom/keys.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <expected>
#include <string_view>
#include <thread>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/key_answers.h"
#include "apps/strongroom/progress_bar.h"
#include "apps/strongroom/table.h"

namespace strongroom::tool {
namespace {

using boost::json::object;
using std::chrono::steady_clock;

// A vaultd that died is not waited for after a minute.
constexpr std::chrono::seconds kActiveWithin{120};
constexpr std::chrono::milliseconds kStep{200};
constexpr std::size_t kDayLength = 10;  // of an RFC 3339 time
constexpr std::string_view kLabelPrefix = "strongroom/";

int print_json(const boost::json::value& answer) {
  fmt::print("{}\n", boost::json::serialize(answer));
  return kOk;
}

std::string day_of(const object& key, std::string_view member_name) {
  return member(key, member_name).substr(0, kDayLength);
}

// What the list says of what stands under a version: of the one key under which things stand.
std::string under(const object& key) {
  if (member(key, "name") != "pan-encryption") return "-";
  const std::string state = member(key, "state");
  if (state == "pre-active" || state == "withdrawn" || state == "destroyed") return "nothing";
  return key.at("emptied_at").is_null() ? "cards" : "nothing";
}

std::string period_of(const object& key) {
  const boost::json::value& used = key.at("cryptoperiod_used");
  if (used.is_null()) return "-";
  return fmt::format("{:.0f} % of {:.0f} days", 100 * used.to_number<double>(),
                     key.at("cryptoperiod_days").to_number<double>());
}

std::string uses_of(const object& key) {
  if (key.at("uses").is_null()) return "-";
  const auto uses = key.at("uses").to_number<std::uint64_t>();
  const double share =
      100 * static_cast<double>(uses) / key.at("uses_rotate_at").to_number<double>();
  return fmt::format("{} ({:.2f} % of 2^30)", uses, share);
}

void print_table(const object& answer) {
  std::vector<std::vector<std::string>> rows{
      {"key", "state", "activated", "used", "due", "uses", "under it", "vaultd"}};
  for (const boost::json::value& item : answer.at("data").as_array()) {
    const object& key = item.as_object();
    rows.push_back({key_of(key), member(key, "state"), day_of(key, "activated_at"), period_of(key),
                    day_of(key, "due_at"), uses_of(key), under(key),
                    joined(key.at("vaultds").as_array())});
  }
  fmt::print("{}", table(rows));
  for (const boost::json::value& item : answer.at("erasures").as_array()) {
    const object& due = item.as_object();
    fmt::print("{} is to be destroyed by {}: cards that stood under it were deleted\n",
               member(due, "key").substr(kLabelPrefix.size()), day_of(due, "due_at"));
  }
  std::string instances;
  for (const boost::json::value& one : answer.at("vaultds").as_array()) {
    instances +=
        fmt::format("{}{} (at {})", instances.empty() ? "" : ", ", member(one.as_object(), "name"),
                    boost::json::serialize(one.as_object().at("revision")));
  }
  fmt::print("registry at revision {}; vaultd: {}\n", boost::json::serialize(answer.at("revision")),
             instances);
  if (const auto* moving = answer.at("rewrap").if_object()) {
    fmt::print("cards move to the active version: {} of about {} looked at, {} moved\n",
               boost::json::serialize(moving->at("done")),
               boost::json::serialize(moving->at("total")),
               boost::json::serialize(moving->at("moved")));
  }
}

std::vector<std::string> waited_for(const object& answer, const object& key) {
  std::vector<std::string> names;
  const auto& with = key.at("vaultds").as_array();
  for (const boost::json::value& one : answer.at("vaultds").as_array()) {
    const boost::json::value& name = one.as_object().at("name");
    if (std::ranges::find(with, name) == with.end()) names.emplace_back(name.as_string());
  }
  return names;
}

struct Waited {
  object key;
  std::vector<std::string> missing;  // vaultd that do not have it
};

// Until every vaultd has read that the version is active, or too long.
std::expected<Waited, int> wait_until_active(const Context& context, object begun) {
  ProgressBar bar(fmt::format("vaultd that have {}", key_of(begun)));
  const auto deadline = steady_clock::now() + kActiveWithin;
  for (;;) {
    const auto answer = ask_admin(context, kKeysDaemon, http::Method::get, kKeysTarget);
    if (!answer) return std::unexpected(answer.error());
    for (const boost::json::value& item : answer->at("data").as_array()) {
      const object& key = item.as_object();
      if (key.at("label") == begun.at("label")) begun = key;
    }
    Waited waited{begun, waited_for(*answer, begun)};
    const std::size_t all = answer->at("vaultds").as_array().size();
    bar.show(all - std::min(all, waited.missing.size()), all);
    if (member(begun, "state") != "pre-active" && waited.missing.empty()) return waited;
    if (steady_clock::now() > deadline) return waited;
    std::this_thread::sleep_for(kStep);
  }
}

int tell_rotated(const Waited& waited) {
  const std::string key = key_of(waited.key);
  if (member(waited.key, "state") == "pre-active") {
    std::string names;
    for (const std::string& name : waited.missing) names += (names.empty() ? "" : ", ") + name;
    return failed(kCheckFailed,
                  fmt::format("{} is not active yet: these vaultd do not have it: {}. It becomes"
                              " active by itself when they do, or a minute after they died",
                              key, names));
  }
  fmt::print(
      "{} is {}. The keys of the cards that stand under older versions move to it by themselves;\n"
      "strongroom keys list shows `nothing` under a version when none is left there.\n",
      key, member(waited.key, "state"));
  return kOk;
}

// What is between a version that is out of use and its end.
int print_hindrances(const Context& context, const std::string& path, std::string_view state) {
  if (state == "pre-active" || state == "active" || state == "destroyed") return kOk;
  const auto answer = ask_admin(context, kKeysDaemon, http::Method::get, path + "/hindrances");
  if (!answer) return answer.error();
  for (const boost::json::value& item : answer->at("hindrances").as_array()) {
    fmt::print("{:<13} {}\n", "its end waits", member(item.as_object(), "text"));
  }
  return kOk;
}

}  // namespace

// No other characters than a name's: it becomes part of a path.
std::expected<std::string, int> path_of_key(const std::string& key) {
  const bool plain = std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '/';
  });
  if (plain) return fmt::format("{}/{}", kKeysTarget, key);
  return std::unexpected(failed(kUsage, "no key has that name: see strongroom keys list"));
}

std::expected<std::string, int> path_of_version(const std::string& key, std::string_view command) {
  if (std::ranges::count(key, '/') == 1) return path_of_key(key);
  return std::unexpected(
      failed(kUsage, fmt::format("{} takes NAME/VERSION, as pan-encryption/1", command)));
}

int list_keys(const Context& context) {
  const auto answer = ask_admin(context, kKeysDaemon, http::Method::get, kKeysTarget);
  if (!answer) return answer.error();
  if (context.json) return print_json(*answer);
  print_table(*answer);
  if (!answer->at("trouble").is_null()) {
    fmt::print(stderr, "strongroom: {}: see strongroom keys check\n", member(*answer, "trouble"));
  }
  return kOk;
}

int show_key(const Context& context, const KeyOptions& options) {
  const auto path = path_of_version(options.key, "show");
  if (!path) return path.error();
  const auto key = ask_admin(context, kKeysDaemon, http::Method::get, *path);
  if (!key) return key.error();
  if (context.json) return print_json(*key);
  constexpr std::array<std::string_view, 11> kMembers{
      "label",        "algorithm",   "purpose", "check_value", "state",  "created_at",
      "activated_at", "state_since", "due_at",  "emptied_at",  "vaultds"};
  for (const std::string_view name : kMembers) {
    const std::string text =
        name == "vaultds" ? joined(key->at(name).as_array()) : member(*key, name);
    fmt::print("{:<13} {}\n", name, text);
  }
  fmt::print("{:<13} {}\n{:<13} {}\n", "cryptoperiod", period_of(*key), "uses", uses_of(*key));
  return print_hindrances(context, *path, member(*key, "state"));
}

int rotate_key(const Context& context, const KeyOptions& options) {
  const auto path = path_of_key(options.key);
  if (!path) return path.error();
  const auto begun = ask_admin(context, kKeysDaemon, http::Method::post, *path + "/rotate");
  if (!begun) return begun.error();
  if (options.no_wait) {
    if (context.json) return print_json(*begun);
    fmt::print("{} is {}, and becomes active by itself when every vaultd has it.\n", key_of(*begun),
               member(*begun, "state"));
    return kOk;
  }
  const auto waited = wait_until_active(context, *begun);
  if (!waited) return waited.error();
  if (context.json) {
    print_json(waited->key);
    return member(waited->key, "state") == "pre-active" ? kCheckFailed : kOk;
  }
  return tell_rotated(*waited);
}

std::expected<object, int> rotate_and_wait(const Context& context, const std::string& name) {
  const auto path = path_of_key(name);
  if (!path) return std::unexpected(path.error());
  const auto begun = ask_admin(context, kKeysDaemon, http::Method::post, *path + "/rotate");
  if (!begun) return std::unexpected(begun.error());
  auto waited = wait_until_active(context, *begun);
  if (!waited) return std::unexpected(waited.error());
  if (member(waited->key, "state") == "pre-active") return std::unexpected(tell_rotated(*waited));
  return std::move(waited->key);
}

int check_keys(const Context& context) {
  const auto answer = ask_admin(context, kKeysDaemon, http::Method::get, kKeysCheckTarget);
  if (!answer) return answer.error();
  const boost::json::array& findings = answer->at("findings").as_array();
  const int status = findings.empty() ? kOk : kCheckFailed;
  if (context.json) {
    print_json(*answer);
    return status;
  }
  if (findings.empty()) {
    fmt::print(
        "{} versions of keys: each row of the registry is as vaultd wrote it, and each key"
        " is in the HSM\n",
        boost::json::serialize(answer->at("keys")));
  }
  for (const boost::json::value& item : findings) {
    const object& finding = item.as_object();
    const std::string label = member(finding, "key");
    fmt::print("{}: {}\n", label == "-" ? "the key registry" : label, member(finding, "finding"));
  }
  return status;
}

}  // namespace strongroom::tool
