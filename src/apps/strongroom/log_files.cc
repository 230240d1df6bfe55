// Choosing. Each file says no more than those that are chosen behind it, and the journal comes
// last.
#include "apps/strongroom/log_files.h"

#include <fmt/core.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <span>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "apps/strongroom/plain_files.h"
#include "audit/archive.h"
#include "audit/checkpoint_files.h"
#include "audit/tree_files.h"
#include "backup/places.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

constexpr int kJournalTries = 20;
constexpr std::chrono::milliseconds kJournalRest{20};
constexpr std::uint64_t kPlaceBytes = 12, kHashBytes = 32;

// Where the journal ends now: file, bytes and the last entry.
Result<audit::JournalPlace> find_journal_end(audit::Files& files, const std::string& directory) {
  SR_TRY(const auto names, audit::list_segments(files, directory));
  if (names.empty()) return fail({ErrorCode::not_found, "no journal"});
  SR_TRY(audit::JournalReader reader, audit::JournalReader::open(files, directory));
  SR_CHECK_OK(reader.start_at_segment(*audit::sequence_of_segment(names.back())));
  while (true) {
    const auto frame = reader.next();
    // What auditd is writing now comes behind.
    const bool ended = frame ? !frame->has_value() : reader.torn();
    if (ended) return reader.place();
    if (!frame) return fail(frame.error());
  }
}

// A file that grows by records of one size, up to the last whole one.
std::uint64_t whole_records(const std::string& path, std::uint64_t record_bytes) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  return error ? 0 : size - size % record_bytes;
}

// A file of notes, up to the end of the last whole one: its signatures' lines begin with a dash.
std::uint64_t whole_notes(audit::Files& files, const std::string& path) {
  constexpr std::uint64_t kTailBytes = 64 << 10;
  constexpr std::string_view kDash = "\n\xE2\x80\x94 ";
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  if (error) return 0;
  const std::uint64_t from = size > kTailBytes ? size - kTailBytes : 0;
  const auto file = files.open(path, audit::OpenMode::read);
  std::vector<std::byte> bytes(static_cast<std::size_t>(size - from));
  if (!file || !(*file)->read(from, bytes)) return size;
  std::string_view tail = as_text(bytes);
  while (true) {
    const std::size_t dash = tail.rfind(kDash);
    if (dash == std::string_view::npos) return from == 0 ? 0 : size;
    const std::size_t end = tail.find('\n', dash + 1);
    if (end != std::string_view::npos) return from + end + 1;
    tail = tail.substr(0, dash);
  }
}

class LogChoice {
 public:
  LogChoice(audit::Files& files, const std::string& directory)
      : files_(files),
        folder_(backup::kLogFolder),
        audit_(fmt::format("{}/{}", directory, folder_)) {}

  Done<ChosenLog> make() {
    SR_CHECK_OK(hold("snapshot"));
    SR_CHECK_OK(choose_checkpoints());
    SR_CHECK_OK(hold("last-signed"));
    SR_CHECK_OK(choose_trees());
    // Before the end, for auditd records an archive before it removes the segment.
    SR_CHECK_OK(list_segments());
    SR_TRY(const audit::JournalPlace end, journal_end(files_, audit_));
    SR_CHECK_OK(list_segments());
    SR_CHECK_OK(choose_archives());
    for (const std::string& name : segments_) {
      if (name > end.file) break;
      choose(name, name == end.file ? end.offset_bytes : UINT64_MAX);
    }
    chosen_.end = end.sequence - 1;
    return std::move(chosen_);
  }

 private:
  void choose(const std::string& name, std::uint64_t size_bytes_max = UINT64_MAX,
              std::unique_ptr<audit::File> open = nullptr) {
    chosen_.files.push_back({folder_ + "/" + name, size_bytes_max, std::move(open)});
  }

  // What auditd replaces: whoever has it open reads it as it was.
  Done<void> hold(const std::string& name) {
    auto file = files_.open(audit_ + "/" + name, audit::OpenMode::read);
    if (!file && file.error().code() == ErrorCode::not_found) return {};
    if (!file) return failure_at(audit_ + "/" + name, file.error());
    choose(name, UINT64_MAX, *std::move(file));
    return {};
  }

  Done<std::vector<std::string>> below(std::string_view folder) {
    SR_TRY(std::vector<std::string> names, plain_files(fmt::format("{}/{}", audit_, folder)));
    for (std::string& name : names) name.insert(0, fmt::format("{}/", folder));
    return names;
  }

  Done<void> choose_checkpoints() {
    SR_TRY(const auto names, below(audit::kCheckpointFolder));
    SR_CHECK_OK(hold("checkpoints/synced"));
    for (const std::string& name : names) {
      if (name.ends_with(".cosigned")) SR_CHECK_OK(hold(name));
      if (name.ends_with(".log")) choose(name, whole_notes(files_, audit_ + "/" + name));
    }
    return {};
  }

  Done<void> choose_trees() {
    SR_TRY(const auto names, below(audit::kTreeFolder));
    for (const std::string& name : names) {
      const std::uint64_t record = name.ends_with("/places") ? kPlaceBytes : kHashBytes;
      choose(name, whole_records(audit_ + "/" + name, record));
    }
    return {};
  }

  Done<void> choose_archives() {
    SR_TRY(const auto names, below(audit::kArchiveFolder));
    for (const std::string& name : names) {
      if (name.ends_with(".archive")) choose(name);
    }
    return {};
  }

  Done<void> list_segments() {
    const auto names = audit::list_segments(files_, audit_);
    if (!names) return failure_at(audit_, names.error());
    segments_.insert(names->begin(), names->end());
    return {};
  }

  audit::Files& files_;
  const std::string folder_, audit_;
  std::set<std::string> segments_;
  ChosenLog chosen_;
};

}  // namespace

// A frame that auditd was writing when it was read looks damaged once others stand behind it; what
// is damaged stays so.
Done<audit::JournalPlace> journal_end(audit::Files& files, const std::string& directory) {
  for (int tries = kJournalTries;; --tries) {
    const auto end = find_journal_end(files, directory);
    if (end) return *end;
    if (tries == 1 || end.error().code() != ErrorCode::corrupt) {
      return failure_at(directory, end.error());
    }
    std::this_thread::sleep_for(kJournalRest);
  }
}

Done<ChosenLog> choose_log(audit::Files& files, const std::string& directory) {
  return LogChoice(files, directory).make();
}

}  // namespace strongroom::tool
