// `strongroom audit archive | archives | restore | hold | dispose`: what auditd does with archives
// when an operator asks for it; and `open-archive`, for an archive whose auditd is no more.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

// Has auditd archive what is due, now.
int archive_now(const Context& context);
// What archives there are, and until when each is locked.
int list_archives(const Context& context);

struct RestoreOptions {
  std::vector<std::string> archives;  // names
  std::string log;                    // or the one that has this log's entry
  std::uint64_t index = 0;
};
// Brings the segments of archives back for some days.
int restore_archives(const Context& context, const RestoreOptions& options);

// Locks an archive until then: a day, UTC, or a time of RFC 3339.
int hold_archive(const Context& context, const std::string& archive, const std::string& until);
// Removes an archive whose lock is over.
int dispose_archive(const Context& context, const std::string& archive);

struct OpenOptions {
  std::string file, key, passphrase, out;
  std::string vkey;  // of any of the logs; the deployment's when empty
};
// Writes the segment of an archive into a folder and proves it by what the archive carries; needs
// no deployment but for the key.
int open_archive(const Context& context, const OpenOptions& options);

}  // namespace strongroom::tool
