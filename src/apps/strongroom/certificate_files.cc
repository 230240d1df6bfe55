#include "apps/strongroom/certificate_files.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>

#include "apps/strongroom/context.h"
#include "apps/strongroom/plain_files.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = std::size_t{64} << 10;
constexpr std::string_view kFolder = "tls";
constexpr std::string_view kCertificate = ".crt", kKey = ".key";
// A file that is to take the place of the one without this at its end.
constexpr std::string_view kNew = ".new";
constexpr mode_t kRights = 07777;

std::unexpected<Failure> failed_at(const std::string& path, int number) {
  return failure(kUsage, path + ": " + text_of_errno(number));
}

Done<void> write_beside(const std::string& path, std::span<const std::byte> bytes) {
  struct stat old{};
  if (::stat(path.c_str(), &old) != 0) return failed_at(path, errno);
  const std::string beside = path + std::string(kNew);
  if (const auto written = write_file_durable(beside, bytes, old.st_mode & kRights); !written) {
    return failure_at(beside, written.error());
  }
  if (::chown(beside.c_str(), old.st_uid, old.st_gid) != 0) return failed_at(beside, errno);
  return {};
}

Done<void> sync_folder_of(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int number = errno;
  if (fd >= 0) ::close(fd);
  if (!synced) return failed_at(folder, number);
  return {};
}

Done<void> take_place(const std::string& path) {
  if (::rename((path + std::string(kNew)).c_str(), path.c_str()) != 0) {
    return failed_at(path, errno);
  }
  return sync_folder_of(path);
}

}  // namespace

Done<std::vector<CertificateFile>> find_certificates(const std::string& directory,
                                                     std::string_view ca_pem) {
  const std::string root = directory + "/" + std::string(kFolder);
  SR_TRY(const std::vector<std::string> paths, plain_files(root));
  const std::set<std::string> names(paths.begin(), paths.end());
  std::vector<CertificateFile> found;
  for (const std::string& path : paths) {
    if (!path.ends_with(kCertificate)) continue;
    const std::string stem = path.substr(0, path.size() - kCertificate.size());
    if (!names.contains(stem + std::string(kKey))) continue;
    CertificateFile file{.stem = std::string(kFolder) + "/" + stem, .pem = {}, .about = {}};
    const std::string whole_path = fmt::format("{}/{}", root, path);
    auto pem = read_file(whole_path, kFileBytesMax);
    if (!pem) return failure_at(whole_path, pem.error());
    file.pem = *std::move(pem);
    auto about = crypto::describe_certificate(file.pem);
    if (!about) return failure_at(whole_path, about.error());
    file.about = *std::move(about);
    file.ours = crypto::is_signed_by(file.pem, ca_pem);
    found.push_back(std::move(file));
  }
  return found;
}

Done<void> replace_certificate(const std::string& directory, const CertificateFile& file,
                               const crypto::IssuedCertificate& issued) {
  const std::string certificate = directory + "/" + file.certificate();
  const std::string key = directory + "/" + file.key();
  SR_CHECK_OK(write_beside(certificate, as_bytes(issued.certificate_pem)));
  SR_CHECK_OK(write_beside(key, issued.key_pem.reveal()));
  SR_CHECK_OK(take_place(key));
  return take_place(certificate);
}

Done<void> finish_replacement(const std::string& directory, const std::string& stem) {
  const std::string certificate = directory + "/" + stem + std::string(kCertificate);
  const std::string key = directory + "/" + stem + std::string(kKey);
  const std::string new_certificate = certificate + std::string(kNew);
  std::error_code error;
  const auto pem = read_file(new_certificate, kFileBytesMax);
  const auto key_pem = read_secret_file(key, kFileBytesMax);
  if (pem && key_pem && crypto::is_pair(*pem, *key_pem)) return take_place(certificate);
  fs::remove(new_certificate, error);
  fs::remove(key + std::string(kNew), error);
  return {};
}

}  // namespace strongroom::tool
