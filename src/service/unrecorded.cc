// One entry's JSON per line, in the form that it will have in the log.
#include "service/unrecorded.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::service {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOwnerOnly = 0600;
constexpr Error kFull{ErrorCode::exhausted, "too much that is not in the audit log yet"};
constexpr Error kDamaged{ErrorCode::corrupt, "not an audit entry"};
constexpr Error kCannotOpen{ErrorCode::unavailable, "what is not recorded yet cannot be opened"};
constexpr Error kCannotEmpty{ErrorCode::unavailable, "what was recorded cannot be taken off"};

Error with_errno(const Error& error) {
  return error.with_detail(static_cast<std::uint32_t>(errno));
}

bool is_same(const audit::Entry& one, const audit::Entry& other) {
  return one.event_type == other.event_type && one.resources == other.resources;
}

// Takes the entries with the uids of `others` out of `entries`.
void erase(std::vector<audit::Entry>& entries, const std::vector<audit::Entry>& others) {
  std::erase_if(entries, [&](const audit::Entry& entry) {
    return std::ranges::any_of(others,
                               [&](const audit::Entry& other) { return entry.uid == other.uid; });
  });
}

}  // namespace

std::string unrecorded_path(const Maker& maker) {
  return fmt::format("{}/data/{}/unrecorded", maker.directory, maker.instance);
}

Result<void> Unrecorded::read() {
  const auto text = read_file(path(), kUnrecordedBytesMax);
  if (!text && text.error().code() == ErrorCode::not_found) return {};
  if (!text) return std::unexpected(text.error());
  std::string_view rest = *text;
  for (std::uint32_t line = 1; !rest.empty(); ++line) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    auto entry = audit::parse_entry(rest.substr(0, end));
    if (!entry) return fail(kDamaged.with_detail(line));
    // auditd takes nothing from the future, and the clock may have been put right since.
    entry->time_us = std::min(entry->time_us, clock_.now_us());
    entries_.push_back(*std::move(entry));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

Unrecorded::Unrecorded(Unrecorded&& other) noexcept
    : maker_(std::move(other.maker_)),
      random_(other.random_),
      clock_(other.clock_),
      entries_(std::move(other.entries_)),
      fd_(std::exchange(other.fd_, -1)) {}

Unrecorded::~Unrecorded() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> Unrecorded::making(const std::vector<Object>& objects, const Make& make) {
  std::vector<audit::Entry> noted;
  noted.reserve(objects.size());
  for (const Object& object : objects) noted.push_back(entry_of(object));
  std::vector<audit::Entry> all = entries_;
  std::erase_if(all, [&](const audit::Entry& earlier) {
    return std::ranges::any_of(noted,
                               [&](const audit::Entry& entry) { return is_same(entry, earlier); });
  });
  all.insert(all.end(), noted.begin(), noted.end());
  SR_CHECK_OK(write(std::move(all)));
  const Result<void> made = make();
  if (made || made.error().code() == ErrorCode::unknown_outcome) return made;
  std::vector<audit::Entry> others = entries_;
  erase(others, noted);
  static_cast<void>(write(std::move(others)));  // where not, it is as after a kill
  return made;
}

Result<void> Unrecorded::making_key(const std::string& key_path, const Make& make) {
  std::error_code error;
  if (fs::exists(key_path, error)) return make();
  const std::string below = fs::path(key_path).lexically_relative(maker_.directory).string();
  const bool is_below = !below.empty() && !below.starts_with("..");
  return making({{.type = audit::EventType::key_generate, .names = {is_below ? below : key_path}}},
                make);
}

std::function<Result<void>(std::int64_t, const Unrecorded::Make&)> Unrecorded::migrating(
    std::string database) {
  return [this, database = "database " + std::move(database)](std::int64_t version,
                                                              const Make& apply) {
    return making({{.type = audit::EventType::schema_migrate,
                    .names = {database, fmt::format("schema {}", version)}}},
                  apply);
  };
}

Result<void> Unrecorded::hold() {
  if (entries_.empty()) return {};
  fd_ = ::open(path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  return fd_ < 0 ? fail(with_errno(kCannotOpen)) : Result<void>{};
}

Result<void> Unrecorded::forget() {
  if (entries_.empty()) return {};
  if (::ftruncate(fd_, 0) != 0) return fail(with_errno(kCannotEmpty));
  entries_.clear();
  return {};
}

audit::Entry Unrecorded::entry_of(const Object& object) const {
  audit::Entry entry;
  entry.uid = crypto::new_entry_id(random_, clock_);
  entry.event_type = object.type;
  entry.outcome = audit::Outcome::success;
  entry.time_us = clock_.now_us();
  entry.instance = maker_.instance;
  entry.user = fmt::format("uid:{}", ::getuid());
  entry.operation = maker_.operation;
  entry.resources = object.names;
  return entry;
}

Result<void> Unrecorded::write(std::vector<audit::Entry> entries) {
  std::string text;
  for (const audit::Entry& entry : entries) text += audit::to_json(entry) + "\n";
  if (text.size() > kUnrecordedBytesMax) return fail(kFull);
  std::error_code error;  // what matters shows when the file is written
  fs::create_directories(fs::path(path()).parent_path(), error);
  SR_CHECK_OK(write_file_durable(path(), as_bytes(text), kOwnerOnly));
  entries_ = std::move(entries);
  return {};
}

}  // namespace strongroom::service
