// The audit log's place and key.
#include "apps/strongroom/audit_keys.h"

#include <fmt/core.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "apps/strongroom/admin_call.h"
#include "audit/logs.h"
#include "base/config.h"
#include "base/file.h"
#include "base/try.h"
#include "http/target.h"

namespace strongroom::tool {
namespace {

constexpr std::size_t kVkeyBytesMax = 4096;

// Only these matter here; the other keys are the daemons' to judge.
ConfigResult<AuditPaths> paths_of(const Context& context) {
  SR_TRY(const ConfigFile file, ConfigFile::load(context.config_path(), context.directory));
  SR_TRY(ConfigSection section, file.section("auditd"));
  AuditPaths paths;
  paths.directory = section.path("directory");
  paths.vkey = section.path("public_key");
  paths.witnesses = section.text_list("witnesses");
  if (file.has_section("audit-relay")) {
    SR_TRY(ConfigSection relay, file.section("audit-relay"));
    paths.asks_witnesses = !relay.table("witnesses").empty();
  }
  return paths;
}

}  // namespace

std::expected<AuditPaths, int> read_audit_paths(const Context& context) {
  auto paths = paths_of(context);
  if (!paths) return std::unexpected(failed(kUsage, paths.error().text()));
  return *std::move(paths);
}

void record_reading(const Context& context, std::string_view command, std::string_view merchant,
                    std::string_view what) {
  std::error_code error;
  if (!std::filesystem::exists(context.directory + "/run", error)) return;
  std::string target = fmt::format("/v1/readings/{}?", command);
  if (!merchant.empty()) target += fmt::format("merchant={}&", http::percent_encoded(merchant));
  if (!what.empty()) target += fmt::format("what={}", http::percent_encoded(what));
  const auto answer = call_admin(context.directory, "audit-relay", http::Method::post, target);
  if (answer && answer->status == 204) return;
  const std::string why =
      answer ? fmt::format("audit-relay answers {}", answer->status) : "audit-relay does not run";
  fmt::print(stderr, "strongroom: this reading is not in the audit log: {}\n", why);
}

bool ask_for_checkpoints(const Context& context) {
  const auto answer =
      call_admin(context.directory, "auditd", http::Method::post, "/v1/checkpoints");
  return answer && answer->status == 200;
}

std::expected<std::string, int> read_key_file(const std::string& path) {
  auto vkey = read_file(path, kVkeyBytesMax);
  if (!vkey)
    return std::unexpected(failed(kUsage, fmt::format("{}: {}", path, vkey.error().what())));
  while (vkey->ends_with('\n')) vkey->pop_back();
  return *std::move(vkey);
}

std::expected<Witnesses, int> read_witnesses(const std::vector<std::string>& given) {
  Witnesses witnesses;
  witnesses.reserve(given.size());
  for (const std::string& text : given) {
    auto key = audit::NoteKey::parse(text, audit::NoteKeyType::cosignature);
    if (!key) {
      SR_TRY(const std::string vkey, read_key_file(text));
      key = audit::NoteKey::parse(vkey, audit::NoteKeyType::cosignature);
    }
    auto verifier = key ? audit::CosignatureVerifier::create(*key) : std::unexpected(key.error());
    if (!verifier) {
      return std::unexpected(failed(kUsage, fmt::format("{}: {}", text, verifier.error().what())));
    }
    witnesses.push_back(*std::move(verifier));
  }
  return witnesses;
}

std::expected<LogKey, int> LogKey::read(const std::string& path) {
  SR_TRY(const std::string vkey, read_key_file(path));
  auto key = audit::NoteKey::parse(vkey);
  auto place = key ? audit::place_of_origin(key->name) : std::unexpected(key.error());
  if (!place) {
    return std::unexpected(failed(kUsage, fmt::format("{}: {}", path, place.error().what())));
  }
  LogKey log_key;
  log_key.key_ = *std::move(key);
  log_key.place_ = *std::move(place);
  return log_key;
}

audit::NoteKey LogKey::of(std::string_view origin) const {
  audit::NoteKey key = key_;
  key.name = origin;
  return key;
}

Result<audit::NoteVerifier> LogKey::verifier(std::string_view origin) const {
  SR_CHECK_OK(audit::name_of_origin(place_, origin));
  return audit::NoteVerifier::create(of(origin));
}

}  // namespace strongroom::tool
