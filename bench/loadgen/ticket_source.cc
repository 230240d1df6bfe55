#include "loadgen/ticket_source.h"

#include <utility>

#include "base/try.h"

namespace strongroom::bench {

using std::chrono::steady_clock;

async::Task<Result<void>> TicketSource::renew() {
  renewing_ = true;
  http::ClientRequest request{.method = http::Method::post, .target = "/v1/tickets"};
  request.headers.emplace_back("Authorization", authorization_);
  Result<http::ClientResponse> answer = co_await authd_.send(request);
  renewing_ = false;
  renew_at_ = steady_clock::now() + std::chrono::seconds(1);
  if (!answer) co_return fail(answer.error());
  if (answer->status != 200) {
    co_return fail(
        Error{ErrorCode::permission_denied, "authd gave no ticket (HTTP status)"}.with_detail(
            static_cast<std::uint32_t>(answer->status)));
  }
  ticket_ = std::move(answer->body);
  renew_at_ = steady_clock::now() + kRenewAfter;
  co_return Result<void>{};
}

}  // namespace strongroom::bench
