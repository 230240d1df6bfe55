#include "connected/relay/exporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "audit/lines.h"
#include "audit/logs.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::connected::relay {
namespace {

constexpr std::size_t kBatchEntries = 256;
constexpr std::chrono::milliseconds kPause{200};
constexpr std::chrono::milliseconds kStep{100};
constexpr std::size_t kPlaceBytesMax = std::size_t{64} << 20;
constexpr mode_t kMode = 0600;

// What is handed on in one go, and how far the sink is with it.
struct Batch {
  std::vector<std::string> records;
  LogSizes sizes;
  std::vector<UnreadableEntry> unreadable;
};

}  // namespace

std::string export_place_text(const LogSizes& sizes) {
  std::string text;
  for (const auto& [log, size] : sizes) {
    fmt::format_to(std::back_inserter(text), "{} {}\n", log, size);
  }
  return text;
}

Result<LogSizes> parse_export_place(std::string_view text) {
  constexpr Error kDamaged{ErrorCode::corrupt, "the record of what was exported is damaged"};
  LogSizes sizes;
  while (!text.empty()) {
    const std::string_view line = audit::take_line(text);
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) return fail(kDamaged);
    const auto size = audit::parse_decimal(line.substr(blank + 1));
    const std::string_view log = line.substr(0, blank);
    if (!size || !audit::is_log_name(log)) return fail(kDamaged);
    sizes.emplace(log, *size);
  }
  return sizes;
}

async::Task<void> Exporter::run() {
  while (!stopping_) {
    busy_since_ = SteadyClock::now();
    const Result<bool> done = co_await export_batch();
    busy_since_.reset();
    take(done);
    if (!done) {
      const auto wait = parts_.retry_first * (1U << std::min(failures_ - 1, 10U));
      co_await pause(std::min(wait, parts_.retry_max));
    } else if (!*done) {
      co_await pause(kPause);
    }
  }
  parts_.sink.finish();
}

async::Task<void> Exporter::pause(std::chrono::milliseconds duration) {
  for (auto left = duration; left.count() > 0 && !stopping_; left -= kStep) {
    co_await parts_.loop.sleep_for(std::min(left, kStep));
  }
}

// What was in doubt is lost with the sink: it is sent again.
void Exporter::take(const Result<bool>& done) {
  if (done) {
    if (failures_ > 0) log::info("export goes on", {{"exporter", parts_.name}});
    failures_ = 0;
    return;
  }
  if (failures_++ == 0) {
    log::error("export does not go on", {{"exporter", parts_.name}, {"error", done.error()}});
  }
  parts_.metrics.failures.add();
  sent_ = settled_;
  in_doubt_.clear();
}

// An alarm for each place; the copies of the other logs go on.
void Exporter::meet(const std::vector<UnreadableEntry>& unreadable) {
  const auto met = unreadable.empty() ? std::nullopt : std::optional(unreadable.front());
  if (std::exchange(unreadable_, met) == met || !met) return;
  log::error("export stops at an entry that cannot be read", {{"exporter", parts_.name},
                                                              {"log", met->place.log},
                                                              {"index", met->place.index},
                                                              {"archive", met->archive}});
}

std::chrono::milliseconds Exporter::busy_for() const noexcept {
  if (!busy_since_) return {};
  return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - *busy_since_);
}

std::string_view Exporter::cause() const noexcept {
  if (busy_for() > parts_.slow) return "its sink does not answer";
  if (failures_ > 0) return "its sink takes nothing";
  if (!unreadable_) return "";
  return unreadable_->archive.empty() ? "an entry cannot be read" : "an entry is in an archive";
}

std::string Exporter::trouble() const {
  if (busy_for() > parts_.slow) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(busy_for());
    return fmt::format("{}: delivering since {} s", cause(), seconds.count());
  }
  if (failures_ > 0 || !unreadable_) return std::string(cause());
  const auto& [place, archive] = *unreadable_;
  if (archive.empty()) return fmt::format("{}: {} of {}", cause(), place.index, place.log);
  return fmt::format("{}: {} of {}; strongroom audit restore {}", cause(), place.index, place.log,
                     archive);
}

void Exporter::look() {
  parts_.metrics.lag.set(
      static_cast<std::int64_t>(entries_between(settled_, parts_.watch.state().signed_sizes)));
  parts_.metrics.failing.set(cause().empty() ? 0 : 1);
}

async::Task<Result<void>> Exporter::begin() {
  auto read = [this]() -> Result<LogSizes> {
    const auto text = read_file(parts_.place_path, kPlaceBytesMax);
    if (!text && text.error().code() == ErrorCode::not_found) return LogSizes{};
    if (!text) return fail(text.error());
    return parse_export_place(*text);
  };
  SR_CO_TRY(settled_, co_await parts_.pool.run(parts_.loop, std::move(read)));
  sent_ = settled_;
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(parts_.random, parts_.clock);
  entry.event_type = audit::EventType::log_export;
  entry.outcome = audit::Outcome::success;
  entry.time_us = parts_.clock.now_us();
  entry.resources = {parts_.name, parts_.destination};
  SR_CO_CHECK_OK(co_await parts_.recorder.record(entry));
  begun_ = true;
  co_return Result<void>{};
}

// True when there may be more at once.
async::Task<Result<bool>> Exporter::export_batch() {
  if (!begun_) SR_CO_CHECK_OK(co_await begin());
  SR_CO_CHECK_OK(co_await settle());
  const LogSizes& signed_sizes = parts_.watch.state().signed_sizes;
  if (entries_between(sent_, signed_sizes) == 0) co_return false;
  auto work = [this, from = sent_, to = signed_sizes]() -> Result<Batch> {
    Batch batch{.records = {}, .sizes = from, .unreadable = {}};
    LogBatch next = turns_.next(from, to, kBatchEntries);
    batch.records.reserve(next.entries.size());
    for (const FollowedEntry& entry : next.entries) {
      batch.records.push_back(
          export_record(parts_.format,
                        {.origin = audit::log_origin(parts_.place, entry.place.log),
                         .index = entry.place.index,
                         .bytes = entry.bytes},
                        parts_.host));
      batch.sizes.insert_or_assign(entry.place.log, entry.place.index + 1);
    }
    batch.unreadable = std::move(next.unreadable);
    return batch;
  };
  Result<Batch> batch = co_await parts_.pool.run(parts_.loop, std::move(work));
  if (!batch) co_return fail(batch.error());
  meet(batch->unreadable);
  const std::size_t count = batch->records.size();
  if (count == 0) co_return false;
  SR_CO_CHECK_OK(co_await parts_.sink.deliver(std::move(batch->records)));
  parts_.metrics.exported.add(count);
  sent_ = std::move(batch->sizes);
  in_doubt_.push_back({SteadyClock::now(), sent_});
  co_return true;
}

// Keeps how far the sink is, up to what can no longer be lost. unavailable: the sink is gone, or
// the file takes nothing.
async::Task<Result<void>> Exporter::settle() {
  if (in_doubt_.empty()) co_return Result<void>{};
  if (!parts_.sink.is_alive()) co_return fail({ErrorCode::unavailable, "the sink has gone"});
  const auto certain = SteadyClock::now() - parts_.sink.doubt();
  bool moved = false;
  while (!in_doubt_.empty() && in_doubt_.front().at <= certain) {
    settled_ = std::move(in_doubt_.front().sizes);
    in_doubt_.pop_front();
    moved = true;
  }
  if (!moved) co_return Result<void>{};
  auto write = [this, text = export_place_text(settled_)] {
    return write_file_durable(parts_.place_path, as_bytes(text), kMode);
  };
  co_return co_await parts_.pool.run(parts_.loop, std::move(write));
}

}  // namespace strongroom::connected::relay
