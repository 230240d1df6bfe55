// Requests to vaultd's admin socket.
#include "apps/strongroom/key_ending.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <expected>
#include <string>
#include <thread>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/key_answers.h"

namespace strongroom::tool {
namespace {

using boost::json::object;
using std::chrono::steady_clock;

// Each vaultd that lives gives its copy up within a second or two.
constexpr std::chrono::seconds kDestroyedWithin{60};
constexpr std::chrono::milliseconds kStep{200};

std::expected<object, int> ask(const Context& context, const std::string& path,
                               http::Method method = http::Method::get) {
  return ask_admin(context, kKeysDaemon, method, path);
}

int print(const Context& context, const object& key, std::string_view more = {}) {
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(key));
  } else {
    fmt::print("{} is {}{}\n", key_of(key), member(key, "state"), more);
  }
  return kOk;
}

// The version as it is when it is not active any more.
std::expected<object, int> out_of_use(const Context& context, const std::string& path) {
  auto key = ask(context, path);
  if (!key || member(*key, "state") != "active") return key;
  const auto next = rotate_and_wait(context, member(*key, "name"));
  if (!next) return std::unexpected(next.error());
  return ask(context, path);
}

// On standard output, where they are the answer.
int print_hindrances(const Context& context, const object& answer, std::string_view what) {
  const object& key = answer.at("key").as_object();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(answer));
    return kCheckFailed;
  }
  fmt::print("{} is {}, and {}:\n", key_of(key), member(key, "state"), what);
  for (const boost::json::value& item : answer.at("hindrances").as_array()) {
    fmt::print("  {}\n", member(item.as_object(), "text"));
  }
  return kCheckFailed;
}

int wait_until_destroyed(const Context& context, const std::string& path) {
  const auto deadline = steady_clock::now() + kDestroyedWithin;
  for (;;) {
    const auto key = ask(context, path);
    if (!key) return key.error();
    if (member(*key, "state") == "destroyed") {
      return print(
          context, *key,
          ", and what is left under it anywhere opens no more\nno backup has the keys as they"
          " are now: strongroom backup create with --keys-out, at once");
    }
    if (steady_clock::now() > deadline) break;
    std::this_thread::sleep_for(kStep);
  }
  const auto answer = ask(context, path + "/hindrances");
  if (!answer) return answer.error();
  return print_hindrances(context, *answer, "is destroyed by itself when nothing hinders it");
}

}  // namespace

int retire_key(const Context& context, const KeyOptions& options) {
  const auto path = path_of_version(options.key, "retire");
  if (!path) return path.error();
  const auto key = out_of_use(context, *path);
  if (!key) return key.error();
  if (member(*key, "state") == "pre-active") {
    return failed(kUsage,
                  "it is not in use yet, and becomes active by itself; where it should not,"
                  " strongroom keys mark-compromised");
  }
  return print(context, *key);
}

int mark_key_compromised(const Context& context, const KeyOptions& options) {
  const auto path = path_of_version(options.key, "mark-compromised");
  if (!path) return path.error();
  const auto key = out_of_use(context, *path);
  if (!key) return key.error();
  const auto marked = ask(context, *path + "/mark-compromised", http::Method::post);
  if (!marked) return marked.error();
  return print(context, marked->at("key").as_object());
}

int destroy_key(const Context& context, const KeyOptions& options) {
  const auto path = path_of_version(options.key, "destroy");
  if (!path) return path.error();
  const auto begun = ask(context, *path + "/destroy", http::Method::post);
  if (!begun) return begun.error();
  if (!begun->at("hindrances").as_array().empty()) {
    return print_hindrances(context, *begun, "is not destroyed");
  }
  return wait_until_destroyed(context, *path);
}

}  // namespace strongroom::tool
