// Gathered as one JSON object first: what vaultd says of its keys and its HSM, the deployment's
// configuration, its certificates. Then that is written down.
#include "apps/strongroom/keys_architecture.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <expected>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/daemons.h"
#include "apps/strongroom/key_answers.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/encoding.h"
#include "base/file.h"
#include "crypto/certificate.h"
#include "service/deployment.h"
#include "service/version.h"

namespace strongroom::tool {
namespace {

using boost::json::array;
using boost::json::object;

constexpr std::size_t kFileBytesMax = std::size_t{64} << 10;
constexpr mode_t kReadable = 0644;
constexpr std::size_t kDayLength = 10;  // of an RFC 3339 time
// Each key of vaultd's has 256 bits.
constexpr int kKeyBits = 256;

struct Named {
  std::string_view key;  // of the configuration
  std::string_view what;
};
// Keys in sealed files, and what they are for.
constexpr std::array kSealedFiles{
    Named{"ticket_key", "Ed25519; signs tickets, which say who acts for which merchant"},
    Named{"checkpoint_key", "Ed25519; signs the audit log's checkpoints"},
    Named{"archive_key", "AES-256-GCM; seals archives of the audit log"},
    Named{"seal_key", "AES-256-GCM; seals processors' credentials and processor tokens"}};
constexpr std::array kCertificates{Named{"certificate", "shown to other services"},
                                   Named{"public_certificate", "shown to clients"}};

struct Fixed {
  std::string_view what, how;
};
// What no setting changes.
constexpr std::array kAlgorithms{
    Fixed{"card, and everything of it that is sealed",
          "AES-256-GCM (NIST SP 800-38D) under a key of its own (DEK), 96-bit random nonces"},
    Fixed{"DEK", "AES-256-GCM in the HSM under the active version of pan-encryption"},
    Fixed{"duplicate of a card",
          "HMAC-SHA256 in the HSM over merchant and whole PAN, under "
          "pan-fingerprint (PCI DSS 3.5.1.1)"},
    Fixed{"search over sealed columns", "HMAC-SHA256 in the HSM under blind-index"},
    Fixed{"registry of the keys",
          "HMAC-SHA256 in the HSM over each row and over all, under "
          "key-registry"},
    Fixed{"token in the database", "SHA3-512 of at least 128 random bits"},
    Fixed{"API key in the database", "SHA-256 of a random key"},
    Fixed{"tickets, checkpoints of the audit log", "Ed25519 (RFC 8032)"},
    Fixed{"audit log", "SHA-256 Merkle trees (RFC 6962)"},
    Fixed{"key files", "AES-256-GCM under PBKDF2-HMAC-SHA256, 600,000 iterations or more"},
};
constexpr std::array kProtocols{
    Fixed{"clients to edged",
          "TLS 1.3 (RFC 8446), AES-GCM or ChaCha20-Poly1305, X25519 or P-256; "
          "no older version, no resumption"},
    Fixed{"service to service", "the same, and each proves a SPIFFE identity by its certificate"},
    Fixed{"service to its PostgreSQL", "TLS, host and certificate verified (`verify-full`)"},
    Fixed{"tool and services to auditd", "Unix sockets on one host; the kernel names the user"},
};

std::string day(std::string_view time) { return std::string(time.substr(0, kDayLength)); }

// The text that stands for `key` in `section`, with the deployment's folder before a relative path;
// empty where there is none.
std::string path_in(const ConfigFile& file, std::string_view section_name, std::string_view key) {
  auto section = file.section(section_name);
  return section && section->has(key) ? section->path(key) : std::string();
}

object describe(const std::string& owner, const std::string& path, std::string_view use) {
  object told{{"owner", owner}, {"path", path}, {"use", use}};
  const auto pem = read_file(path, kFileBytesMax);
  const auto described = pem ? crypto::describe_certificate(*pem)
                             : Result<crypto::CertificateDescription>(std::unexpected(pem.error()));
  if (!described) {
    told["error"] = described.error().what();
    return told;
  }
  told["subject"] = described->spiffe.empty() ? described->subject : described->spiffe;
  told["key"] = fmt::format("{}, {} bits", described->key_type, described->key_bits);
  told["strength_bits"] = described->strength_bits;
  told["ends_at"] = rfc3339(described->not_after_us);
  return told;
}

array certificates(const ConfigFile& file) {
  array all;
  if (const std::string ca = path_in(file, "tls", "ca"); !ca.empty()) {
    all.push_back(describe("tls", ca, "authority of the services' certificates"));
  }
  for (const Daemon& daemon : daemons_of(file)) {
    for (const Named& one : kCertificates) {
      const std::string path = path_in(file, daemon.section, one.key);
      if (!path.empty()) all.push_back(describe(daemon.section, path, one.what));
    }
  }
  return all;
}

array sealed_files(const ConfigFile& file) {
  array all;
  for (const Daemon& daemon : daemons_of(file)) {
    for (const Named& one : kSealedFiles) {
      const std::string path = path_in(file, daemon.section, one.key);
      if (path.empty()) continue;
      std::error_code error;
      const bool there = std::filesystem::exists(path, error) && !error;
      all.push_back(
          {{"owner", daemon.section}, {"path", path}, {"use", one.what}, {"seen", there}});
    }
  }
  return all;
}

// The lines of `[tickets] public_keys`: the names of the keys that verify tickets.
array ticket_keys(const ConfigFile& file) {
  array all;
  const auto text = read_file(path_in(file, "tickets", "public_keys"), kFileBytesMax);
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t blank = line.find(' ');
    if (line.starts_with('#') || blank == std::string_view::npos) continue;
    all.emplace_back(line.substr(0, blank));
  }
  return all;
}

object configured_hsm(const ConfigFile& file) {
  object told{{"module", "-"}, {"assurance", "hardware"}};
  auto section = file.section("hsm");
  if (!section) return told;
  const std::string module = section->text_or("module", "-");
  told["module"] = module;
  const bool software = service::is_software_module(module);
  told["assurance"] = software ? "software" : section->text_or("hsm_assurance", "hardware");
  return told;
}

std::expected<object, int> gather(const Context& context) {
  const auto file = ConfigFile::load(context.config_path(), context.directory);
  if (!file) return std::unexpected(failed(kUsage, file.error().text()));
  auto keys = ask_admin(context, kKeysDaemon, http::Method::get, kKeysTarget);
  if (!keys) return std::unexpected(keys.error());
  auto check = ask_admin(context, kKeysDaemon, http::Method::get, kKeysCheckTarget);
  if (!check) return std::unexpected(check.error());
  auto deployment = file->section("deployment");
  return object{
      {"requirement", "PCI DSS 4.0.1, 3.6.1.1"},
      {"deployment", std::filesystem::absolute(context.directory).lexically_normal().string()},
      {"trust_domain", deployment ? deployment->text_or("trust_domain", "-") : "-"},
      {"profile", to_string(file->profile())},
      {"version", service::kVersion},
      {"written_at", rfc3339(SystemClock().now_us())},
      {"hsm", keys->at("hsm")},
      {"hsm_configured", configured_hsm(*file)},
      {"keys", keys->at("data")},
      {"vaultds", keys->at("vaultds")},
      {"check", *std::move(check)},
      {"certificates", certificates(*file)},
      {"key_files", sealed_files(*file)},
      {"ticket_keys", ticket_keys(*file)}};
}

// --- as Markdown ---------------------------------------------------------------------------------

template <std::size_t N>
std::string fixed_table(std::string_view first, std::string_view second,
                        const std::array<Fixed, N>& rows) {
  std::string text = fmt::format("| {} | {} |\n|---|---|\n", first, second);
  for (const Fixed& row : rows) text += fmt::format("| {} | {} |\n", row.what, row.how);
  return text;
}

std::string head_of(const object& told) {
  return fmt::format(
      "# Cryptographic architecture\n\n"
      "Written by `strongroom keys architecture` {} at {} from the running deployment in `{}`, for"
      " PCI DSS 4.0.1 requirement 3.6.1.1. Trust domain `{}`, profile {}: {}. Statements marked"
      " *fixed* are how this version of the programs is built, and no setting changes them;"
      " everything else was read from what runs.\n",
      member(told, "version"), member(told, "written_at"), member(told, "deployment"),
      member(told, "trust_domain"), member(told, "profile"),
      member(told, "profile") == "demo" ? "it takes test cards only"
                                        : "it refuses the processors' test cards");
}

std::string hsm_of(const object& told) {
  const object& hsm = told.at("hsm").as_object();
  const object& configured = told.at("hsm_configured").as_object();
  std::string text = "\n## HSM\n\n| | |\n|---|---|\n";
  const auto row = [&](std::string_view what, std::string_view value) {
    text += fmt::format("| {} | {} |\n", what, value.empty() ? "-" : value);
  };
  row("kind", member(configured, "assurance") == "software"
                  ? "software, not a hardware module"
                  : "hardware, as the configuration says");
  row("module", fmt::format("`{}`", member(configured, "module")));
  row("module's word",
      fmt::format("{}, {}, {}", member(hsm, "module_manufacturer"),
                  member(hsm, "module_description"), member(hsm, "module_version")));
  row("interface", "PKCS#11 (Cryptoki) " + member(hsm, "cryptoki_version"));
  row("token", member(hsm, "token_label"));
  row("manufacturer, model",
      fmt::format("{}, {}", member(hsm, "token_manufacturer"), member(hsm, "token_model")));
  row("serial number", member(hsm, "token_serial"));
  row("hardware, firmware", fmt::format("{}, {}", member(hsm, "token_hardware_version"),
                                        member(hsm, "token_firmware_version")));
  row("works for", joined([&] {
        array names;
        for (const auto& one : told.at("vaultds").as_array()) {
          names.push_back(one.as_object().at("name"));
        }
        return names;
      }()));
  return text;
}

std::string keys_of(const object& told) {
  std::string text = fmt::format(
      "\n## Keys in the HSM\n\nMade in the HSM: sensitive, not extractable,"
      " for one purpose each. {} bits each.\n\n"
      "| key | algorithm | purpose | state | made | active since | expires | uses | check value |\n"
      "|---|---|---|---|---|---|---|---|---|\n",
      kKeyBits);
  for (const boost::json::value& item : told.at("keys").as_array()) {
    const object& key = item.as_object();
    const boost::json::value& uses = key.at("uses");
    text += fmt::format(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", key_of(key), member(key, "algorithm"),
        member(key, "purpose"), member(key, "state"), day(member(key, "created_at")),
        day(member(key, "activated_at")), day(member(key, "due_at")),
        uses.is_null() ? "not counted" : boost::json::serialize(uses), member(key, "check_value"));
  }
  const object& check = told.at("check").as_object();
  const array& findings = check.at("findings").as_array();
  text += fmt::format("\nRegistry and HSM were compared at {}: ", member(check, "checked_at"));
  if (findings.empty()) return text + "they agree.\n";
  text += "they do **not** agree.\n\n";
  for (const boost::json::value& item : findings) {
    const object& finding = item.as_object();
    const std::string label = member(finding, "key");
    text += fmt::format("- {}: {}\n", label == "-" ? "the registry" : label,
                        member(finding, "finding"));
  }
  return text;
}

std::string other_keys_of(const object& told) {
  std::string text =
      "\n## Keys in files\n\nEach is a sealed file under a passphrase, which the service's"
      " configuration refers to. Their cryptoperiods are not tracked yet.\n\n"
      "| service | file | key | there |\n|---|---|---|---|\n";
  for (const boost::json::value& item : told.at("key_files").as_array()) {
    const object& one = item.as_object();
    text +=
        fmt::format("| {} | `{}` | {} | {} |\n", member(one, "owner"), member(one, "path"),
                    member(one, "use"), one.at("seen").as_bool() ? "yes" : "not seen by this user");
  }
  text += fmt::format("\nPublic keys that verify tickets: {}.\n",
                      joined(told.at("ticket_keys").as_array()));
  return text;
}

std::string certificates_of(const object& told) {
  std::string text =
      "\n## Certificates\n\n| service | file | use | name | key | strength | ends |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const boost::json::value& item : told.at("certificates").as_array()) {
    const object& one = item.as_object();
    text += fmt::format("| {} | `{}` | {} |", member(one, "owner"), member(one, "path"),
                        member(one, "use"));
    if (one.contains("error")) {
      text += fmt::format(" not read: {} | | | |\n", member(one, "error"));
      continue;
    }
    text +=
        fmt::format(" {} | {} | {} bits | {} |\n", member(one, "subject"), member(one, "key"),
                    boost::json::serialize(one.at("strength_bits")), day(member(one, "ends_at")));
  }
  return text;
}

std::string markdown(const object& told) {
  return head_of(told) + hsm_of(told) + keys_of(told) + "\n## Algorithms (fixed)\n\n" +
         fixed_table("what", "how", kAlgorithms) + "\n## Protocols (fixed)\n\n" +
         fixed_table("between", "how", kProtocols) + certificates_of(told) + other_keys_of(told) +
         "\n## Custodians\n\nNot yet: vaultd logs in to the HSM with one PIN, which stands in a"
         " file that its configuration refers to. There are no key components, no shares and no"
         " ceremonies (requirements 3.7.6 and 3.7.8 are the operator's).\n";
}

}  // namespace

int write_architecture(const Context& context, const std::string& output) {
  const auto told = gather(context);
  if (!told) return told.error();
  const std::string text = context.json ? boost::json::serialize(*told) + "\n" : markdown(*told);
  if (output.empty()) {
    fmt::print("{}", text);
  } else if (const auto written = write_file_durable(output, as_bytes(text), kReadable); !written) {
    return failed(kUsage, fmt::format("{}: {}", output, written.error().what()));
  }
  return told->at("check").as_object().at("ok").as_bool() ? kOk : kCheckFailed;
}

}  // namespace strongroom::tool
