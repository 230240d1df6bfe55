// Rounds.
#include "connected/relay/witnesses.h"

#include <algorithm>
#include <utility>

#include "audit/log_reader.h"
#include "audit/logs.h"
#include "audit/submission.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::connected::relay {

using async::Task;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kLook{10};

}  // namespace

Witnesses::Witnesses(Parts parts, Clients clients)
    : parts_(std::move(parts)), clients_(std::move(clients)), auditd_(parts_.loop, parts_.auditd) {}

void Witnesses::stop() noexcept {
  stopping_ = true;
  for (const auto& client : clients_) client->stop();
}

Task<void> Witnesses::run() {
  auto next = steady_clock::now();
  while (!stopping_) {
    co_await parts_.loop.sleep_for(kStep);
    look();
    if (stopping_ || steady_clock::now() < next || !is_due()) continue;
    next = steady_clock::now() + parts_.pause;
    Result<WitnessTarget> target = co_await newest();
    if (target) {
      co_await hold_round(*std::move(target));
    } else {
      failed_.warn({{"error", target.error()}});
    }
  }
  while (asking_ > 0) co_await parts_.loop.sleep_for(kLook);
  for (const auto& client : clients_) co_await client->close();
  co_await auditd_.close();
}

void Witnesses::look() {
  const LogSizes& sizes = parts_.watch.state().signed_sizes;
  if (!sizes.contains(grows_)) {  // a copy was put back
    seen_.clear();
    grows_.clear();
  }
  for (const auto& [name, size] : sizes) {  // ascending: by time
    if (audit::is_operators(name) && std::exchange(seen_[name], size) != size) grows_ = name;
  }
}

bool Witnesses::is_due() const {
  if (grows_.empty()) return false;
  const std::uint64_t size = seen_.at(grows_);
  return std::ranges::any_of(clients_,
                             [&](const auto& client) { return client->is_due(grows_, size); });
}

Task<Result<WitnessTarget>> Witnesses::newest() {
  auto work = [this, name = grows_]() -> Result<WitnessTarget> {
    SR_TRY(audit::LogReader log, audit::LogReader::open(parts_.files, parts_.directory, name));
    WitnessTarget target{.log = name, .checkpoint = {}, .note = {}};
    SR_TRY(target.note, log.newest_note());
    SR_TRY(target.checkpoint, audit::read_checkpoint(target.note));
    return target;
  };
  co_return co_await parts_.pool.run(parts_.loop, std::move(work));
}

Task<void> Witnesses::hold_round(WitnessTarget target) {
  round_ = ++rounds_;
  const auto end = steady_clock::now() + kPatience;
  for (const auto& client : clients_) {
    if (client->is_due(target.log, target.checkpoint.size)) {
      async::spawn(ask(*client, target, round_));
    }
  }
  while (waiting_for_ > 0 && steady_clock::now() < end) co_await parts_.loop.sleep_for(kLook);
  round_ = 0;
  waiting_for_ = 0;
  std::vector<Answer> answers = std::exchange(answers_, {});
  co_await tell(target, std::move(answers));
}

Task<void> Witnesses::ask(WitnessClient& witness, WitnessTarget target, std::uint64_t round) {
  ++asking_;
  const bool is_waited_for = witness.cause().empty();
  if (is_waited_for) ++waiting_for_;
  std::string lines = co_await witness.hand_in(target);
  Answer answer{&witness, std::move(lines)};
  const bool is_late = round != round_;
  if (is_waited_for && !is_late) --waiting_for_;
  if (!answer.lines.empty() && is_late) {
    std::vector<Answer> alone{std::move(answer)};
    co_await tell(target, std::move(alone));
  } else if (!answer.lines.empty()) {
    answers_.push_back(std::move(answer));
  }
  --asking_;
}

// Together, so that a checkpoint which all have cosigned is not followed by one that only the first
// has. One line that auditd does not take spoils the rest: then it is told each by itself.
Task<void> Witnesses::tell(const WitnessTarget& target, std::vector<Answer> answers) {
  std::string all;
  for (const Answer& answer : answers) all += answer.lines;
  Result<Verdict> together = fail({ErrorCode::invalid_argument, "one alone"});
  if (answers.size() > 1) together = co_await bring(target, all);
  for (const Answer& answer : answers) {
    Result<Verdict> told = together;
    if (!told) told = co_await bring(target, answer.lines);
    answer.witness->heard(target.checkpoint, answer.lines, told);
  }
}

Task<Result<Verdict>> Witnesses::bring(const WitnessTarget& target, const std::string& lines) {
  SR_CO_TRY(const std::string note, audit::with_cosignatures(target.note, lines));
  std::string said = said_of(note);
  SR_CO_TRY(Verdict verdict, co_await tell_auditd(auditd_, std::move(said)));
  if (verdict.rolled_back) log::error("auditd lacks what it had signed a moment ago");
  co_return std::move(verdict);
}

}  // namespace strongroom::connected::relay
