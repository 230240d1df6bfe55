// What vaultd answers of its keys, read by the commands of `keys`.
#pragma once

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <string_view>

#include "apps/strongroom/admin_call.h"

namespace strongroom::tool {

inline constexpr std::string_view kKeysDaemon = "vaultd";
inline constexpr std::string_view kKeysTarget = "/v1/keys";
inline constexpr std::string_view kKeysCheckTarget = "/v1/keys/check";
inline constexpr std::string_view kBackupLedgerTarget = "/v1/backups";

// "pan-encryption/2", as the commands take it.
[[nodiscard]] inline std::string key_of(const boost::json::object& key) {
  return fmt::format("{}/{}", member(key, "name"), boost::json::serialize(key.at("version")));
}

// "a, b"; "-" of none.
[[nodiscard]] inline std::string joined(const boost::json::array& texts) {
  std::string all;
  for (const boost::json::value& text : texts) {
    all += (all.empty() ? "" : ", ") + std::string(text.as_string());
  }
  return all.empty() ? "-" : all;
}

}  // namespace strongroom::tool
