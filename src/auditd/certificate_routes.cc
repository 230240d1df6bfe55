// Reading what is said of a certificate, and recording it.
#include "auditd/certificate_routes.h"

#include <string>
#include <utility>

#include "auditd/said_entry.h"
#include "base/encoding.h"
#include "base/try.h"
#include "wire/json.h"

namespace strongroom::auditd {

using http::Request;

namespace {

constexpr wire::TextLength kPathLength{.min = 1, .max = 256};
constexpr wire::TextLength kWordLength{.min = 1, .max = 16};
constexpr std::string_view kBegin = "begin", kEnd = "end", kFailed = "failed";
constexpr wire::Problem kNoCertificate{wire::ProblemType::invalid_value,
                                       "not what is said of a certificate"};

std::expected<audit::Entry, wire::Problem> parse_said(std::string_view body) {
  SR_TRY(const boost::json::value value, wire::parse_strict(body, {}));
  SR_TRY(const boost::json::object* object, wire::as_object(value));
  wire::ObjectReader reader(*object);
  const std::string_view certificate = reader.text("#/certificate", kPathLength);
  const std::string_view key = reader.text("#/key", kPathLength);
  const std::string_view act = reader.text("#/act", kWordLength);
  if (const auto problem = reader.finish("certificate, key, act")) return std::unexpected(*problem);
  if (act != kBegin && act != kEnd && act != kFailed) return std::unexpected(kNoCertificate);
  return audit::Entry{.event_type = audit::EventType::key_generate,
                      .outcome = act == kFailed ? audit::Outcome::failed : audit::Outcome::success,
                      .operation = std::string(act == kBegin ? kBegin : kEnd),
                      .resources = {std::string(certificate), std::string(key)}};
}

}  // namespace

void add_certificate_routes(http::Router& router, const std::function<Auditd*()>& auditd) {
  router.add({.method = http::Method::post,
              .pattern = "/v1/certificates",
              .identities = {http::kLocal},
              .handler = [auditd](Request& request) {
                return record_said(auditd(), request, parse_said(as_text(request.body())));
              }});
}

}  // namespace strongroom::auditd
