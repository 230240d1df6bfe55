#include "apps/strongroom/certificates.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/backup_folder.h"
#include "apps/strongroom/certificate_files.h"
#include "apps/strongroom/daemons.h"
#include "apps/strongroom/table.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/random.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = std::size_t{64} << 10;
constexpr std::size_t kDayLength = 10;  // of an RFC 3339 time
constexpr std::int64_t kDayUs = std::int64_t{86'400} * 1'000'000;

std::string day_of(std::int64_t unix_us) { return rfc3339(unix_us).substr(0, kDayLength); }

// The deployment as both commands find it.
struct Found {
  std::string directory;  // absolute
  ConfigFile config;
  std::string ca_pem;
  crypto::CertificateDescription ca;
  std::vector<CertificateFile> files;
};

Done<Found> find(const Context& context) {
  const std::string directory = fs::absolute(context.directory).lexically_normal().string();
  auto config = ConfigFile::load(context.config_path(), directory);
  if (!config) return failure(kUsage, config.error().text());
  const std::string ca_path = config->section("tls")->path("ca");
  auto ca_pem = read_file(ca_path, kFileBytesMax);
  if (!ca_pem) return failure_at(ca_path, ca_pem.error());
  auto ca = crypto::describe_certificate(*ca_pem);
  if (!ca) return failure_at(ca_path, ca.error());
  SR_TRY(auto files, find_certificates(directory, *ca_pem));
  return Found{.directory = directory,
               .config = *std::move(config),
               .ca_pem = *std::move(ca_pem),
               .ca = *std::move(ca),
               .files = std::move(files)};
}

std::string identity_of(const crypto::CertificateDescription& about) {
  return about.spiffe.empty() ? about.subject : about.spiffe;
}

std::string left_of(const crypto::CertificateDescription& about, std::int64_t now_us) {
  const std::int64_t left_us = about.not_after_us - now_us;
  return left_us <= 0 ? "over" : fmt::format("{} days", left_us / kDayUs);
}

boost::json::object to_json(const CertificateFile& file, std::int64_t now_us) {
  return {{"certificate", file.certificate()},           {"identity", identity_of(file.about)},
          {"signed_by_deployment", file.ours},           {"serial", file.about.serial},
          {"ends_at", rfc3339(file.about.not_after_us)}, {"due", file.ours && file.is_due(now_us)}};
}

// --- list ----------------------------------------------------------------------------------------

void print_table(const Found& found, std::int64_t now_us) {
  std::vector<std::vector<std::string>> rows{
      {"certificate", "identity", "signed by", "ends", "left"}};
  for (const CertificateFile& file : found.files) {
    rows.push_back({file.stem, identity_of(file.about), file.ours ? "this CA" : "another",
                    day_of(file.about.not_after_us), left_of(file.about, now_us)});
  }
  rows.push_back({"the CA", identity_of(found.ca), "itself", day_of(found.ca.not_after_us),
                  left_of(found.ca, now_us)});
  fmt::print("{}", table(rows));
}

void print_json(const Found& found, std::int64_t now_us) {
  boost::json::array all;
  for (const CertificateFile& file : found.files) all.push_back(to_json(file, now_us));
  const boost::json::object ca{{"identity", identity_of(found.ca)},
                               {"ends_at", rfc3339(found.ca.not_after_us)}};
  fmt::print("{}\n", boost::json::serialize(boost::json::object{{"ca", ca}, {"data", all}}));
}

// --- renew ---------------------------------------------------------------------------------------

// Those that were asked for, or else are due.
Done<std::vector<CertificateFile>> chosen(const Found& found, const RenewOptions& options,
                                          std::int64_t now_us) {
  std::vector<CertificateFile> files;
  for (const std::string& stem : options.stems) {
    const auto file = std::ranges::find(found.files, stem, &CertificateFile::stem);
    if (file == found.files.end()) {
      return failure(kUsage, fmt::format("{}: no certificate of this deployment; strongroom "
                                         "certificates list shows those there are",
                                         stem));
    }
    if (!file->ours) {
      return failure(kUsage, fmt::format("{}: another CA has signed it, which alone can renew it",
                                         file->stem));
    }
    files.push_back(*file);
  }
  if (!options.stems.empty()) return files;
  for (const CertificateFile& file : found.files) {
    if (file.ours && (options.all || file.is_due(now_us))) files.push_back(file);
  }
  return files;
}

Done<crypto::IssuedCertificate> authority_of(const Found& found, const RenewOptions& options) {
  const std::string path =
      options.ca_key.empty() ? found.directory + "/secrets/ca.key" : options.ca_key;
  auto key = read_secret_file(path, kFileBytesMax);
  if (!key && key.error().code() == ErrorCode::not_found) {
    return failure(kUsage, path + ": the CA's key is not here; name it with --ca-key");
  }
  if (!key) return failure_at(path, key.error());
  if (!crypto::is_pair(found.ca_pem, *key)) {
    return failure(kUsage, path + ": is not the key of this deployment's CA");
  }
  return crypto::IssuedCertificate{found.ca_pem, *std::move(key)};
}

Done<void> record(const Found& found, const CertificateFile& file, std::string_view act) {
  const boost::json::object body{
      {"certificate", file.certificate()}, {"key", file.key()}, {"act", act}};
  const auto answer = call_admin(found.directory, "auditd", http::Method::post, "/v1/certificates",
                                 boost::json::serialize(body));
  if (answer && answer->status == 200) return {};
  return failure(kNotReachable, fmt::format("{}: auditd does not record it, so that nothing more "
                                            "is renewed",
                                            file.stem));
}

Done<void> make_and_replace(const Found& found, const crypto::IssuedCertificate& authority,
                            CertificateFile& file) {
  crypto::SystemRandom random;
  auto issued = crypto::renew_certificate(authority, file.pem, random, SystemClock());
  if (!issued && issued.error().code() == ErrorCode::conflict) {
    return failure(kUsage,
                   fmt::format("{}: would outlive its CA, which ends {}: a new CA is needed",
                               file.stem, day_of(found.ca.not_after_us)));
  }
  if (!issued) return failure_at(file.stem, issued.error());
  SR_CHECK_OK(replace_certificate(found.directory, file, *issued));
  file.pem = issued->certificate_pem;
  if (auto about = crypto::describe_certificate(file.pem)) file.about = *std::move(about);
  return {};
}

Done<void> renew_one(const Found& found, const crypto::IssuedCertificate& authority,
                     CertificateFile& file) {
  SR_CHECK_OK(record(found, file, "begin"));
  const Done<void> renewed = make_and_replace(found, authority, file);
  const Done<void> recorded = record(found, file, renewed ? "end" : "failed");
  return renewed ? recorded : renewed;
}

// The daemons whose certificates are among the renewed.
std::vector<std::string> owners_of(const Found& found,
                                   const std::vector<CertificateFile>& renewed) {
  std::vector<std::string> owners;
  for (const Daemon& daemon : daemons_of(found.config)) {
    auto section = found.config.section(daemon.section);
    const auto has = [&](std::string_view key) {
      if (!section->has(key)) return false;
      const std::string path = section->path(key);
      return std::ranges::any_of(renewed, [&](const CertificateFile& file) {
        return found.directory + "/" + file.certificate() == path;
      });
    };
    if (has("certificate") || has("public_certificate")) owners.push_back(daemon.instance);
  }
  return owners;
}

struct Told {
  std::vector<std::string> daemons;   // that were sent SIGHUP
  std::vector<std::string> not_told;  // and why not
};

Told tell_owners(const Found& found, const std::vector<CertificateFile>& renewed) {
  Told told;
  for (const std::string& instance : owners_of(found, renewed)) {
    const auto sent = send_hangup(found.directory, instance);
    if (sent) {
      told.daemons.push_back(instance);
    } else {
      told.not_told.push_back(fmt::format("{} {}", instance, sent.error().what()));
    }
  }
  return told;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void print_renewed(const std::vector<CertificateFile>& renewed, const Told& told, bool json,
                   std::int64_t now_us) {
  if (json) {
    boost::json::array all;
    for (const CertificateFile& file : renewed) all.push_back(to_json(file, now_us));
    fmt::print("{}\n",
               boost::json::serialize(boost::json::object{
                   {"renewed", all},
                   {"told", boost::json::array(told.daemons.begin(), told.daemons.end())},
                   {"not_told", boost::json::array(told.not_told.begin(), told.not_told.end())}}));
    return;
  }
  for (const CertificateFile& file : renewed) {
    fmt::print("{} is renewed: until {}\n", file.stem, day_of(file.about.not_after_us));
  }
  if (renewed.empty()) fmt::print("nothing is due\n");
  if (!told.daemons.empty()) fmt::print("SIGHUP was sent to {}\n", joined(told.daemons));
  for (const std::string& why : told.not_told) fmt::print("{}\n", why);
}

// The first failure ends it; what was renewed before that stays so, and its owners hear of it.
Done<void> renew(const Context& context, const RenewOptions& options) {
  SR_TRY(Found found, find(context));
  const auto lock = FileLock::acquire(found.directory + "/run/certificates.lock");
  if (!lock && lock.error().code() == ErrorCode::conflict) {
    return failure(kUsage, found.directory + ": certificates are being renewed already");
  }
  if (!lock) return failure_at(found.directory + "/run/certificates.lock", lock.error());
  for (const CertificateFile& file : found.files) {
    SR_CHECK_OK(finish_replacement(found.directory, file.stem));
  }
  SR_TRY(found.files, find_certificates(found.directory, found.ca_pem));
  const std::int64_t now_us = SystemClock().now_us();
  SR_TRY(std::vector<CertificateFile> due, chosen(found, options, now_us));
  std::vector<CertificateFile> renewed;
  Done<void> done;
  if (!due.empty()) {
    SR_TRY(const crypto::IssuedCertificate authority, authority_of(found, options));
    for (CertificateFile& file : due) {
      done = renew_one(found, authority, file);
      if (!done) break;
      renewed.push_back(std::move(file));
    }
  }
  print_renewed(renewed, tell_owners(found, renewed), context.json, now_us);
  return done;
}

}  // namespace

int list_certificates(const Context& context) {
  const auto found = find(context);
  if (!found) return end_with(found.error());
  const std::int64_t now_us = SystemClock().now_us();
  if (context.json) {
    print_json(*found, now_us);
  } else {
    print_table(*found, now_us);
  }
  const bool due = std::ranges::any_of(found->files, [now_us](const CertificateFile& file) {
    return file.ours && file.is_due(now_us);
  });
  return due ? kCheckFailed : kOk;
}

int renew_certificates(const Context& context, const RenewOptions& options) {
  protect_process();
  const auto renewed = renew(context, options);
  return renewed ? kOk : end_with(renewed.error());
}

}  // namespace strongroom::tool
