// The keys of [auditd], each once.
#include "apps/auditd/config.h"

#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/try.h"

namespace strongroom::auditd {
namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
constexpr std::int64_t kMebibytesMax = std::int64_t{1} << 20;  // a tebibyte
constexpr std::int64_t kDaysMax = 36'525;                      // a century

// A number, or the name of a user of this host.
std::optional<uid_t> user_id(const std::string& text) {
  uid_t uid = 0;
  const char* end = text.data() + text.size();
  if (const auto [stop, error] = std::from_chars(text.data(), end, uid);
      error == std::errc{} && stop == end) {
    return uid;
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): at start no thread runs, and a reload reads on one
  const passwd* user = ::getpwnam(text.c_str());
  if (user == nullptr) return std::nullopt;
  return user->pw_uid;
}

}  // namespace

ConfigResult<Config> Config::read(const service::Deployment& deployment) {
  SR_TRY(ConfigSection section, deployment.file.section(deployment.section));
  Config config;
  config.directory = section.path("directory");
  config.checkpoint_key_path = section.path("checkpoint_key");
  config.passphrase = section.secret("passphrase");
  config.public_key_path = section.path("public_key");
  for (const auto& [instance, user] : section.table("writers")) {
    if (const auto uid = user_id(user)) {
      config.writers.push_back({.instance = instance, .uid = *uid});
    } else {
      section.refuse("writers", {ErrorCode::invalid_argument, "names a user that does not exist"});
    }
  }
  for (const std::string& vkey : section.text_list("witnesses")) {
    if (auto key = audit::NoteKey::parse(vkey, audit::NoteKeyType::cosignature)) {
      config.witnesses.push_back(*std::move(key));
    } else {
      section.refuse("witnesses", key.error());
    }
  }
  config.quota_bytes_per_minute =
      static_cast<std::uint64_t>(section.integer("quota_mib_per_minute", 1, kMebibytesMax,
                                                 kQuotaBytesPerMinute / kMebibyte)) *
      kMebibyte;
  config.reserve_bytes = static_cast<std::uint64_t>(section.integer("reserve_mib", 0, kMebibytesMax,
                                                                    kReserveBytes / kMebibyte)) *
                         kMebibyte;
  config.reserve_writers = section.text_list("reserve_writers");
  for (const std::string& instance : config.reserve_writers) {
    if (std::ranges::find(config.writers, instance, &WriterUser::instance) ==
        config.writers.end()) {
      section.refuse("reserve_writers", {ErrorCode::invalid_argument, "names no writer"});
    }
  }
  config.archive_key_path = section.path_or_empty("archive_key");
  // PCI DSS 10.5.1.
  const bool demo = deployment.profile == Profile::demo;
  const RetentionSettings usual;
  const std::int64_t at_hand_min = demo ? 0 : usual.at_hand_ms / kDayMs;
  const std::int64_t keep_min = demo ? 0 : usual.keep_ms / kDayMs;
  config.retention.at_hand_ms =
      section.integer("at_hand_days", at_hand_min, kDaysMax, usual.at_hand_ms / kDayMs) * kDayMs;
  config.retention.keep_ms =
      section.integer("keep_days", keep_min, kDaysMax, usual.keep_ms / kDayMs) * kDayMs;
  config.retention.restored_ms =
      section.integer("restored_days", 1, kDaysMax, usual.restored_ms / kDayMs) * kDayMs;
  SR_CHECK_OK(section.finish());
  return config;
}

}  // namespace strongroom::auditd
