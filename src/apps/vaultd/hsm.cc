// Opening and initializing the HSM.
#include "apps/vaultd/hsm.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <utility>

#include "apps/vaultd/refused_pin.h"
#include "base/file.h"
#include "base/try.h"
#include "cde/keys/hsm_key_store.h"

namespace strongroom::vaultd {
namespace {

using service::Start;
using service::start_failure;

constexpr std::size_t kQueueMax = 4096;
constexpr std::size_t kConfBytesMax = 64 * 1024;
constexpr Error kNoToken{ErrorCode::not_found, "no such token, and no blank slot to make it in"};

// Without its folder SoftHSM says only that a call failed.
Start<void> require_token_folder(const std::string& softhsm_conf) {
  const auto text = read_file(softhsm_conf, kConfBytesMax);
  if (!text) return start_failure(softhsm_conf, text.error());
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("directories.tokendir")) continue;
    const std::string folder = line.substr(std::min(line.find_first_of('/'), line.size()));
    std::error_code error;
    if (folder.empty() || std::filesystem::exists(folder, error)) continue;
    return start_failure(folder, {ErrorCode::not_found,
                                  "no such folder for SoftHSM's token; was the deployment moved?"
                                  " Then mend directories.tokendir in its softhsm_conf"});
  }
  return {};
}

Start<std::unique_ptr<pkcs11::Module>> load_module(const HsmConfig& config) {
  for (const auto& [name, value] : config.environment) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread runs yet
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  // SoftHSM finds its configuration, and with it its tokens, by this variable alone.
  if (!config.softhsm_conf.empty()) {
    SR_CHECK_OK(require_token_folder(config.softhsm_conf));
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread runs yet
    ::setenv("SOFTHSM2_CONF", config.softhsm_conf.c_str(), 1);
  }
  auto module = pkcs11::Module::load(config.module, config.options);
  if (!module) return start_failure(config.module, module.error());
  return *std::move(module);
}

Start<std::unique_ptr<pkcs11::Token>> open_token(pkcs11::Module& module, const HsmConfig& config) {
  auto pin = resolve_secret(config.pin);
  if (!pin) return start_failure("[hsm] pin: " + text_of(config.pin), pin.error());
  const RefusedPin refused(config.refused_pin_path, config.module + "\n" + config.token,
                           config.pin);
  if (auto fresh = refused.check(); !fresh) {
    return start_failure("[hsm] pin: " + text_of(config.pin), fresh.error());
  }
  refused.note();
  auto token = pkcs11::Token::open(module, config.token, *std::move(pin));
  if (token || token.error().code() != ErrorCode::permission_denied) refused.forget();
  if (!token) return start_failure("HSM token '" + config.token + "'", token.error());
  return *std::move(token);
}

Start<void> require_mechanisms(pkcs11::Token& token) {
  if (auto all = cde::check_mechanisms(token); !all) {
    return start_failure("[hsm] mechanisms", all.error());
  }
  return {};
}

// REQUIRES: config.so_pin.
Start<void> make_token(pkcs11::Module& module, pkcs11::SlotId slot, const HsmConfig& config) {
  const auto so_pin = resolve_secret(*config.so_pin);
  if (!so_pin) return start_failure("[hsm] so_pin: " + text_of(*config.so_pin), so_pin.error());
  const auto pin = resolve_secret(config.pin);
  if (!pin) return start_failure("[hsm] pin: " + text_of(config.pin), pin.error());
  const auto made = pkcs11::Token::initialize(module, slot, config.token, *so_pin, *pin);
  if (!made) return start_failure("HSM token", made.error());
  return {};
}

// Gives the first blank slot the deployment's token, unless the token is there already. Without
// so_pin it must be: a label that was mistyped initializes nothing.
Start<void> ensure_token(pkcs11::Module& module, const HsmConfig& config) {
  if (!config.so_pin || module.find_token(config.token)) return {};
  const auto slots = module.slots();
  if (!slots) return start_failure("HSM slots", slots.error());
  for (const pkcs11::Slot& slot : *slots) {
    if (!slot.token.initialized) return make_token(module, slot.id, config);
  }
  return start_failure("HSM token", kNoToken);
}

}  // namespace

Start<Hsm> Hsm::open(const HsmConfig& config, std::size_t workers) {
  SR_TRY(auto module, load_module(config));
  SR_TRY(auto token, open_token(*module, config));
  SR_CHECK_OK(require_mechanisms(*token));
  if (auto keys = cde::check_keys(*token); !keys) return start_failure("HSM keys", keys.error());
  auto sessions =
      pkcs11::SessionPool::open(*token, config.inline_calls ? workers : config.sessions);
  if (!sessions) return start_failure("HSM sessions", sessions.error());
  return Hsm(std::move(module), std::move(token), *std::move(sessions));
}

Start<void> Hsm::init(const HsmConfig& config, service::Unrecorded& unrecorded) {
  SR_TRY(auto module, load_module(config));
  SR_CHECK_OK(ensure_token(*module, config));
  SR_TRY(auto token, open_token(*module, config));
  SR_CHECK_OK(require_mechanisms(*token));
  const auto note = [&](std::string_view label, const service::Unrecorded::Make& make) {
    return unrecorded.making(
        {{.type = audit::EventType::key_generate, .names = {std::string(label)}}}, make);
  };
  if (auto made = cde::make_first_keys(*token, note); !made) {
    return start_failure("HSM keys", made.error());
  }
  // What was there already may not be as we make it.
  if (auto fit = cde::check_keys(*token); !fit) {
    return start_failure("HSM keys", fit.error());
  }
  return {};
}

void Hsm::start_threads(const HsmConfig& config) {
  if (config.inline_calls || threads_) return;
  threads_ = std::make_unique<async::BlockingPool>(config.sessions, kQueueMax);
}

}  // namespace strongroom::vaultd
