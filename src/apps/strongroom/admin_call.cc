// The tool's client: one request, one loop.
#include "apps/strongroom/admin_call.h"

#include <fmt/core.h>
#include <unistd.h>

#include <vector>

#include "async/loop.h"
#include "base/encoding.h"

namespace strongroom::tool {
namespace {

async::Task<Result<http::ClientResponse>> send_and_close(http::Client& client,
                                                         const http::ClientRequest& request) {
  auto response = co_await client.send(request);
  co_await client.close();
  co_return response;
}

// What goes over an admin socket is as good as the command itself: another user who put a socket of
// his own in the daemon's place shall not have it. Root's daemons may be anybody's.
std::vector<uid_t> trusted_users() {
  if (::geteuid() == 0) return {};
  return {0, ::geteuid()};
}

}  // namespace

Result<http::ClientResponse> call_admin(const std::string& directory, std::string_view instance,
                                        http::Method method, std::string_view target,
                                        std::string_view body) {
  async::Loop loop;
  http::Client client(loop, {.host = "localhost",
                             .unix_path = fmt::format("{}/run/{}.admin.sock", directory, instance),
                             .unix_users = trusted_users()});
  http::ClientRequest request{.method = method, .target = target, .body = as_bytes(body)};
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  return loop.run_until_done(send_and_close(client, request));
}

}  // namespace strongroom::tool
