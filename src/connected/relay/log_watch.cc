#include "connected/relay/log_watch.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "audit/checkpoint_files.h"
#include "audit/logs.h"
#include "base/log.h"
#include "base/try.h"

namespace strongroom::connected::relay {
namespace {

Error system_error() {
  return Error(ErrorCode::unavailable, "the audit folder cannot be read")
      .with_detail(static_cast<std::uint32_t>(errno));
}

Result<LogSizes> sizes_of(const std::vector<audit::Checkpoint>& checkpoints) {
  LogSizes sizes;
  for (const audit::Checkpoint& checkpoint : checkpoints) {
    SR_TRY(const std::string place, audit::place_of_origin(checkpoint.origin));
    SR_TRY(std::string name, audit::name_of_origin(place, checkpoint.origin));
    sizes.emplace(std::move(name), checkpoint.size);
  }
  return sizes;
}

}  // namespace

Result<AuditFolderState> look_at(audit::Files& files, const std::string& directory) {
  AuditFolderState state;
  SR_TRY(const auto checkpoints, audit::read_last_signed(files, directory));
  SR_TRY(state.signed_sizes, sizes_of(checkpoints));
  struct stat record{};
  const std::string path = directory + "/" + std::string(audit::kLastSignedName);
  if (::stat(path.c_str(), &record) == 0) {
    state.signed_at_us =
        std::int64_t{record.st_mtim.tv_sec} * 1'000'000 + record.st_mtim.tv_nsec / 1'000;
  }
  struct statvfs space{};
  if (::statvfs(directory.c_str(), &space) != 0) return fail(system_error());
  state.bytes_free = space.f_bavail * space.f_frsize;
  state.bytes_capacity = space.f_blocks * space.f_frsize;
  return state;
}

async::Task<void> LogWatch::run() {
  while (!stopping_) {
    auto work = [this] { return look_at(parts_.files, parts_.directory); };
    Result<AuditFolderState> found = co_await parts_.pool.run(parts_.loop, std::move(work));
    take(std::move(found));
    for (auto left = parts_.pause; left.count() > 0 && !stopping_; left -= kStep) {
      co_await parts_.loop.sleep_for(std::min(left, kStep));
    }
  }
}

void LogWatch::take(Result<AuditFolderState> found) {
  const bool was_readable = std::exchange(readable_, found.has_value());
  if (found) {
    state_ = *std::move(found);
    parts_.metrics.bytes_free.set(static_cast<std::int64_t>(state_.bytes_free));
  } else if (was_readable) {
    log::error("the audit log cannot be read",
               {{"directory", parts_.directory}, {"error", found.error()}});
  }
  if (state_.signed_at_us != 0) {
    parts_.metrics.checkpoint_age_seconds.set((parts_.clock.now_us() - state_.signed_at_us) /
                                              1'000'000);
  }
}

bool LogWatch::nearly_full() const noexcept {
  return static_cast<double>(state_.bytes_free) <
         kFreeShareMin * static_cast<double>(state_.bytes_capacity);
}

}  // namespace strongroom::connected::relay
