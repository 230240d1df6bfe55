// What a request costs the server and the client: CPU time per request of each side's thread, over
// mutual TLS on loopback with kept connections. CPU time, not wall time, so that a machine with few
// cores still tells the two sides apart.
#include <fmt/core.h>
#include <sys/resource.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "async/loop.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/try.h"
#include "crypto/certificate.h"
#include "crypto/random.h"
#include "http/client.h"
#include "http/server.h"

namespace strongroom::http {
namespace {

using namespace std::chrono_literals;

constexpr int kWarmUpRequests = 2'000;
constexpr int kRequests = 50'000;
// A card's request is of this size.
constexpr std::string_view kBody =
    R"({"card":{"number":"4242424242424242","exp_month":12,"exp_year":2030,"cvc":"123",)"
    R"("name":"A. Cardholder"},"metadata":{"order":"2026-11-21-000042","note":"bench"},)"
    R"("usage_limit":10})";

double thread_cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

async::Task<Response> echo(Request& request) {
  co_return json_response(200, std::string(as_text(request.body())));
}

TlsOptions options_of(const crypto::IssuedCertificate& authority, const std::string& identity) {
  crypto::SystemRandom random;
  const SystemClock clock;
  auto issued = crypto::issue_certificate(authority,
                                          {.common_name = identity,
                                           .spiffe_uri = "spiffe://bench/" + identity,
                                           .ip_addresses = {"127.0.0.1"},
                                           .server = true,
                                           .client = true},
                                          random, clock);
  SR_CHECK(issued.has_value());
  return {.certificate_pem = issued->certificate_pem,
          .key_pem = std::move(issued->key_pem),
          .ca_pem = authority.certificate_pem,
          .trust_domain = "bench"};
}

// One of the connections: request after request until the common count is used up.
async::Task<void> ask(Client& client, int& left, int& running) {
  const ClientRequest request{.method = Method::post,
                              .target = "/v1/cards",
                              .headers = {{"Content-Type", "application/json"}},
                              .body = as_bytes(kBody)};
  while (left-- > 0) {
    const auto answer = co_await client.send(request);
    SR_CHECK(answer.has_value() && answer->status == 200);
  }
  --running;
}

struct Cost {
  double wall_us = 0;
  double server_us = 0;
  double client_us = 0;
};

// A server on its own thread, which tells its CPU time when it is asked.
class ServerThread {
 public:
  explicit ServerThread(const crypto::IssuedCertificate& authority) {
    router_.add({.method = Method::post,
                 .pattern = "/v1/cards",
                 .identities = {"edged"},
                 .handler = &echo});
    auto tls = TlsContext::server(options_of(authority, "vaultd"));
    SR_CHECK(tls.has_value());
    auto server = Server::listen_tcp(loop_, {.address = "127.0.0.1"}, *tls, router_, {});
    SR_CHECK(server.has_value());
    server_ = *std::move(server);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~ServerThread() {
    loop_.post([this] { async::spawn(stop(*server_, loop_)); });
    thread_.join();
  }
  ServerThread(const ServerThread&) = delete;
  ServerThread& operator=(const ServerThread&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return server_->port(); }
  [[nodiscard]] double cpu_us() {
    std::promise<double> told;
    loop_.post([&told] { told.set_value(thread_cpu_us()); });
    return told.get_future().get();
  }

 private:
  static async::Task<void> stop(Server& server, async::Loop& loop) {
    co_await server.drain(1s);
    loop.stop();
  }
  async::Loop loop_;
  Router router_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

async::Task<void> ask_all(Client& client, async::Loop& loop, int connections, int requests) {
  int left = requests;
  int running = connections;
  for (int i = 0; i < connections; ++i) async::spawn(ask(client, left, running));
  while (running > 0) co_await loop.sleep_for(10ms);
}

Cost measure(ServerThread& server, Client& client, async::Loop& loop, int connections) {
  loop.run_until_done(ask_all(client, loop, connections, kWarmUpRequests));
  const double server_begin = server.cpu_us();
  const double client_begin = thread_cpu_us();
  const auto begin = std::chrono::steady_clock::now();
  loop.run_until_done(ask_all(client, loop, connections, kRequests));
  const std::chrono::duration<double, std::micro> wall = std::chrono::steady_clock::now() - begin;
  return {.wall_us = wall.count() / kRequests,
          .server_us = (server.cpu_us() - server_begin) / kRequests,
          .client_us = (thread_cpu_us() - client_begin) / kRequests};
}

}  // namespace
}  // namespace strongroom::http

int main() {
  using namespace strongroom;
  crypto::SystemRandom random;
  const SystemClock clock;
  const auto authority = crypto::make_certificate_authority("Bench CA", random, clock);
  SR_CHECK(authority.has_value());
  http::ServerThread server(*authority);
  const auto tls = http::TlsContext::client(http::options_of(*authority, "edged"));
  SR_CHECK(tls.has_value());
  fmt::print("{:>12} {:>10} {:>16} {:>16}\n", "connections", "req/s", "server us/req",
             "client us/req");
  for (const int connections : {1, 8, 32, 64}) {
    async::Loop loop;
    http::Client client(loop, {.host = "127.0.0.1",
                               .port = server.port(),
                               .server_identity = "vaultd",
                               .tls = *tls,
                               .connections_max = static_cast<std::size_t>(connections)});
    const http::Cost cost = http::measure(server, client, loop, connections);
    fmt::print("{:>12} {:>10.0f} {:>16.1f} {:>16.1f}\n", connections, 1e6 / cost.wall_us,
               cost.server_us, cost.client_us);
    loop.run_until_done(client.close());
  }
}
