// Settings, key and folder of a witness.
#include "apps/strongroom/witness_folder.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "audit/note.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/random.h"
#include "crypto/sealed_file.h"
#include "witness/witness.h"

namespace strongroom::tool {

using service::Start;
using service::start_failure;

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPurpose = "witness-cosignature";
constexpr std::size_t kPassphraseBytes = 20;
constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kReadable = 0644;
constexpr auto kFolders = std::to_array<std::string_view>({"", "/etc", "/secret", "/state"});

std::string key_path(const std::string& folder) { return folder + "/secret/key.sealed"; }

Result<void> make_folders(const std::string& folder) {
  for (const std::string_view name : kFolders) {
    if (::mkdir(fmt::format("{}{}", folder, name).c_str(), S_IRWXU) == 0) continue;
    const auto reason = static_cast<std::uint32_t>(errno);
    return fail(Error{ErrorCode::unavailable, "folder cannot be made"}.with_detail(reason));
  }
  return {};
}

// A TOML string: what would end it is refused, not escaped.
Result<std::string> toml_text(std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ') {
      return fail({ErrorCode::invalid_argument, "holds a character that no setting may have"});
    }
  }
  return fmt::format("\"{}\"", text);
}

Result<std::string> configuration_text(const NewWitness& options) {
  SR_TRY(const std::string name, toml_text(options.name));
  std::string text =
      fmt::format("[witness]\nname = {}\npassphrase = \"file:secret/passphrase\"\n", name);
  if (options.listen.empty()) return text;
  std::error_code error;
  SR_TRY(const std::string listen, toml_text(options.listen));
  SR_TRY(const std::string certificate,
         toml_text(fs::absolute(options.certificate, error).string()));
  SR_TRY(const std::string key, toml_text(fs::absolute(options.key, error).string()));
  return text + fmt::format("listen = {}\ncertificate = {}\nkey = {}\n", listen, certificate, key);
}

// Gives the vkey.
Result<std::string> make_key(const std::string& folder, const std::string& name) {
  crypto::SystemRandom random;
  SR_TRY(const SecretBytes drawn, crypto::random_secret(random, kPassphraseBytes));
  std::string text = base32(drawn.reveal());
  const std::string path = folder + "/secret/passphrase";
  const auto written = write_file_durable(path, as_bytes(text), kOwnerOnly);
  wipe(std::as_writable_bytes(std::span(text)));
  SR_CHECK_OK(written);
  SR_TRY(const SecretBytes passphrase, resolve_secret({.where = path}));
  SR_TRY(const SecretBytes seed, crypto::random_secret(random, crypto::Ed25519Signer::kSeedSize));
  SR_CHECK_OK(crypto::write_sealed_file(key_path(folder), seed, passphrase, kPurpose));
  SR_TRY(const crypto::Ed25519Signer signer, crypto::Ed25519Signer::from_seed(seed));
  const audit::NoteKey key{
      .name = name, .public_key = signer.public_key(), .type = audit::NoteKeyType::cosignature};
  return key.text();
}

Result<std::string> fill(const std::string& folder, const NewWitness& options) {
  SR_TRY(const std::string configuration, configuration_text(options));
  SR_TRY(std::string vkey, make_key(folder, options.name));
  SR_CHECK_OK(write_file_durable(folder + "/witness.vkey", as_bytes(vkey + "\n"), kReadable));
  SR_CHECK_OK(write_file_durable(witness::known_logs_path(folder), {}, kOwnerOnly));
  SR_CHECK_OK(write_file_durable(witness::state_lock_path(folder), {}, kOwnerOnly));
  SR_CHECK_OK(
      write_file_durable(folder + "/etc/witness.toml", as_bytes(configuration), kOwnerOnly));
  return vkey;
}

}  // namespace

Start<WitnessSettings> read_witness_settings(const std::string& folder) {
  std::error_code error;
  WitnessSettings settings;
  settings.folder = fs::absolute(folder, error).lexically_normal().string();
  SR_TRY(const ConfigFile file,
         ConfigFile::load(settings.config_folder() + "/witness.toml", settings.folder));
  SR_CHECK_OK(file.expect_sections({"witness"}));
  SR_TRY(ConfigSection section, file.section("witness"));
  settings.name = section.text("name");
  settings.passphrase = section.secret("passphrase");
  if (section.has("listen")) {
    settings.listen = service::read_address(section, "listen");
    settings.tls = service::read_credentials(section);
  }
  SR_CHECK_OK(section.finish());
  return settings;
}

Start<crypto::Ed25519Signer> read_witness_key(const WitnessSettings& settings) {
  SR_TRY(const SecretBytes passphrase, service::read_passphrase("witness", settings.passphrase));
  const std::string path = key_path(settings.folder);
  const auto seed = crypto::read_sealed_file(path, passphrase, kPurpose);
  if (!seed) return start_failure(path, seed.error());
  auto signer = crypto::Ed25519Signer::from_seed(*seed);
  if (!signer) return start_failure(path, signer.error());
  return *std::move(signer);
}

Start<std::string> make_witness_folder(const std::string& folder, const NewWitness& options) {
  if (!audit::is_key_name(options.name)) {
    return start_failure("--name",
                         {ErrorCode::invalid_argument, "needs text without spaces and plus signs"});
  }
  if (const auto made = make_folders(folder); !made) return start_failure(folder, made.error());
  auto vkey = fill(folder, options);
  if (vkey) return *std::move(vkey);
  std::error_code error;
  fs::remove_all(folder, error);
  return start_failure(folder, vkey.error());
}

}  // namespace strongroom::tool
