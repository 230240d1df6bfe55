#include "apps/strongroom/daemons.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

namespace strongroom::tool {
namespace {

constexpr Error kAbsent{ErrorCode::unavailable, "does not answer"};

// The process that listens on the socket at `path`, as the kernel knows it; nullopt: nobody does.
std::optional<ucred> listener_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::nullopt;
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0;
  ::close(fd);
  return known ? std::optional(peer) : std::nullopt;
}

}  // namespace

std::vector<Daemon> daemons_of(const ConfigFile& file) {
  std::vector<Daemon> daemons;
  const auto add = [&](std::string_view name) {
    if (file.has_section(name)) daemons.push_back({std::string(name), std::string(name)});
  };
  add("auditd");
  add("authd");
  if (auto connectors = file.section("connectord")) {
    for (const std::string& name : connectors->keys()) {
      daemons.push_back({"connectord-" + name, "connectord." + name});
    }
  }
  for (const std::string_view name : {"vaultd", "gatewayd", "audit-relay", "edged"}) add(name);
  return daemons;
}

// Any daemon's user can put a socket, or a link to another one, where a daemon is away: what
// listens there must be the user's own.
Result<void> send_hangup(const std::string& directory, std::string_view instance,
                         std::uint32_t user) {
  const auto listener = listener_at(fmt::format("{}/run/{}.admin.sock", directory, instance));
  if (!listener || listener->uid != user) return fail(kAbsent);
  if (::kill(listener->pid, SIGHUP) == 0) return {};
  if (errno == EPERM) {
    return fail({ErrorCode::permission_denied, "is another user's: run this as root"});
  }
  return fail(kAbsent);
}

}  // namespace strongroom::tool
