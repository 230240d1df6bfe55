// A processor for tests, over TLS as its host's name proves it: it keeps what it was sent and gives
// the answers that it was told, in order.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "http/client.h"
#include "http/testing/authority.h"
#include "http/testing/server_thread.h"

namespace strongroom::cde::testing {

// One request as it came in.
struct Seen {
  std::string call;  // "POST /v1/refunds?limit=1"
  std::string body;
  std::map<std::string, std::string> headers;
};

class FakeProcessor {
 public:
  FakeProcessor() {
    for (const http::Method method :
         {http::Method::get, http::Method::post, http::Method::delete_}) {
      router_.add({.method = method,
                   .pattern = "/v1*",
                   .identities = {http::kAnyone},
                   .handler = [this](http::Request& request) { return answer(request); }});
    }
    server_ = std::make_unique<http::testing::ServerThread>(
        router_, [this](async::Loop& loop, http::Router& router) {
          http::TlsOptions own = authority_.options("processor");
          own.ca_pem.clear();  // asks for no certificate
          return http::Server::listen_tcp(loop, {"127.0.0.1", 0}, *http::TlsContext::server(own),
                                          router, {});
        });
  }

  [[nodiscard]] http::ClientOptions client_options() {
    return {.host = "localhost",
            .port = server_->port(),
            .tls = *http::TlsContext::client_of_hosts(authority_.ca_pem()),
            .response_timeout = std::chrono::milliseconds(2'000)};
  }
  void will_answer(int status, std::string body) {
    const std::scoped_lock lock(mutex_);
    answers_.push_back(http::json_response(status, std::move(body)));
  }
  // Every request since the last call.
  [[nodiscard]] std::vector<Seen> seen() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(seen_, {});
  }
  void stop() { server_->stop(); }

 private:
  async::Task<http::Response> answer(http::Request& request) {
    Seen seen;
    seen.call = std::string(http::to_string(request.method())) + " " + std::string(request.path());
    if (!request.query().empty()) seen.call.append("?").append(request.query());
    seen.body = as_text(request.body());
    for (const std::string_view name :
         {"authorization", "content-type", "stripe-version", "idempotency-key"}) {
      seen.headers.emplace(name, request.header(name));
    }
    const std::scoped_lock lock(mutex_);
    seen_.push_back(std::move(seen));
    if (answers_.empty()) co_return http::json_response(500, "{}");
    http::Response next = std::move(answers_.front());
    answers_.pop_front();
    co_return next;
  }

  http::testing::Authority authority_;
  http::Router router_;
  std::unique_ptr<http::testing::ServerThread> server_;
  std::mutex mutex_;
  std::deque<http::Response> answers_;
  std::vector<Seen> seen_;
};

}  // namespace strongroom::cde::testing
