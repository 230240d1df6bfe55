// A mark of the PIN's file, kept beside the instance's data.
#include "apps/vaultd/refused_pin.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/encoding.h"
#include "base/file.h"
#include "base/log.h"

namespace strongroom::vaultd {
namespace {

constexpr std::size_t kMarkBytesMax = 64 * 1024;
constexpr mode_t kOwnerOnly = 0600;
constexpr Error kRefusedBefore{ErrorCode::permission_denied,
                               "the HSM has refused this PIN before, or did not answer to it, and"
                               " it was not tried again: mend it, or touch its file to have it"
                               " tried once more"};

std::string mark_of(const std::string& token, const SecretReference& pin) {
  struct stat file{};
  if (pin.kind != SecretReference::Kind::file || ::stat(pin.where.c_str(), &file) != 0) return {};
  return fmt::format("{}\n{} {} {} {}.{:09}\n", token, file.st_dev, file.st_ino, file.st_size,
                     file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
}

}  // namespace

RefusedPin::RefusedPin(std::string path, const std::string& token, const SecretReference& pin)
    : path_(std::move(path)), mark_(mark_of(token, pin)) {}

Result<void> RefusedPin::check() const {
  if (mark_.empty()) return {};
  const auto before = read_file(path_, kMarkBytesMax);
  if (before && *before == mark_) return fail(kRefusedBefore);
  return {};
}

void RefusedPin::note() const {
  if (mark_.empty()) return;
  const auto written = write_file_durable(path_, as_bytes(mark_), kOwnerOnly);
  if (!written) log::warn("a try of the PIN cannot be noted", {{"error", written.error()}});
}

void RefusedPin::forget() const {
  if (mark_.empty()) return;
  // A power cut can bring back a name that was removed, but not what stood there.
  const auto emptied = write_file_durable(path_, {}, kOwnerOnly);
  if (!emptied) log::warn("a try of the PIN cannot be forgotten", {{"error", emptied.error()}});
  ::unlink(path_.c_str());
}

}  // namespace strongroom::vaultd
