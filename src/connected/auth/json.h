// The JSON of merchants, keys and lists, as the admin socket and the public API show them.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "connected/auth/directory.h"

namespace strongroom::connected::auth {

// {"id","object":"merchant","name","status","created_at"}
[[nodiscard]] boost::json::object to_json(const Merchant& merchant);
// {"id","object":"api_key","merchant","prefix","role","name","created_at","revoked_at",
// "last_used_at"}; never the key's text.
[[nodiscard]] boost::json::object to_json(const ApiKey& key);

// {"object":"list","data":[...],"next":"<id to give as `after`>"|null}
template <class Item>
[[nodiscard]] boost::json::object to_json(const Page<Item>& page) {
  boost::json::array data;
  for (const Item& item : page.items) data.push_back(to_json(item));
  boost::json::value next;
  if (page.more) next = page.items.back().id;
  return {{"object", "list"}, {"data", std::move(data)}, {"next", std::move(next)}};
}

}  // namespace strongroom::connected::auth
