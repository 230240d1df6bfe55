// Reading the commands and answering them.
#include "auditd/admin_routes.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <limits>
#include <string>
#include <utility>
#include <variant>

#include "auditd/archive_routes.h"
#include "auditd/backup_routes.h"
#include "auditd/certificate_routes.h"
#include "base/encoding.h"
#include "base/try.h"
#include "http/operator_user.h"
#include "wire/json.h"

namespace strongroom::auditd {

using async::Task;
using http::Request;
using http::Response;

namespace {

// JSON writes the em dash of a signature line in three bytes, or six.
constexpr std::size_t kBodyBytesMax = 4 * audit::kNoteBytesMax;
constexpr wire::TextLength kNoteLength{.min = 1, .max = audit::kNoteBytesMax};
constexpr wire::TextLength kOriginLength{.min = 1, .max = 512};
constexpr wire::TextLength kReasonLength{.min = 1, .max = 256};
constexpr Error kNotYet{ErrorCode::unavailable, "audit journal is still being read"};

// What a witness says that it has cosigned.
struct WitnessedSize {
  std::string origin;
  std::uint64_t size = 0;
};
using Said = std::variant<std::string, WitnessedSize>;  // the string: a note

std::expected<Said, wire::Problem> parse_said(std::string_view body) {
  SR_TRY(const boost::json::value value, wire::parse_strict(body, {}));
  SR_TRY(const boost::json::object* object, wire::as_object(value));
  wire::ObjectReader reader(*object);
  Said said;
  if (const auto note = reader.text_or_none("#/note", kNoteLength)) {
    said = std::string(*note);
  } else {
    WitnessedSize size;
    size.origin = reader.text("#/origin", kOriginLength);
    size.size = static_cast<std::uint64_t>(
        reader.integer("#/size", 0, std::numeric_limits<std::int64_t>::max()));
    said = std::move(size);
  }
  if (const auto problem = reader.finish("note, or origin and size")) {
    return std::unexpected(*problem);
  }
  return said;
}

std::expected<std::string, wire::Problem> parse_reason(std::string_view body) {
  SR_TRY(const boost::json::value value, wire::parse_strict(body, {}));
  SR_TRY(const boost::json::object* object, wire::as_object(value));
  wire::ObjectReader reader(*object);
  std::string reason(reader.text("#/reason", kReasonLength));
  if (const auto problem = reader.finish("reason")) return std::unexpected(*problem);
  return reason;
}

Task<Response> record_break(Auditd* auditd, Request& request) {
  auto reason = parse_reason(as_text(request.body()));
  if (!reason) co_return http::problem_response(reason.error(), request.request_id());
  Result<void> opened = fail(kNotYet);
  std::string user = http::operator_user(request);
  if (auditd != nullptr) {
    opened = co_await auditd->open_new_shards(*std::move(reason), std::move(user));
  }
  if (!opened) {
    co_return http::problem_response(wire::problem_of(opened.error()), request.request_id());
  }
  co_return http::json_response(200, R"({"opened":true})");
}

Task<Response> sign_now(Auditd* auditd, Request& request) {
  Result<std::size_t> count = fail(kNotYet);
  if (auditd != nullptr) count = co_await auditd->checkpoint_now();
  if (!count) {
    co_return http::problem_response(wire::problem_of(count.error()), request.request_id());
  }
  co_return http::json_response(200, fmt::format(R"({{"signed":{}}})", *count));
}

std::string to_json(const Heard& heard) {
  boost::json::array witnesses;
  for (const audit::NoteKey& key : heard.witnesses) witnesses.emplace_back(key.text());
  return boost::json::serialize(boost::json::object{{"testimony", to_string(heard.testimony)},
                                                    {"witnesses", std::move(witnesses)}});
}

// `carrier`: the operator who brings it; empty: audit-relay.
Task<Response> hear_witness(Auditd* auditd, std::string carrier, Request& request) {
  auto said = parse_said(as_text(request.body()));
  if (!said) co_return http::problem_response(said.error(), request.request_id());
  Result<Heard> heard = fail(kNotYet);
  if (auditd != nullptr) {
    if (auto* note = std::get_if<std::string>(&*said)) {
      heard = co_await auditd->take_note(std::move(*note), std::move(carrier));
    } else {
      auto& size = std::get<WitnessedSize>(*said);
      const auto testimony =
          co_await auditd->take_size(std::move(size.origin), size.size, std::move(carrier));
      if (testimony) {
        heard = Heard{*testimony, {}};
      } else {
        heard = fail(testimony.error());
      }
    }
  }
  if (!heard) {
    co_return http::problem_response(wire::problem_of(heard.error()), request.request_id());
  }
  co_return http::json_response(200, to_json(*heard));
}

http::Route witness_route(http::Handler handler) {
  return {.method = http::Method::post,
          .pattern = "/v1/witness",
          .identities = {http::kLocal},
          .body_bytes_max = kBodyBytesMax,
          .handler = std::move(handler)};
}

}  // namespace

void add_admin_routes(http::Router& router, const std::function<Auditd*()>& auditd) {
  add_archive_routes(router, auditd);
  add_backup_routes(router, auditd);
  add_certificate_routes(router, auditd);
  router.add({.method = http::Method::post,
              .pattern = "/v1/checkpoints",
              .identities = {http::kLocal},
              .handler = [auditd](Request& request) { return sign_now(auditd(), request); }});
  router.add(witness_route([auditd](Request& request) {
    return hear_witness(auditd(), http::operator_user(request), request);
  }));
  router.add({.method = http::Method::post,
              .pattern = "/v1/breaks",
              .identities = {http::kLocal},
              .handler = [auditd](Request& request) { return record_break(auditd(), request); }});
}

void add_witness_route(http::Router& router, const std::function<Auditd*()>& auditd) {
  router.add(
      witness_route([auditd](Request& request) { return hear_witness(auditd(), {}, request); }));
}

}  // namespace strongroom::auditd
