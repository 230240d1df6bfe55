// Submitting, and bringing back.
#include "connected/relay/witness_client.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "audit/checkpoint.h"
#include "audit/lines.h"
#include "audit/log_reader.h"
#include "audit/logs.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "http/target.h"
#include "wire/json.h"

namespace strongroom::connected::relay {

using async::Task;

namespace {

constexpr int kCosigned = 200;
constexpr int kNotSigned = 403;
constexpr int kUnknownLog = 404;
constexpr int kNotTheLast = 409;
constexpr int kInconsistent = 422;
constexpr int kServerFails = 500;  // and above
// As many of an owner's logs as a strongroom witness lets begin.
constexpr std::size_t kLogsMax = 256;
constexpr Error kUnknownKey{ErrorCode::permission_denied,
                            "witness knows the log by another key than signs it"};
constexpr Error kUnknown{ErrorCode::permission_denied, "witness does not know the log"};
constexpr Error kRefused{ErrorCode::permission_denied, "witness refuses the checkpoint"};
constexpr Error kNoAnswer{ErrorCode::unavailable, "witness gives no answer of the protocol"};
constexpr Error kStops{ErrorCode::unavailable, "audit-relay stops"};
constexpr Error kTooSlow{ErrorCode::unavailable,
                         "witness takes too long to tell of the operator's other logs"};
constexpr Error kNotShown{ErrorCode::not_found, "witness shows no checkpoint of the log"};
constexpr Error kNoProof{ErrorCode::permission_denied,
                         "auditd takes what the witness said for no proof"};
constexpr Error kNotTaken{ErrorCode::permission_denied,
                          "auditd takes no cosignature of this witness: its key is not in [auditd] "
                          "witnesses, or its clock is ahead"};
constexpr Error kNotHeard{ErrorCode::unavailable, "auditd does not take what the witness said"};

constexpr std::size_t kWitnessesMax = 64;

std::string json(const boost::json::object& object) { return boost::json::serialize(object); }

// nullopt: not as auditd answers.
std::optional<Verdict> parse_verdict(std::string_view body) {
  const auto value = wire::parse_strict(body, {});
  const auto object = value ? wire::as_object(*value) : std::unexpected(value.error());
  if (!object) return std::nullopt;
  wire::ObjectReader reader(**object);
  const std::string_view testimony = reader.text("#/testimony", {.min = 1, .max = 32});
  const boost::json::array* witnesses = reader.array("#/witnesses", kWitnessesMax);
  if (reader.finish("testimony and witnesses")) return std::nullopt;
  Verdict verdict{.rolled_back = testimony == "rolled_back",
                  .settled = testimony == "settled",
                  .witnesses = {}};
  for (const boost::json::value& vkey : *witnesses) {
    if (!vkey.is_string()) return std::nullopt;
    auto key = audit::NoteKey::parse(vkey.get_string(), audit::NoteKeyType::cosignature);
    if (!key) return std::nullopt;
    verdict.witnesses.push_back(*std::move(key));
  }
  return verdict;
}

// The witness has no checkpoint of that log, or one that is no proof: another key's, from before a
// key was changed.
bool says_nothing(const Error& error) {
  return error.code() == ErrorCode::not_found || error.code() == ErrorCode::permission_denied;
}

// True when one of these lines is by one of `keys`: the note that was told may have borne others'.
bool has_line_of(std::string_view lines, const std::vector<audit::NoteKey>& keys) {
  const auto note = audit::parse_note("\n\n" + std::string(lines));
  return note && std::ranges::any_of(note->signatures, [&](const audit::NoteSignature& line) {
           return std::ranges::any_of(keys, [&](const audit::NoteKey& key) {
             return key.name == line.name && key.id() == line.key_id;
           });
         });
}

}  // namespace

WitnessClient::WitnessClient(Parts parts)
    : parts_(std::move(parts)),
      witness_(parts_.loop, parts_.witness),
      auditd_(parts_.loop, parts_.auditd),
      pause_(parts_.pause) {}

bool WitnessClient::is_due(std::string_view log, std::uint64_t size) const {
  return !is_asked_ && std::chrono::steady_clock::now() >= next_ &&
         (log != log_ || size != told_size_);
}

Task<std::string> WitnessClient::hand_in(WitnessTarget target) {
  is_asked_ = true;
  Result<std::string> lines = co_await cosignature(target);
  if (lines && !lines->empty()) co_return *std::move(lines);
  finish(lines ? Result<void>{} : fail(lines.error()));
  co_return std::string();
}

void WitnessClient::heard(const audit::Checkpoint& cosigned, std::string_view lines,
                          const Result<Verdict>& told) {
  if (!told) {
    const bool is_worthless = told.error().code() == ErrorCode::permission_denied;
    finish(fail(is_worthless ? kNotTaken : told.error()));
    return;
  }
  // Of a log that is over, nobody's line counts, and saying it again changes nothing.
  const bool is_over = told->rolled_back || told->settled;
  if (!is_over && !has_line_of(lines, told->witnesses)) {
    finish(fail(kNotTaken));
    return;
  }
  old_size_ = cosigned.size;
  told_size_ = cosigned.size;
  finish({});
}

void WitnessClient::finish(const Result<void>& done) {
  is_asked_ = false;
  if (stopping_) return;
  if (!done) failed_.warn({{"witness", parts_.name}, {"error", done.error()}});
  cause_ = done ? std::string_view() : done.error().what();
  parts_.failing.set(done ? 0 : 1);
  pause_ =
      done ? parts_.pause
           : std::min<std::chrono::milliseconds>(2 * pause_, std::chrono::milliseconds(kPauseMax));
  if (!done) next_ = std::chrono::steady_clock::now() + pause_;
}

Task<void> WitnessClient::close() {
  co_await witness_.close();
  co_await auditd_.close();
}

Task<Result<std::string>> WitnessClient::cosignature(const WitnessTarget& target) {
  if (target.log != log_) {
    log_ = target.log;
    old_size_ = audit::cosigned_size(parts_.directory, log_);
    told_size_ = 0;
    asked_for_.reset();
  }
  SR_CO_TRY(const bool rolled_back, co_await ask_for_others(target.log));
  if (rolled_back) {  // the newest log is of another history: no witness is to know it
    told_size_ = target.checkpoint.size;
    co_return std::string();
  }
  for (int tries = 0; tries < 2; ++tries) {
    auto work = [this, &target]() -> Result<std::string> {
      SR_TRY(audit::LogReader log, audit::LogReader::open(parts_.files, parts_.directory, log_));
      SR_TRY(audit::Submission made, audit::make_submission(log, old_size_, target.note));
      return std::move(made.body);
    };
    const Result<std::string> body = co_await parts_.pool.run(parts_.loop, std::move(work));
    if (!body) {
      old_size_ = 0;  // if it is known of another history, the witness will tell
      co_return fail(body.error());
    }
    http::ClientRequest request{
        .method = http::Method::post, .target = "/add-checkpoint", .body = as_bytes(*body)};
    request.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
    auto response = co_await witness_.send(request);
    if (!response) co_return fail(response.error());
    if (response->status == kCosigned) {
      SR_CO_CHECK_OK(audit::with_cosignatures(target.note, response->body));
      co_return std::move(response->body);
    }
    SR_CO_TRY(const bool again, co_await refused(target.checkpoint, *response));
    if (!again) co_return std::string();
  }
  co_return fail(kRefused);
}

Task<Result<bool>> WitnessClient::ask_for_others(std::string_view log) {
  const LogSizes ours = parts_.watch.state().signed_sizes;
  LogSizes others;
  for (const auto& [name, size] : ours) {
    if (audit::is_operators(name) && name != log) others.emplace(name, size);
  }
  if (others == asked_for_) co_return false;
  asked_for_.reset();
  asking_until_ = std::chrono::steady_clock::now() + parts_.asking_max;
  SR_CO_TRY(bool rolled_back, co_await ask_for(others));
  if (!rolled_back) {
    SR_CO_TRY(rolled_back, co_await ask_for_unknown(ours));
  }
  if (!rolled_back) asked_for_ = std::move(others);
  co_return rolled_back;
}

// A witness that answers slowly, or tells of logs without end, is one that fails.
Result<void> WitnessClient::may_ask() const {
  if (stopping_) return fail(kStops);
  if (std::chrono::steady_clock::now() >= asking_until_) return fail(kTooSlow);
  return {};
}

// What was cut back to an earlier year's copy goes on with a log that the witness takes from its
// beginning: only what it saw of the ones before tells.
Task<Result<bool>> WitnessClient::ask_for(const LogSizes& others) {
  for (const auto& [name, size] : others) {
    SR_CO_CHECK_OK(may_ask());
    const std::string origin = audit::log_origin(parts_.place, name);
    const Result<bool> rolled_back = co_await bring_newest(origin);
    if (!rolled_back && says_nothing(rolled_back.error())) continue;
    if (!rolled_back || *rolled_back) co_return rolled_back;
  }
  co_return false;
}

// What was put back to a copy from before a log began does not know that there was one. A witness
// that does not say what comes next, as another's does not, says nothing; one that cannot now,
// whose state is damaged for one, is asked again.
Task<Result<bool>> WitnessClient::ask_for_unknown(const LogSizes& ours) {
  std::string origin = audit::log_origin(parts_.place, fmt::format("{}-", audit::kOperator));
  for (std::size_t asked = 0; asked < kLogsMax; ++asked) {
    SR_CO_CHECK_OK(may_ask());
    const std::string target =
        fmt::format("/next-checkpoint?after={}", http::percent_encoded(origin));
    const http::ClientRequest request{.method = http::Method::get, .target = target};
    const auto next = co_await witness_.send(request);
    if (!next) co_return fail(next.error());
    if (next->status >= kServerFails) co_return fail(kNoAnswer);
    if (next->status != kCosigned) co_return false;
    const auto newest = audit::read_checkpoint(next->body);
    if (!newest || newest->origin <= origin) co_return fail(kNoAnswer);
    origin = newest->origin;
    const auto name = audit::name_of_origin(parts_.place, origin);
    if (!name || !audit::is_operators(*name)) co_return fail(kNoAnswer);
    if (ours.contains(*name)) continue;
    std::string said = said_of(next->body);
    const Result<bool> rolled_back = co_await bring(std::move(said));
    if (!rolled_back && says_nothing(rolled_back.error())) continue;
    if (!rolled_back || *rolled_back) co_return rolled_back;
  }
  co_return false;
}

Task<Result<bool>> WitnessClient::refused(const audit::Checkpoint& target,
                                          const http::ClientResponse& response) {
  if (response.status == kInconsistent) co_return co_await contradicted(target, 0);
  if (response.status == kNotTheLast) {
    std::string_view text(response.body);
    const auto size = audit::parse_decimal(audit::take_line(text));
    if (!size) co_return fail(kNoAnswer);
    co_return co_await contradicted(target, *size);
  }
  if (response.status == kUnknownLog) co_return fail(kUnknown);
  if (response.status == kNotSigned) co_return fail(kUnknownKey);
  co_return fail(kRefused);
}

// The witness has cosigned something else last. Its checkpoint, which this log's key has signed,
// proves more than the size that it says.
Task<Result<bool>> WitnessClient::contradicted(const audit::Checkpoint& target,
                                               std::uint64_t size) {
  Result<bool> told = co_await bring_newest(target.origin);
  if (!told && size > 0) {
    std::string claim = json({{"origin", target.origin}, {"size", size}});
    told = co_await bring(std::move(claim));
  }
  if (!told) co_return fail(told.error());
  if (*told || size == 0 || size > target.size) {
    told_size_ = target.size;  // saying it again changes nothing
    co_return false;
  }
  co_return std::exchange(old_size_, size) != size;
}

Task<Result<bool>> WitnessClient::bring_newest(const std::string& origin) {
  const std::string target = fmt::format("/{}/checkpoint", hex(crypto::sha256(as_bytes(origin))));
  const http::ClientRequest request{.method = http::Method::get, .target = target};
  const auto newest = co_await witness_.send(request);
  if (!newest) co_return fail(newest.error());
  if (newest->status == kUnknownLog) co_return fail(kNotShown);
  if (newest->status != kCosigned) co_return fail(kNoAnswer);
  std::string said = said_of(newest->body);
  co_return co_await bring(std::move(said));
}

Task<Result<bool>> WitnessClient::bring(std::string said) {
  SR_CO_TRY(const Verdict verdict, co_await tell_auditd(auditd_, std::move(said)));
  if (verdict.rolled_back) {
    log::error("a witness has seen another audit log than is here", {{"witness", parts_.name}});
  }
  co_return verdict.rolled_back;
}

Task<Result<Verdict>> tell_auditd(http::Client& auditd, std::string said) {
  http::ClientRequest request{
      .method = http::Method::post, .target = "/v1/witness", .body = as_bytes(said)};
  request.headers.emplace_back("Content-Type", "application/json");
  const auto response = co_await auditd.send(request);
  if (!response) co_return fail(response.error());
  if (response->status == kNotSigned) co_return fail(kNoProof);
  if (response->status != kCosigned) co_return fail(kNotHeard);
  auto verdict = parse_verdict(response->body);
  if (!verdict) co_return fail(kNotHeard);
  co_return *std::move(verdict);
}

std::string said_of(std::string_view note) { return json({{"note", note}}); }

}  // namespace strongroom::connected::relay
