// Requests to vaultd's admin socket.
#include "apps/strongroom/deletes.h"

#include <fmt/core.h>

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/listing.h"

namespace strongroom::tool {
namespace {

constexpr std::string_view kDaemon = "vaultd";
constexpr std::string_view kTarget = "/v1/held-deletes";

}  // namespace

int list_deletes(const Context& context) {
  constexpr std::array<std::string_view, 6> kColumns{"merchant", "key",           "held",
                                                     "released", "first_held_at", "last_held_at"};
  return print_list(context, kDaemon, std::string(kTarget), kColumns);
}

int decide_deletes(const Context& context, std::string_view decision, const ChosenDeletes& chosen) {
  boost::json::object body{{"merchant", chosen.merchant}};
  if (!chosen.key.empty()) body["key"] = chosen.key;
  const auto answer =
      ask_admin(context, kDaemon, http::Method::post, fmt::format("{}/{}", kTarget, decision),
                boost::json::serialize(body));
  if (!answer) return answer.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*answer));
  } else {
    fmt::print("count {}\n", boost::json::serialize(answer->at("count")));
  }
  return kOk;
}

}  // namespace strongroom::tool
