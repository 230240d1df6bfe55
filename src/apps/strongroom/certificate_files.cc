#include "apps/strongroom/certificate_files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <span>

#include "apps/strongroom/context.h"
#include "apps/strongroom/daemons.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = std::size_t{64} << 10;
// A file that is to take the place of the one without this at its end.
constexpr std::string_view kNew = ".new";
constexpr std::string_view kEndOfFirst = "-----END CERTIFICATE-----\n";
constexpr mode_t kReadable = 0644, kOwnerOnly = 0600;

std::string folder_of(const std::string& path) { return fs::path(path).parent_path().string(); }

std::unexpected<Failure> failed_at(const std::string& path, int number) {
  return failure(kUsage, path + ": " + text_of_errno(number));
}

// As root: with the rights of the owner of the folder that `path` is in, and no others, while it
// lives. The tool has one thread.
class AsFolderOwner {
 public:
  explicit AsFolderOwner(const std::string& path) {
    struct stat folder{};
    if (::geteuid() != 0 || ::stat(folder_of(path).c_str(), &folder) != 0) return;
    if (folder.st_uid == 0) return;
    groups_.resize(static_cast<std::size_t>(std::max(::getgroups(0, nullptr), 0)));
    SR_CHECK(::getgroups(static_cast<int>(groups_.size()), groups_.data()) >= 0);
    group_ = ::getegid();
    taken_ = true;
    SR_CHECK(::setgroups(0, nullptr) == 0 && ::setegid(folder.st_gid) == 0);
    SR_CHECK(::seteuid(folder.st_uid) == 0);
  }
  AsFolderOwner(const AsFolderOwner&) = delete;
  AsFolderOwner& operator=(const AsFolderOwner&) = delete;
  ~AsFolderOwner() {
    if (!taken_) return;
    SR_CHECK(::seteuid(0) == 0 && ::setegid(group_) == 0);
    SR_CHECK(::setgroups(groups_.size(), groups_.data()) == 0);
  }

 private:
  std::vector<gid_t> groups_;
  gid_t group_ = 0;
  bool taken_ = false;
};

Done<void> write_beside(const std::string& path, std::span<const std::byte> bytes, mode_t mode) {
  const std::string beside = path + std::string(kNew);
  const AsFolderOwner owner(path);
  if (const auto written = write_file_durable(beside, bytes, mode); !written) {
    return failure_at(beside, written.error());
  }
  return {};
}

Done<void> take_place(const std::string& path) {
  const AsFolderOwner owner(path);
  if (::rename((path + std::string(kNew)).c_str(), path.c_str()) != 0) {
    return failed_at(path, errno);
  }
  const std::string folder = folder_of(path);
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int number = errno;
  if (fd >= 0) ::close(fd);
  if (!synced) return failed_at(folder, number);
  return {};
}

// A public authority gives its own certificates behind the leaf.
std::string first_of(const std::string& pem) {
  const std::size_t end = pem.find(kEndOfFirst);
  return end == std::string::npos ? pem : pem.substr(0, end + kEndOfFirst.size());
}

void read_pair(CertificateFile& file, std::string_view ca_pem) {
  const auto pem = [&] {
    const AsFolderOwner owner(file.certificate_path);
    return read_file(file.certificate_path, kFileBytesMax);
  }();
  if (!pem) {
    file.trouble = pem.error().what();
    return;
  }
  file.pem = first_of(*pem);
  auto about = crypto::describe_certificate(file.pem);
  if (!about) {
    file.trouble = about.error().what();
    return;
  }
  file.ours = crypto::is_signed_by(file.pem, ca_pem) && about->spiffe == file.identity;
  file.about = *std::move(about);
  if (!file.ours) return;
  const auto key = read_owned_key(file.key_path);
  if (!key) file.trouble = fmt::format("its key: {}", key.error().what());
  file.paired = !key || crypto::is_pair(file.pem, *key);
}

}  // namespace

std::uint32_t folder_owner(const std::string& path) {
  struct stat folder{};
  return ::stat(folder_of(path).c_str(), &folder) == 0 ? folder.st_uid : ::geteuid();
}

KeyFileLock::KeyFileLock(const std::string& path) {
  const AsFolderOwner owner(path);
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0 || ::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(fd_);
  fd_ = -1;
}

KeyFileLock::~KeyFileLock() {
  if (fd_ >= 0) ::close(fd_);
}

Result<SecretBytes> read_owned_key(const std::string& path) {
  const AsFolderOwner owner(path);
  return read_secret_file(path, kFileBytesMax);
}

std::vector<CertificateFile> find_certificates(const ConfigFile& config, std::string_view ca_pem) {
  auto deployment = config.section("deployment");
  const std::string domain = deployment ? deployment->text_or("trust_domain", "") : "";
  std::vector<CertificateFile> found;
  for (const Daemon& daemon : daemons_of(config)) {
    auto section = config.section(daemon.section);
    const auto add = [&](std::string_view certificate, std::string_view key, std::string name,
                         std::string identity) {
      if (!section->has(certificate) || !section->has(key)) return;
      found.push_back({.instance = daemon.instance,
                       .name = std::move(name),
                       .certificate_path = section->path(certificate),
                       .key_path = section->path(key),
                       .identity = std::move(identity)});
    };
    add("certificate", "key", daemon.instance,
        fmt::format("spiffe://{}/{}", domain, daemon.instance));
    add("public_certificate", "public_key", daemon.instance + "/public", "");
  }
  for (CertificateFile& file : found) read_pair(file, ca_pem);
  return found;
}

Done<void> replace_certificate(const CertificateFile& file,
                               const crypto::IssuedCertificate& issued) {
  SR_CHECK_OK(write_beside(file.certificate_path, as_bytes(issued.certificate_pem), kReadable));
  SR_CHECK_OK(write_beside(file.key_path, issued.key_pem.reveal(), kOwnerOnly));
  SR_CHECK_OK(take_place(file.key_path));
  return take_place(file.certificate_path);
}

}  // namespace strongroom::tool
