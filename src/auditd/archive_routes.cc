// Reading the commands about archives and answering them.
#include "auditd/archive_routes.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "http/operator_user.h"
#include "http/route_table.h"
#include "wire/json.h"

namespace strongroom::auditd {

using async::Task;
using http::Request;
using http::Response;

namespace {

constexpr wire::TextLength kTimeLength{.min = 20, .max = 32};
constexpr Error kNoKey{ErrorCode::conflict, "auditd has no archive_key, so it keeps no archives"};
constexpr Error kNoArchive{ErrorCode::not_found, "no such archive"};
constexpr Error kNotBegun{ErrorCode::not_found, "nothing was archived since the start"};

// auditd, once the journal is read.
struct Started {
  std::function<Auditd*()> find;
  explicit operator bool() const { return find() != nullptr; }
};
struct Parts {
  Started serving;
};

Result<Archivist*> archivist_of(const Parts& parts) {
  Archivist* archivist = parts.serving.find()->archivist();
  if (archivist == nullptr) return fail(kNoKey);
  return archivist;
}

// The archive of the path, and who works on it.
struct Named {
  Archivist* archivist = nullptr;
  std::uint64_t first_sequence = 0;
};
Result<Named> named(const Parts& parts, const Request& request) {
  SR_TRY(Archivist * archivist, archivist_of(parts));
  const auto sequence = audit::sequence_of_archive(request.parameter(0));
  if (!sequence) return fail(kNoArchive);
  return Named{archivist, *sequence};
}

std::string time_text(std::int64_t unix_ms) { return rfc3339(unix_ms * 1000); }

Response refusal(const Error& error, const Request& request) {
  return http::problem_response(wire::problem_of(error), request.request_id());
}

Response answer(const boost::json::object& object) {
  return http::json_response(200, boost::json::serialize(object));
}

boost::json::object to_json(const Archivist::Listed& listed) {
  boost::json::object object{{"name", audit::archive_name(listed.first_sequence)},
                             {"sha256", base64(listed.record.sha256)},
                             {"locked_until", time_text(listed.locked_until_ms())},
                             {"restored_until", nullptr},
                             {"readable", listed.item.has_value()}};
  if (listed.record.restored_until_ms != 0) {
    object["restored_until"] = time_text(listed.record.restored_until_ms);
  }
  if (!listed.item) return object;
  const audit::SegmentFacts& segment = listed.item->header.segment;
  object["first_sequence"] = segment.first_sequence;
  object["last_sequence"] = segment.last_sequence;
  object["entries"] = segment.last_sequence - segment.first_sequence + 1;
  object["from"] = time_text(segment.oldest_ms);
  object["to"] = time_text(segment.newest_ms);
  object["segment_bytes"] = segment.size_bytes;
  object["size_bytes"] = listed.item->size_bytes;
  return object;
}

std::expected<std::int64_t, wire::Problem> parse_until(std::string_view body) {
  SR_TRY(const boost::json::value value, wire::parse_strict(body, {}));
  SR_TRY(const boost::json::object* object, wire::as_object(value));
  wire::ObjectReader reader(*object);
  const std::string_view text = reader.text("#/until", kTimeLength);
  if (const auto problem = reader.finish("until")) return std::unexpected(*problem);
  const auto time_us = parse_rfc3339(text);
  if (!time_us || *time_us < 0) {
    return std::unexpected(
        wire::Problem{wire::ProblemType::invalid_value, "not a time of RFC 3339", "#/until"});
  }
  return *time_us / 1000;
}

Task<Response> begin_archiving(Parts parts, Request& request) {
  const auto archivist = archivist_of(parts);
  if (!archivist) co_return refusal(archivist.error(), request);
  const auto begun = (*archivist)->begin_archiving(http::operator_user(request));
  if (!begun) co_return refusal(begun.error(), request);
  co_return http::json_response(202, "{}");
}

Task<Response> show_archiving(Parts parts, Request& request) {
  const auto archivist = archivist_of(parts);
  if (!archivist) co_return refusal(archivist.error(), request);
  const std::optional<ArchiveRun>& run = (*archivist)->run();
  if (!run) co_return refusal(kNotBegun, request);
  if (run->outcome && !*run->outcome) co_return refusal(run->outcome->error(), request);
  co_return answer(
      {{"ended", run->outcome.has_value()}, {"due", run->due}, {"archived", run->archived}});
}

Task<Response> list_archives(Parts parts, Request& request) {
  const auto archivist = archivist_of(parts);
  if (!archivist) co_return refusal(archivist.error(), request);
  const auto all = co_await (*archivist)->list();
  if (!all) co_return refusal(all.error(), request);
  boost::json::array data;
  data.reserve(all->size());
  for (const Archivist::Listed& listed : *all) data.push_back(to_json(listed));
  boost::json::object object;
  object["data"] = std::move(data);
  co_return answer(object);
}

Task<Response> restore(Parts parts, Request& request) {
  const auto archive = named(parts, request);
  if (!archive) co_return refusal(archive.error(), request);
  std::string user = http::operator_user(request);
  const auto until_ms =
      co_await archive->archivist->restore(archive->first_sequence, std::move(user));
  if (!until_ms) co_return refusal(until_ms.error(), request);
  co_return answer({{"restored_until", time_text(*until_ms)}});
}

Task<Response> hold(Parts parts, Request& request) {
  const auto archive = named(parts, request);
  if (!archive) co_return refusal(archive.error(), request);
  const auto until_ms = parse_until(as_text(request.body()));
  if (!until_ms) co_return http::problem_response(until_ms.error(), request.request_id());
  std::string user = http::operator_user(request);
  const auto held =
      co_await archive->archivist->hold(archive->first_sequence, *until_ms, std::move(user));
  if (!held) co_return refusal(held.error(), request);
  co_return answer({{"locked_until", time_text(*until_ms)}});
}

Task<Response> dispose(Parts parts, Request& request) {
  const auto archive = named(parts, request);
  if (!archive) co_return refusal(archive.error(), request);
  std::string user = http::operator_user(request);
  const std::int64_t now_ms = parts.serving.find()->attested_now_ms();
  const auto locked_until_ms =
      co_await archive->archivist->dispose(archive->first_sequence, now_ms, std::move(user));
  if (!locked_until_ms) co_return refusal(locked_until_ms.error(), request);
  boost::json::object object{{"disposed", !locked_until_ms->has_value()}};
  if (*locked_until_ms) object["locked_until"] = time_text(**locked_until_ms);
  co_return answer(object);
}

}  // namespace

void add_archive_routes(http::Router& router, const std::function<Auditd*()>& auditd) {
  http::RouteTable routes(router, Parts{{auditd}}, {.identities = {http::kLocal}});
  routes.add(http::Method::post, "/v1/archives", &begin_archiving);
  routes.add(http::Method::get, "/v1/archives", &list_archives);
  routes.add(http::Method::get, "/v1/archives/run", &show_archiving);
  routes.add(http::Method::post, "/v1/archives/{name}/restore", &restore);
  routes.add(http::Method::post, "/v1/archives/{name}/hold", &hold);
  routes.add(http::Method::post, "/v1/archives/{name}/dispose", &dispose);
}

}  // namespace strongroom::auditd
