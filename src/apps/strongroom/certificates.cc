#include "apps/strongroom/certificates.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <filesystem>
#include <set>
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
  auto files = find_certificates(*config, *ca_pem);
  return Found{.directory = directory,
               .ca_pem = *std::move(ca_pem),
               .ca = *std::move(ca),
               .files = std::move(files)};
}

// A path as the log and people have it: below DIR, where it is.
std::string below(const Found& found, const std::string& path) {
  std::string relative = fs::path(path).lexically_relative(found.directory).string();
  return relative.empty() || relative.starts_with("..") ? path : relative;
}

std::string identity_of(const crypto::CertificateDescription& about) {
  return about.spiffe.empty() ? about.subject : about.spiffe;
}

std::string left_of(const crypto::CertificateDescription& about, std::int64_t now_us) {
  const std::int64_t left_us = about.not_after_us - now_us;
  return left_us <= 0 ? "over" : fmt::format("{} days", left_us / kDayUs);
}

boost::json::object to_json(const Found& found, const CertificateFile& file, std::int64_t now_us) {
  boost::json::object told{{"name", file.name},
                           {"certificate", below(found, file.certificate_path)},
                           {"key", below(found, file.key_path)},
                           {"signed_by_deployment", file.ours},
                           {"due", file.is_due(now_us)}};
  if (file.about) {
    told["identity"] = identity_of(*file.about);
    told["serial"] = file.about->serial;
    told["ends_at"] = rfc3339(file.about->not_after_us);
  }
  if (!file.trouble.empty()) told["trouble"] = file.trouble;
  return told;
}

// --- list ----------------------------------------------------------------------------------------

std::string remark_on(const CertificateFile& file, std::int64_t now_us) {
  if (!file.trouble.empty()) return file.trouble;
  if (!file.paired) return "its key is another's: due";
  return file.is_due(now_us) ? "due" : "";
}

void print_table(const Found& found, std::int64_t now_us) {
  std::vector<std::vector<std::string>> rows{
      {"certificate", "identity", "signed by", "ends", "left", "remark"}};
  for (const CertificateFile& file : found.files) {
    const std::string remark = remark_on(file, now_us);
    if (!file.about) {
      rows.push_back({file.name, "-", "-", "-", "-", remark});
      continue;
    }
    rows.push_back({file.name, identity_of(*file.about), file.ours ? "this CA" : "another",
                    day_of(file.about->not_after_us), left_of(*file.about, now_us), remark});
  }
  rows.push_back({"the CA", identity_of(found.ca), "itself", day_of(found.ca.not_after_us),
                  left_of(found.ca, now_us), ""});
  fmt::print("{}", table(rows));
}

void print_json(const Found& found, std::int64_t now_us) {
  boost::json::array all;
  for (const CertificateFile& file : found.files) all.push_back(to_json(found, file, now_us));
  const boost::json::object ca{{"identity", identity_of(found.ca)},
                               {"ends_at", rfc3339(found.ca.not_after_us)}};
  fmt::print("{}\n", boost::json::serialize(boost::json::object{{"ca", ca}, {"data", all}}));
}

// --- renew ---------------------------------------------------------------------------------------

// Those that were asked for, or else are due.
Done<std::vector<CertificateFile>> chosen(const Found& found, const RenewOptions& options,
                                          std::int64_t now_us) {
  std::vector<CertificateFile> files;
  for (const std::string& name : options.names) {
    const auto file = std::ranges::find(found.files, name, &CertificateFile::name);
    if (file == found.files.end()) {
      return failure(kUsage, fmt::format("{}: no certificate of this deployment; strongroom "
                                         "certificates list shows those there are",
                                         name));
    }
    if (!file->ours) {
      return failure(kUsage, fmt::format("{}: not this deployment's CA has signed it for {}, and "
                                         "who did alone can renew it",
                                         name, file->instance));
    }
    files.push_back(*file);
  }
  if (!options.names.empty()) return files;
  for (const CertificateFile& file : found.files) {
    if (file.is_due(now_us) || (options.all && file.ours)) files.push_back(file);
  }
  return files;
}

// The CA with its key, which nobody else uses for a renewal meanwhile.
struct HeldAuthority {
  crypto::IssuedCertificate authority;
  KeyFileLock lock;
};

Done<HeldAuthority> hold_authority(const Found& found, const RenewOptions& options) {
  const std::string path =
      options.ca_key.empty() ? found.directory + "/secrets/ca.key" : options.ca_key;
  auto key = read_owned_key(path);
  if (!key && key.error().code() == ErrorCode::not_found) {
    return failure(kUsage, path + ": the CA's key is not here; name it with --ca-key");
  }
  if (!key) return failure_at(path, key.error());
  if (!crypto::is_pair(found.ca_pem, *key)) {
    return failure(kUsage, path + ": is not the key of this deployment's CA");
  }
  KeyFileLock lock(path);
  if (!lock.held()) {
    return failure(kUsage, path + ": certificates are being renewed with it already");
  }
  return HeldAuthority{{found.ca_pem, *std::move(key)}, std::move(lock)};
}

Done<void> record(const Found& found, const CertificateFile& file, std::string_view act) {
  const boost::json::object body{{"certificate", below(found, file.certificate_path)},
                                 {"key", below(found, file.key_path)},
                                 {"act", act}};
  const auto answer = call_admin(found.directory, "auditd", http::Method::post, "/v1/certificates",
                                 boost::json::serialize(body));
  if (answer && answer->status == 200) return {};
  return failure(kNotReachable, fmt::format("{}: auditd does not record it, so that nothing more "
                                            "is renewed",
                                            file.name));
}

Done<void> make_and_replace(const Found& found, const crypto::IssuedCertificate& authority,
                            CertificateFile& file) {
  crypto::SystemRandom random;
  auto issued = crypto::renew_certificate(authority, file.pem, random, SystemClock());
  if (!issued && issued.error().code() == ErrorCode::conflict) {
    return failure(kUsage,
                   fmt::format("{}: would outlive its CA, which ends {}: a new CA is needed",
                               file.name, day_of(found.ca.not_after_us)));
  }
  if (!issued) return failure_at(file.name, issued.error());
  SR_CHECK_OK(replace_certificate(file, *issued));
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

struct Told {
  std::vector<std::string> daemons;   // that were sent SIGHUP
  std::vector<std::string> not_told;  // and why not
};

Told tell_owners(const Found& found, const std::vector<CertificateFile>& renewed) {
  Told told;
  std::set<std::string> heard;
  for (const CertificateFile& file : renewed) {
    if (!heard.insert(file.instance).second) continue;
    const auto sent =
        send_hangup(found.directory, file.instance, folder_owner(file.certificate_path));
    if (sent) {
      told.daemons.push_back(file.instance);
    } else {
      told.not_told.push_back(fmt::format("{} {}", file.instance, sent.error().what()));
    }
  }
  return told;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void print_renewed(const Found& found, const std::vector<CertificateFile>& renewed,
                   const Told& told, bool json, std::int64_t now_us) {
  if (json) {
    boost::json::array all;
    for (const CertificateFile& file : renewed) all.push_back(to_json(found, file, now_us));
    fmt::print("{}\n",
               boost::json::serialize(boost::json::object{
                   {"renewed", all},
                   {"told", boost::json::array(told.daemons.begin(), told.daemons.end())},
                   {"not_told", boost::json::array(told.not_told.begin(), told.not_told.end())}}));
    return;
  }
  for (const CertificateFile& file : renewed) {
    fmt::print("{} is renewed: until {}\n", file.name, day_of(file.about->not_after_us));
  }
  if (renewed.empty()) fmt::print("nothing is due\n");
  if (!told.daemons.empty()) fmt::print("SIGHUP was sent to {}\n", joined(told.daemons));
  for (const std::string& why : told.not_told) fmt::print("{}\n", why);
}

// The first failure ends it; what was renewed before that stays so, and its owners hear of it.
Done<void> renew(const Context& context, const RenewOptions& options) {
  SR_TRY(const Found found, find(context));
  const std::int64_t now_us = SystemClock().now_us();
  SR_TRY(std::vector<CertificateFile> due, chosen(found, options, now_us));
  std::vector<CertificateFile> renewed;
  Done<void> done;
  if (!due.empty()) {
    SR_TRY(const HeldAuthority held, hold_authority(found, options));
    for (CertificateFile& file : due) {
      done = renew_one(found, held.authority, file);
      if (!done) break;
      renewed.push_back(std::move(file));
    }
  }
  print_renewed(found, renewed, tell_owners(found, renewed), context.json, now_us);
  if (!done) return done;
  const auto unread = std::ranges::find(
      found.files, false, [](const CertificateFile& file) { return file.about.has_value(); });
  if (unread == found.files.end()) return {};
  return failure(kCheckFailed, fmt::format("{}: {}", unread->certificate_path, unread->trouble));
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
  const bool amiss = std::ranges::any_of(found->files, [now_us](const CertificateFile& file) {
    return file.is_due(now_us) || !file.trouble.empty();
  });
  return amiss ? kCheckFailed : kOk;
}

int renew_certificates(const Context& context, const RenewOptions& options) {
  protect_process();
  const auto renewed = renew(context, options);
  return renewed ? kOk : end_with(renewed.error());
}

}  // namespace strongroom::tool
