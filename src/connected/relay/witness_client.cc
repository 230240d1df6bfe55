// Submitting, and bringing back.
#include "connected/relay/witness_client.h"

#include <fmt/core.h>

#include <algorithm>
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

namespace strongroom::connected::relay {

using async::Task;

namespace {

constexpr int kCosigned = 200;
constexpr int kNotSigned = 403;
constexpr int kUnknownLog = 404;
constexpr int kNotTheLast = 409;
constexpr int kInconsistent = 422;
// More of the operator's logs than there will be, so that a witness cannot keep it asking.
constexpr std::size_t kLogsMax = 1'024;
constexpr Error kUnknownKey{ErrorCode::permission_denied,
                            "witness knows the log by another key than signs it"};
constexpr Error kUnknown{ErrorCode::permission_denied, "witness does not know the log"};
constexpr Error kRefused{ErrorCode::permission_denied, "witness refuses the checkpoint"};
constexpr Error kNoAnswer{ErrorCode::unavailable, "witness gives no answer of the protocol"};
constexpr Error kNotShown{ErrorCode::not_found, "witness shows no checkpoint of the log"};
constexpr Error kNoProof{ErrorCode::permission_denied,
                         "auditd takes what the witness said for no proof"};
constexpr Error kNotHeard{ErrorCode::unavailable, "auditd does not take what the witness said"};

struct Operators {
  std::string newest;  // the log that grows now; empty while none is signed
  std::uint64_t size = 0;
  LogSizes others;
};
Operators operators(const LogSizes& sizes) {
  Operators logs;
  for (const auto& [name, size] : sizes) {  // ascending: by time
    if (!audit::is_operators(name)) continue;
    if (!logs.newest.empty()) logs.others.emplace(std::move(logs.newest), logs.size);
    logs.newest = name;
    logs.size = size;
  }
  return logs;
}

std::string json(const boost::json::object& object) { return boost::json::serialize(object); }

}  // namespace

WitnessClient::WitnessClient(Parts parts)
    : parts_(std::move(parts)),
      witness_(parts_.loop, parts_.witness),
      auditd_(parts_.loop, parts_.auditd) {}

bool WitnessClient::has_news() const {
  const Operators logs = operators(parts_.watch.state().signed_sizes);
  return logs.size > 0 && (logs.newest != log_ || logs.size != told_size_);
}

Task<void> WitnessClient::run() {
  auto pause = parts_.pause;
  auto next = std::chrono::steady_clock::now();
  while (!stopping_) {
    co_await parts_.loop.sleep_for(kStep);
    if (stopping_ || !has_news() || std::chrono::steady_clock::now() < next) continue;
    const Result<void> done = co_await hand_in();
    if (!done && !stopping_) {
      failed_.warn({{"witness", parts_.name}, {"error", done.error()}});
    }
    cause_ = done ? std::string_view() : done.error().what();
    parts_.failing.set(done ? 0 : 1);
    pause =
        done ? parts_.pause
             : std::min<std::chrono::milliseconds>(2 * pause, std::chrono::milliseconds(kPauseMax));
    next = std::chrono::steady_clock::now();
    if (!again_) next += pause;
  }
  co_await witness_.close();
  co_await auditd_.close();
}

Task<Result<void>> WitnessClient::hand_in() {
  again_ = false;
  Operators logs = operators(parts_.watch.state().signed_sizes);
  if (logs.newest != log_) {
    log_ = logs.newest;
    old_size_ = audit::cosigned_size(parts_.directory, log_);
    told_size_ = 0;
    asked_for_.reset();
  }
  if (logs.others != asked_for_) {
    SR_CO_TRY(bool rolled_back, co_await ask_for(logs.others));
    if (!rolled_back) {
      const LogSizes ours = parts_.watch.state().signed_sizes;
      SR_CO_TRY(rolled_back, co_await ask_for_unknown(ours));
    }
    if (rolled_back) {  // the newest log is of another history: no witness is to know it
      asked_for_.reset();
      told_size_ = logs.size;
      co_return Result<void>{};
    }
    asked_for_ = std::move(logs.others);
  }
  auto work = [this]() -> Result<audit::Submission> {
    SR_TRY(audit::LogReader log, audit::LogReader::open(parts_.files, parts_.directory, log_));
    return audit::make_submission(log, old_size_);
  };
  Result<audit::Submission> submission = co_await parts_.pool.run(parts_.loop, std::move(work));
  if (!submission && old_size_ > 0) {  // known of another history: the witness will tell
    old_size_ = 0;
    co_return fail(submission.error());
  }
  if (!submission) co_return fail(submission.error());
  http::ClientRequest request{.method = http::Method::post,
                              .target = "/add-checkpoint",
                              .body = as_bytes(submission->body)};
  request.headers.emplace_back("Content-Type", "text/plain; charset=utf-8");
  const auto response = co_await witness_.send(request);
  if (!response) co_return fail(response.error());
  co_return co_await answer(*submission, *response);
}

// What was cut back to an earlier year's copy goes on with a log that the witness takes from its
// beginning: only what it saw of the ones before tells.
Task<Result<bool>> WitnessClient::ask_for(const LogSizes& others) {
  for (const auto& [name, size] : others) {
    const std::string origin = audit::log_origin(parts_.place, name);
    const Result<bool> rolled_back = co_await bring_newest(origin);
    if (!rolled_back && rolled_back.error().code() == ErrorCode::not_found) continue;
    if (!rolled_back || *rolled_back) co_return rolled_back;
  }
  co_return false;
}

// What was put back to a copy from before a log began does not know that there was one. A witness
// that does not say what comes next, as another's does not, says nothing.
Task<Result<bool>> WitnessClient::ask_for_unknown(const LogSizes& ours) {
  std::string origin = audit::log_origin(parts_.place, fmt::format("{}-", audit::kOperator));
  for (std::size_t asked = 0; asked < kLogsMax; ++asked) {
    const std::string target =
        fmt::format("/next-checkpoint?after={}", http::percent_encoded(origin));
    const http::ClientRequest request{.method = http::Method::get, .target = target};
    const auto next = co_await witness_.send(request);
    if (!next) co_return fail(next.error());
    const auto newest = audit::read_checkpoint(next->body);
    if (next->status != kCosigned || !newest || newest->origin <= origin) co_return false;
    origin = newest->origin;
    const auto name = audit::name_of_origin(parts_.place, origin);
    if (!name || !audit::is_operators(*name)) co_return false;
    if (ours.contains(*name)) continue;
    std::string note = json({{"note", next->body}});
    const Result<bool> rolled_back = co_await tell_auditd(std::move(note));
    if (!rolled_back && rolled_back.error().code() == ErrorCode::permission_denied) continue;
    if (!rolled_back || *rolled_back) co_return rolled_back;
  }
  co_return false;
}

Task<Result<void>> WitnessClient::answer(const audit::Submission& submission,
                                         const http::ClientResponse& response) {
  if (response.status == kInconsistent) co_return co_await contradicted(submission, 0);
  if (response.status == kNotTheLast) {
    std::string_view text(response.body);
    const auto size = audit::parse_decimal(audit::take_line(text));
    if (!size) co_return fail(kNoAnswer);
    co_return co_await contradicted(submission, *size);
  }
  if (response.status == kUnknownLog) co_return fail(kUnknown);
  if (response.status == kNotSigned) co_return fail(kUnknownKey);
  if (response.status != kCosigned) co_return fail(kRefused);
  SR_CO_TRY(const std::string note, audit::with_cosignatures(submission.note, response.body));
  std::string body = json({{"note", note}});
  SR_CO_CHECK_OK(co_await tell_auditd(std::move(body)));
  old_size_ = submission.checkpoint.size;
  told_size_ = submission.checkpoint.size;
  co_return Result<void>{};
}

// The witness has cosigned something else last. Its checkpoint, which this log's key has signed,
// proves more than the size that it says.
Task<Result<void>> WitnessClient::contradicted(const audit::Submission& submission,
                                               std::uint64_t size) {
  const std::string& origin = submission.checkpoint.origin;
  Result<bool> told = co_await bring_newest(origin);
  if (!told && size > 0) {
    std::string claim = json({{"origin", origin}, {"size", size}});
    told = co_await tell_auditd(std::move(claim));
  }
  if (!told) co_return fail(told.error());
  if (*told || size == 0 || size > submission.checkpoint.size) {
    told_size_ = submission.checkpoint.size;  // saying it again changes nothing
  } else {
    again_ = old_size_ != size;
    old_size_ = size;
  }
  co_return Result<void>{};
}

Task<Result<bool>> WitnessClient::bring_newest(const std::string& origin) {
  const std::string target = fmt::format("/{}/checkpoint", hex(crypto::sha256(as_bytes(origin))));
  const http::ClientRequest request{.method = http::Method::get, .target = target};
  const auto newest = co_await witness_.send(request);
  if (!newest) co_return fail(newest.error());
  if (newest->status == kUnknownLog) co_return fail(kNotShown);
  if (newest->status != kCosigned) co_return fail(kNoAnswer);
  std::string note = json({{"note", newest->body}});
  co_return co_await tell_auditd(std::move(note));
}

Task<Result<bool>> WitnessClient::tell_auditd(std::string body) {
  http::ClientRequest request{
      .method = http::Method::post, .target = "/v1/witness", .body = as_bytes(body)};
  request.headers.emplace_back("Content-Type", "application/json");
  const auto response = co_await auditd_.send(request);
  if (!response) co_return fail(response.error());
  if (response->status == kNotSigned) co_return fail(kNoProof);
  if (response->status != kCosigned) co_return fail(kNotHeard);
  const bool rolled_back = response->body.find("rolled_back") != std::string::npos;
  if (rolled_back) {
    log::error("a witness has seen another audit log than is here", {{"witness", parts_.name}});
  }
  co_return rolled_back;
}

}  // namespace strongroom::connected::relay
