// Api: one request to Stripe's API and its answer, over a pool of kept connections.
#pragma once

#include <string>
#include <string_view>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "cde/connectors/sealer.h"
#include "cde/connectors/stripe/form.h"
#include "http/client.h"

namespace strongroom::cde::stripe {

// The version whose objects this connector reads.
inline constexpr std::string_view kApiVersion = "2023-10-16";

// A call borrows its form, which outlives it.
struct Call {
  http::Method method = http::Method::post;
  std::string target;
  const Form* form = nullptr;
  std::string idempotency_key{};  // of a POST; see key_of
};

// The Idempotency-Key of one step of what the caller named by `key`: the same for a repeat, another
// for another merchant, account or step, and nothing that the caller wrote goes out in it.
[[nodiscard]] std::string key_of(const Account& account, std::string_view key,
                                 std::string_view step);

class Api {
 public:
  // `options` says where Stripe is and whom to believe.
  Api(async::Loop& loop, http::ClientOptions options)
      : loop_(loop), client_(loop, std::move(options)) {}

  // The answer, whatever its status. One that says that Stripe is busy is waited out a little:
  // nothing was begun. Errors as http::Client::send.
  [[nodiscard]] async::Task<Result<http::ClientResponse>> send(const Account& account,
                                                               const Call& call);
  void set_tls(std::shared_ptr<const http::TlsContext> tls) { client_.set_tls(std::move(tls)); }
  [[nodiscard]] async::Task<void> close() { return client_.close(); }

 private:
  async::Loop& loop_;
  http::Client client_;
};

}  // namespace strongroom::cde::stripe
