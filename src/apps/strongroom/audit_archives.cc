// Commands to auditd's admin socket; opening an archive by audit/archive.h.
#include "apps/strongroom/audit_archives.h"

#include <fmt/core.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/progress_bar.h"
#include "apps/strongroom/table.h"
#include "audit/archive.h"
#include "audit/archive_evidence.h"
#include "audit/journal_reader.h"
#include "audit/log_reader.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/sealed_file.h"

namespace strongroom::tool {
namespace {

constexpr std::string_view kAuditd = "auditd";
constexpr std::string_view kKeyPurpose = "audit-archive";
constexpr std::uint32_t kKeyVersion = 1;
constexpr std::size_t kPassphraseBytesMax = 4096;
constexpr std::chrono::milliseconds kLookAgain{100};
constexpr double kMebibyte = 1'048'576.0;

std::string target_of(const std::string& archive, std::string_view act) {
  return fmt::format("/v1/archives/{}/{}", archive, act);
}

int usage(const std::string& archive) {
  return failed(kUsage, fmt::format("{}: not the name of an archive", archive));
}

std::expected<boost::json::object, int> act(const Context& context, const std::string& archive,
                                            std::string_view what, std::string_view body = {}) {
  if (!audit::sequence_of_archive(archive)) return std::unexpected(usage(archive));
  return ask_admin(context, kAuditd, http::Method::post, target_of(archive, what), body);
}

void print_or(const Context& context, const boost::json::object& answer, std::string_view text) {
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(answer));
  } else {
    fmt::print("{}\n", text);
  }
}

std::string text_of(const boost::json::object& row, std::string_view key) {
  const boost::json::value* value = row.if_contains(key);
  if (value == nullptr || value->is_null()) return "-";
  return value->is_string() ? std::string(value->get_string()) : boost::json::serialize(*value);
}

std::vector<std::string> cells_of(const boost::json::object& row) {
  const boost::json::value* size = row.if_contains("size_bytes");
  return {text_of(row, "name"),
          text_of(row, "entries"),
          text_of(row, "from"),
          text_of(row, "to"),
          size == nullptr ? "unreadable"
                          : fmt::format("{:.1f} MiB", size->to_number<double>() / kMebibyte),
          text_of(row, "locked_until"),
          text_of(row, "restored_until")};
}

// The archive that holds an entry's segment.
std::expected<std::string, int> archive_of(const Context& context, const RestoreOptions& options) {
  SR_TRY(const AuditPaths paths, read_audit_paths(context));
  audit::PosixFiles files;
  auto reader = audit::LogReader::open(files, paths.directory, options.log);
  const auto place = reader ? reader->place(options.index)
                            : Result<audit::FramePlace>(std::unexpected(reader.error()));
  if (!place) {
    return std::unexpected(failed(kUsage, fmt::format("entry {} of {}: {}", options.index,
                                                      options.log, place.error().what())));
  }
  return audit::archive_name(place->segment_first_sequence);
}

// How auditd's archiving has ended. It may take long: a hundred segments the first time.
std::expected<boost::json::object, int> follow_run(const Context& context) {
  ProgressBar bar("archived");
  while (true) {
    auto run = ask_admin(context, kAuditd, http::Method::get, "/v1/archives/run");
    if (!run || run->at("ended").as_bool()) return run;
    const auto due = run->at("due").to_number<std::uint64_t>();
    if (due > 0) bar.show(run->at("archived").to_number<std::uint64_t>(), due);
    std::this_thread::sleep_for(kLookAgain);
  }
}

// Writes the archive's segment into the folder; gives what it is.
Result<audit::SegmentFacts> write_segment(audit::Files& files, audit::ArchiveReader& archive,
                                          const std::string& folder) {
  const audit::SegmentFacts& segment = archive.header().segment;
  SR_TRY(const auto file, files.open(folder + "/" + audit::segment_name(segment.first_sequence),
                                     audit::OpenMode::create));
  for (std::uint64_t at = 0;;) {
    SR_TRY(const auto piece, archive.next());
    if (piece.empty()) break;
    SR_CHECK_OK(file->write(at, piece));
    at += piece.size();
  }
  SR_CHECK_OK(file->sync());
  return segment;
}

Result<crypto::Aead> read_archive_key(const OpenOptions& options) {
  SR_TRY(const SecretBytes passphrase, read_secret_file(options.passphrase, kPassphraseBytesMax));
  SR_TRY(SecretBytes key, crypto::read_sealed_file(options.key, passphrase, kKeyPurpose));
  return crypto::Aead::create(std::move(key), kKeyVersion);
}

std::expected<LogKey, int> read_log_key(const Context& context, const OpenOptions& options) {
  if (!options.vkey.empty()) return LogKey::read(options.vkey);
  SR_TRY(const AuditPaths paths, read_audit_paths(context));
  return LogKey::read(paths.vkey);
}

}  // namespace

int archive_now(const Context& context) {
  const auto begun = ask_admin(context, kAuditd, http::Method::post, "/v1/archives");
  if (!begun) return begun.error();
  auto run = follow_run(context);
  if (!run) return run.error();
  const boost::json::object made{{"archived", run->at("archived")}};
  print_or(context, made, fmt::format("{} archived", text_of(made, "archived")));
  return kOk;
}

int list_archives(const Context& context) {
  const auto answer = ask_admin(context, kAuditd, http::Method::get, "/v1/archives");
  if (!answer) return answer.error();
  const boost::json::array& archives = answer->at("data").as_array();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(archives));
    return kOk;
  }
  std::vector<std::vector<std::string>> rows{
      {"archive", "entries", "from", "to", "size", "locked until", "restored until"}};
  rows.reserve(archives.size() + 1);
  for (const boost::json::value& row : archives) rows.push_back(cells_of(row.as_object()));
  fmt::print("{}", table(rows));
  return kOk;
}

int restore_archives(const Context& context, const RestoreOptions& options) {
  std::vector<std::string> archives = options.archives;
  if (!options.log.empty()) {
    auto archive = archive_of(context, options);
    if (!archive) return archive.error();
    archives.push_back(*std::move(archive));
  }
  if (archives.empty()) return failed(kUsage, "name archives, or a log and an index");
  for (const std::string& archive : archives) {
    const auto restored = act(context, archive, "restore");
    if (!restored) return restored.error();
    print_or(context, *restored,
             fmt::format("{} at hand until {}", archive, text_of(*restored, "restored_until")));
  }
  return kOk;
}

int hold_archive(const Context& context, const std::string& archive, const std::string& until) {
  const boost::json::object body{
      {"until", until.find('T') == std::string::npos ? until + "T00:00:00Z" : until}};
  const auto held = act(context, archive, "hold", boost::json::serialize(body));
  if (!held) return held.error();
  print_or(context, *held,
           fmt::format("{} locked until {}", archive, text_of(*held, "locked_until")));
  return kOk;
}

int dispose_archive(const Context& context, const std::string& archive) {
  const auto answer = act(context, archive, "dispose");
  if (!answer) return answer.error();
  const bool disposed = answer->at("disposed").as_bool();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*answer));
  } else if (disposed) {
    fmt::print("{} disposed of\n", archive);
  }
  if (disposed) return kOk;
  return failed(kCheckFailed,
                fmt::format("{} is locked until {}", archive, text_of(*answer, "locked_until")));
}

int open_archive(const Context& context, const OpenOptions& options) {
  const auto log_key = read_log_key(context, options);
  if (!log_key) return log_key.error();
  const auto key = read_archive_key(options);
  if (!key) return failed(kUsage, fmt::format("{}: {}", options.key, key.error().what()));
  audit::PosixFiles files;
  auto archive = audit::ArchiveReader::open(files, options.file, *key);
  if (!archive) {
    return failed(kCheckFailed, fmt::format("{}: {}", options.file, archive.error().what()));
  }
  std::error_code ignored;  // what matters shows when the file is made
  std::filesystem::create_directories(options.out, ignored);
  const auto segment = write_segment(files, *archive, options.out);
  if (!segment)
    return failed(kCheckFailed, fmt::format("{}: {}", options.out, segment.error().what()));
  const auto held = audit::check_evidence(files, options.out, *segment, archive->evidence(),
                                          log_key->of(log_key->origin()));
  if (!held) return failed(kCheckFailed, fmt::format("{}: {}", options.file, held.error().what()));
  const std::uint64_t entries = segment->last_sequence - segment->first_sequence + 1;
  const std::string file = options.out + "/" + audit::segment_name(segment->first_sequence);
  print_or(context, {{"file", file}, {"entries", entries}},
           fmt::format("{}: {} entries, all of the signed logs", file, entries));
  return kOk;
}

}  // namespace strongroom::tool
