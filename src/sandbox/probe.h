// Probes: from inside the sandbox, try what must be denied. For `--check-sandbox`, tests and
// assessors: the answer comes from the kernel, not from the list of rights.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strongroom::sandbox {

// ProbePlan names targets that exist and that the process has no right to.
struct ProbePlan {
  std::string unlisted_file = "/etc/passwd";  // readable by everyone but for the sandbox
  std::string unlisted_folder = "/tmp";       // likewise writable
  std::uint16_t unlisted_connect_port =
      9;  // discard (RFC 863); whether anybody listens is the same
  std::uint16_t unlisted_bind_port = 9999;
  pid_t other_process = 1;
  // Unix sockets; what is empty is not tried, because the process has a right to it.
  std::string unlisted_socket{};         // of a neighbor
  std::string unlisted_socket_folder{};  // that only its owner may make sockets in
};

struct ProbeResult {
  std::string_view name;  // a literal: "execute", "fork", ...
  bool denied = false;    // by EPERM or EACCES
  int error = 0;          // errno of the attempt, 0 when it succeeded
};

// Tries each forbidden thing once, harmlessly where it is not forbidden: what succeeds is undone.
// Call on a thread that may fork.
[[nodiscard]] std::vector<ProbeResult> probe_forbidden(const ProbePlan& plan);

}  // namespace strongroom::sandbox
