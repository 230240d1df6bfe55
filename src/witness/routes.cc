// The witness over HTTP.
#include "witness/routes.h"

#include <utility>

#include "base/encoding.h"

namespace strongroom::witness {

using async::Task;

namespace {

// A proof of 63 hashes and the largest note fit.
constexpr std::size_t kAddCheckpointBytesMax = std::size_t{32} << 10;

Task<http::Response> add_checkpoint(Witness& witness, http::Request& request) {
  Answer answer = witness.add_checkpoint(as_text(request.body()));
  co_return http::Response{.status = answer.status,
                           .content_type = answer.content_type,
                           .headers = {},
                           .body = std::move(answer.body)};
}

http::Response show(Result<std::string> note, const http::Request& request) {
  if (!note) return http::problem_response(wire::problem_of(note.error()), request.request_id());
  return {.status = 200,
          .content_type = "text/plain; charset=utf-8",
          .headers = {},
          .body = *std::move(note)};
}

Task<http::Response> newest_checkpoint(Witness& witness, http::Request& request) {
  co_return show(witness.checkpoint(request.parameter(0)), request);
}

Task<http::Response> next_checkpoint(Witness& witness, http::Request& request) {
  const std::string after = request.query_parameter("after").value_or("");
  co_return show(witness.checkpoint_after(after), request);
}

}  // namespace

void add_routes(http::Router& router, Witness& witness) {
  router.add(
      {.method = http::Method::post,
       .pattern = "/add-checkpoint",
       .identities = {http::kAnyone},
       .body_bytes_max = kAddCheckpointBytesMax,
       .handler = [&witness](http::Request& request) { return add_checkpoint(witness, request); }});
  router.add({.method = http::Method::get,
              .pattern = "/{origin}/checkpoint",
              .identities = {http::kAnyone},
              .handler = [&witness](http::Request& request) {
                return newest_checkpoint(witness, request);
              }});
  router.add({.method = http::Method::get,
              .pattern = "/next-checkpoint",
              .identities = {http::kAnyone},
              .handler = [&witness](http::Request& request) {
                return next_checkpoint(witness, request);
              }});
}

}  // namespace strongroom::witness
