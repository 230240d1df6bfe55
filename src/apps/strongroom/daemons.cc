#include "apps/strongroom/daemons.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace strongroom::tool {
namespace {

constexpr Error kAbsent{ErrorCode::unavailable, "does not answer"};

// The process that has listened on the socket at `path`, as the kernel knows it; 0: nobody does.
pid_t listener_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return 0;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  ::close(fd);
  return known ? peer.pid : 0;
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

Result<void> send_hangup(const std::string& directory, std::string_view instance) {
  const pid_t process = listener_at(fmt::format("{}/run/{}.admin.sock", directory, instance));
  if (process <= 0) return fail(kAbsent);
  if (::kill(process, SIGHUP) == 0) return {};
  if (errno == EPERM) {
    return fail({ErrorCode::permission_denied, "is another user's: run this as root"});
  }
  return fail(kAbsent);
}

}  // namespace strongroom::tool
