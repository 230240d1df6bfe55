// The keys of [vaultd] and [hsm], each once.
#include "apps/vaultd/config.h"

#include <filesystem>

#include "base/try.h"

namespace strongroom::vaultd {
namespace {

constexpr std::int64_t kNewCardsMax = 60'000;  // alike; each of them is counted for each
constexpr std::int64_t kCardDaysMax = 36'500;
constexpr std::string_view kOtherMerchants = "others";
constexpr std::string_view kMerchantPrefix = "mer_";
constexpr std::int64_t kPurgeAfterHoursMax = 24 * 366;
constexpr std::int64_t kMechanismMax = 0xFFFF'FFFF;

constexpr Error kOwnName{ErrorCode::invalid_argument,
                         "names the others; this one's name is in `name`"};
constexpr Error kSoftwareInProduction{
    ErrorCode::permission_denied,
    "SoftHSM is no hardware, which the production profile asks for; to run on it all the same, and "
    "have every report say so, set hsm_assurance = \"software\" in [hsm] beside"};
constexpr Error kNotAbsolute{ErrorCode::invalid_argument, "must be absolute paths"};

// What a key may where nothing is said of it, its merchant may.
void read_budgets(ConfigSection& section, Config& config) {
  using cde::kBudgetMax;
  const auto tokenizes = section.integer("tokenizes_per_minute", 1, kBudgetMax, 60'000);
  const auto resolves = section.integer("resolves_per_minute", 1, kBudgetMax, 60'000);
  const auto deletes = section.integer("deletes_per_minute", 1, kBudgetMax, 6'000);
  config.budgets = {
      {{tokenizes, section.integer("tokenizes_per_minute_key", 1, kBudgetMax, tokenizes)},
       {resolves, section.integer("resolves_per_minute_key", 1, kBudgetMax, resolves)}}};
  config.deletes = {deletes, section.integer("deletes_per_minute_key", 1, kBudgetMax, deletes)};
}

ConfigResult<cde::Retention> read_retention(ConfigSection section) {
  cde::Retention retention;
  for (const std::string& name : section.keys()) {
    const std::chrono::days days(section.integer(name, 1, kCardDaysMax));
    if (name == kOtherMerchants) {
      retention.of_others = days;
    } else if (name.starts_with(kMerchantPrefix)) {
      retention.of_merchant.emplace(name, days);
    } else {
      section.refuse(name, {ErrorCode::invalid_argument, "is no merchant's id, nor `others`"});
    }
  }
  SR_CHECK_OK(section.finish());
  return retention;
}

ConfigResult<void> read_module(ConfigSection& section, HsmConfig& hsm);

ConfigResult<HsmConfig> read_hsm(const service::Deployment& deployment) {
  SR_TRY(ConfigSection section, deployment.file.section("hsm"));
  HsmConfig hsm;
  hsm.module = section.text("module");
  hsm.token = section.text("token");
  hsm.pin = section.secret("pin");
  hsm.refused_pin_path = deployment.directory + "/data/" + deployment.instance + "/refused-pin";
  if (section.has("so_pin")) hsm.so_pin = section.secret("so_pin");
  SR_CHECK_OK(read_module(section, hsm));
  hsm.inline_calls = section.flag("inline", true);
  hsm.copy_keys = section.flag("copy_keys", true);
  hsm.sessions = static_cast<std::size_t>(section.integer("sessions", 1, 64, 2));
  const std::string assurance =
      section.choice("hsm_assurance", {"hardware", "software"}, "hardware");
  const bool known = service::is_software_module(hsm.module);
  hsm.software = known || assurance == "software";
  if (deployment.profile == Profile::production && known && assurance != "software") {
    section.refuse("module", kSoftwareInProduction);
  }
  SR_CHECK_OK(section.finish());
  return hsm;
}

// What one module needs and another does not (docs/hsm.md).
ConfigResult<void> read_module(ConfigSection& section, HsmConfig& hsm) {
  hsm.softhsm_conf = section.path_or_empty("softhsm_conf");
  hsm.token_folder = section.path_or_empty("token_folder");
  if (!hsm.softhsm_conf.empty() && hsm.token_folder.empty()) {
    hsm.token_folder = std::filesystem::path(hsm.softhsm_conf).parent_path().string();
  }
  hsm.options.nss_parameters = section.text_or("nss_parameters", "");
  hsm.environment = section.table("environment");
  hsm.read_paths = section.text_list("read_paths");
  for (const std::string& path : hsm.read_paths) {
    if (!path.starts_with('/')) section.refuse("read_paths", kNotAbsolute);
  }
  for (const std::string& text : section.text_list("connects")) {
    const auto where = service::parse_address(text);
    if (!where) section.refuse("connects", where.error());
    if (where) hsm.connects.push_back(*where);
  }
  ConfigSection numbers = section.subsection("mechanisms");
  const auto number = [&](std::string_view name, std::uint64_t& mechanism) {
    const auto standard = static_cast<std::int64_t>(mechanism);
    mechanism = static_cast<std::uint64_t>(numbers.integer(name, 0, kMechanismMax, standard));
  };
  pkcs11::Mechanisms& mechanisms = hsm.options.mechanisms;
  number("aes_key_gen", mechanisms.aes_key_gen);
  number("generic_secret_key_gen", mechanisms.generic_secret_key_gen);
  number("aes_gcm", mechanisms.aes_gcm);
  number("aes_ecb", mechanisms.aes_ecb);
  number("sha256_hmac", mechanisms.sha256_hmac);
  return numbers.finish();
}

}  // namespace

ConfigResult<Config> Config::read(const service::Deployment& deployment) {
  SR_TRY(ConfigSection section, deployment.file.section(deployment.section));
  Config config;
  config.listen = service::read_address(section, "listen");
  config.tls = service::read_credentials(section);
  config.database = service::database_url(deployment, section, "database");
  config.connectors = service::read_places(section, "connectors");
  config.peers = service::read_places(section, "peers");
  config.name = config.peers.empty() ? section.text_or("name", "vaultd") : section.text("name");
  if (config.peers.contains(config.name)) section.refuse("peers", kOwnName);
  config.workers = static_cast<std::size_t>(section.integer("workers", 1, 64, 1));
  config.new_cards_per_truncation_daily =
      section.integer("new_cards_per_truncation_daily", 1, kNewCardsMax, 100);
  read_budgets(section, config);
  config.purge_after =
      std::chrono::hours(section.integer("purge_expired_after_hours", 0, kPurgeAfterHoursMax, 24));
  config.erase_within =
      std::chrono::days(section.integer("erase_within_days", 1, kCardDaysMax, 30));
  SR_TRY(config.retention, read_retention(section.subsection("card_days_max")));
  SR_CHECK_OK(section.finish());
  SR_TRY(config.hsm, read_hsm(deployment));
  return config;
}

}  // namespace strongroom::vaultd
