#include "service/outside_host.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace strongroom::service {
namespace {

constexpr std::size_t kHostBytesMax = 253;  // RFC 1035 section 2.3.4

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

}  // namespace

Result<Address> parse_host(std::string_view text) {
  constexpr Error kNotAHost{ErrorCode::invalid_argument,
                            "must be a host and a port, as api.stripe.com:443"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || colon > kHostBytesMax) {
    return fail(kNotAHost);
  }
  Address host{.host = std::string(text.substr(0, colon)), .port = 0};
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), host.port);
  if (error != std::errc{} || end != port.data() + port.size() || host.port == 0 ||
      !std::ranges::all_of(host.host, is_host_character)) {
    return fail(kNotAHost);
  }
  return host;
}

std::vector<std::string> read_addresses(ConfigSection& section, std::string_view key) {
  std::vector<std::string> addresses = section.text_list(key);
  for (const std::string& address : addresses) {
    const bool v6 = address.contains(':');
    if (!parse_address(v6 ? "[" + address + "]:1" : address + ":1")) {
      section.refuse(key, {ErrorCode::invalid_argument, "takes IP addresses only"});
    }
  }
  return addresses;
}

bool needs_look_up(const std::string& host) {
  in_addr address{};
  return host != "localhost" && ::inet_pton(AF_INET, host.c_str(), &address) != 1;
}

Result<std::vector<std::string>> look_up(const std::string& name) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;  // so that each address comes once
  addrinfo* found = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) {
    return fail({ErrorCode::unavailable, "its name is not known; `addresses` would say where"});
  }
  std::vector<std::string> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      addresses.emplace_back(text.data());
    }
  }
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace strongroom::service
