// Reading what is said of a backup, and the ledger as JSON.
#include "cde/vault/ledger_routes.h"

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <utility>

#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/try.h"
#include "cde/vault/answer.h"
#include "cde/vault/vault_answers.h"
#include "http/operator_user.h"
#include "http/route_table.h"
#include "wire/json.h"

namespace strongroom::cde {
namespace {

using async::Task;
using http::Request;
using http::Response;
using wire::Literal;
using wire::Problem;
using wire::ProblemType;

constexpr std::size_t kIdBytes = 16;
constexpr wire::TextLength kIdLength{
    .min = 2 * kIdBytes, .max = 2 * kIdBytes, .told = "a backup's id has 32 hexadecimal digits"};
constexpr wire::TextLength kWordLength{.min = 1, .max = 16};
constexpr wire::TextLength kMeansLength{.min = 1, .max = 100, .told = "has 1 to 100 characters"};
constexpr Problem kNotAnId{ProblemType::invalid_value, "a backup's id has 32 hexadecimal digits",
                           "#/id"};
constexpr Problem kNoWord{ProblemType::invalid_value, "not what is said of a backup", "#/act"};
constexpr Problem kNeedsOther{ProblemType::invalid_value,
                              "the id of the backup that replaces it, and only then",
                              "#/replaced_by"};
constexpr Problem kNeedsMeans{ProblemType::invalid_value,
                              "what the keys were backed up by, and only of one that is added",
                              "#/means"};
constexpr Problem kNotPlain{ProblemType::invalid_value, "must be printable text", "#/means"};
constexpr Problem kLikeCard{ProblemType::looks_like_card_data, "must not hold a card number",
                            "#/means"};
constexpr Problem kLedgerAltered{ProblemType::sealed,
                                 "the key registry or its ledger of backups was altered: strongroom"
                                 " keys check tells which"};

boost::json::value text_or_null(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

boost::json::value time_or_null(const std::optional<std::int64_t>& time_us) {
  return time_us ? boost::json::value(rfc3339(*time_us)) : boost::json::value(nullptr);
}

boost::json::object view_of(const KnownBackup& backup) {
  boost::json::array holds;
  for (const std::string& label : backup.holds) holds.emplace_back(label);
  const bool ended = backup.ending != BackupEnding::none;
  return {{"id", backup.id},
          {"kind", to_string(backup.kind)},
          {"means", text_or_null(backup.means)},
          {"begun_at", rfc3339(backup.begun_at_us)},
          {"verified_at", time_or_null(backup.verified_at_us)},
          {"holds", std::move(holds)},
          {"ending", ended ? boost::json::value(to_string(backup.ending)) : nullptr},
          {"ended_at", time_or_null(backup.ended_at_us)},
          {"replaced_by", text_or_null(backup.replaced_by)},
          {"ended_by", text_or_null(backup.ended_by)}};
}

bool is_id(std::string_view text) {
  std::array<std::byte, kIdBytes> bytes{};
  return parse_hex(text, bytes);
}

bool is_plain(std::string_view text) {
  constexpr unsigned char kFirst = 0x20, kDelete = 0x7f;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < kFirst || byte == kDelete) return false;
  }
  return true;
}

Answer<BackupNote> parse_note(std::string_view body) {
  SR_TRY(const boost::json::value value, wire::parse_strict(body, {}));
  SR_TRY(const boost::json::object* object, wire::as_object(value));
  wire::ObjectReader reader(*object);
  BackupNote note;
  note.id = reader.text("#/id", kIdLength);
  const auto kind = parse_backup_kind(reader.text("#/kind", kWordLength));
  const auto act = parse_backup_act(reader.text("#/act", kWordLength));
  note.replaced_by = reader.text_or_none("#/replaced_by", kIdLength).value_or("");
  note.means = reader.text_or_none("#/means", kMeansLength).value_or("");
  if (const auto wrong = reader.finish("id, kind, act, replaced_by and means")) {
    return std::unexpected(*wrong);
  }
  if (!is_id(note.id)) return std::unexpected(kNotAnId);
  if (!kind || !act) return std::unexpected(kNoWord);
  note.kind = *kind;
  note.act = *act;
  const bool adds = note.act == BackupAct::add;
  if ((note.act == BackupAct::replaced) != is_id(note.replaced_by)) {
    return std::unexpected(kNeedsOther);
  }
  if (adds == note.means.empty() || (adds && note.kind != BackupKind::keys)) {
    return std::unexpected(kNeedsMeans);
  }
  if (!is_plain(note.means)) return std::unexpected(kNotPlain);
  if (looks_like_pan(note.means)) return std::unexpected(kLikeCard);
  return note;
}

Response refused(const Error& error, const Request& request) {
  const auto problem = [&]() -> Problem {
    switch (error.code()) {
      case ErrorCode::not_found:
        return {ProblemType::not_found, Literal(error)};
      case ErrorCode::conflict:
        return {ProblemType::conflict, Literal(error)};
      case ErrorCode::corrupt:
        return kLedgerAltered;
      default:
        return problem_of_hsm(error);
    }
  };
  return http::problem_response(problem(), request.request_id());
}

Task<Response> list(LedgerParts parts, Request& request) {
  const auto ledger = co_await parts.keeper.backups();
  if (!ledger) co_return refused(ledger.error(), request);
  boost::json::array data;
  for (const KnownBackup& backup : ledger->rows()) data.emplace_back(view_of(backup));
  const boost::json::object answer{
      {"object", "list"}, {"data", std::move(data)}, {"next", nullptr}};
  co_return http::json_response(200, boost::json::serialize(answer));
}

Task<Response> note(LedgerParts parts, Request& request) {
  auto note = parse_note(as_text(request.body()));
  if (!note) co_return http::problem_response(note.error(), request.request_id());
  std::string user = http::operator_user(request);
  const auto row = co_await parts.keeper.note_backup(*std::move(note), std::move(user));
  if (!row) co_return refused(row.error(), request);
  co_return http::json_response(200, boost::json::serialize(view_of(*row)));
}

}  // namespace

void add_ledger_routes(http::Router& router, LedgerParts parts) {
  http::RouteTable routes(router, parts, {.identities = {http::kLocal}});
  routes.add(http::Method::get, "/v1/backups", list);
  routes.add(http::Method::post, "/v1/backups", note);
}

}  // namespace strongroom::cde
