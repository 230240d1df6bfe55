// Refusal: one line, its time and its cause.
#include "auditd/refusal.h"

#include <fmt/core.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::auditd {
namespace {

constexpr std::size_t kBytesMax = 256;

std::string path_in(const std::string& directory) {
  return fmt::format("{}/{}", directory, kRefusedName);
}

}  // namespace

Result<void> note_refusal(audit::Files& files, const std::string& directory,
                          const Refusal& refusal) {
  if (noted_refusal(files, directory)) return {};
  const std::string line = fmt::format("{} {}\n", rfc3339(refusal.since_us), refusal.cause);
  return files.replace(path_in(directory), as_bytes(line));
}

std::optional<Refusal> noted_refusal(audit::Files& files, const std::string& directory) {
  const auto text = audit::read_text(files, path_in(directory), kBytesMax);
  if (!text || !text->ends_with('\n')) return std::nullopt;
  const std::size_t blank = text->find(' ');
  if (blank == std::string::npos) return std::nullopt;
  const auto since_us = parse_rfc3339(std::string_view(*text).substr(0, blank));
  if (!since_us || *since_us < 0) return std::nullopt;
  return Refusal{.since_us = *since_us, .cause = text->substr(blank + 1, text->size() - blank - 2)};
}

Result<void> forget_refusal(audit::Files& files, const std::string& directory) {
  SR_CHECK_OK(files.remove(path_in(directory)));
  return files.sync_directory(directory);
}

}  // namespace strongroom::auditd
