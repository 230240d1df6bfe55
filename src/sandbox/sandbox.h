// The sandbox: a process gives up, for good, every right that serving does not need, before it
// parses the first byte from outside. Landlock bounds files, TCP ports and signals; seccomp bounds
// system calls; no_new_privs, resource limits and dropped capabilities do the rest. Each process's
// whole list of rights is one file beside this one (vaultd.cc, edged.cc, ...).
//
// Whatever the list says, a process inside can never again: execute a program, map memory as code,
// make a process, trace or signal another one, read another one's memory, open a socket that is
// neither TCP nor (for those that need one) Unix, change who it is, or reach io_uring, bpf,
// keyrings, namespaces, mounts and modules. What is denied answers EPERM or EACCES.
//
// What no kernel up to Landlock ABI 7 can bound, so that other means must: to which Unix socket a
// process connects that may make one at all (file permissions, and each side looks at the other's
// uid), listening on a port that the kernel picks, and the address behind an allowed port (the
// host's firewall).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace strongroom::sandbox {

// Capability is one of Linux's (capabilities(7)) that a process may keep if it has it.
enum class Capability : std::uint8_t {
  lock_memory,     // CAP_IPC_LOCK: secret memory beyond RLIMIT_MEMLOCK
  bind_low_ports,  // CAP_NET_BIND_SERVICE: ports below 1024
  make_immutable,  // CAP_LINUX_IMMUTABLE: files that nobody can write or remove, and the end of it
};

// Rights is all that a process keeps. A path is a file, or a folder with everything below it, and
// must exist. A rule holds on to the file itself, not to its name: what is replaced by renaming
// (certificates, keys on SIGHUP) must be given by its folder.
struct Rights {
  std::vector<std::string> read_paths;
  // Read, write and truncate; in folders also make, rename and remove files and folders.
  std::vector<std::string> write_paths;
  // Make Unix sockets, and so connect to any that the file permissions let it reach. Without it a
  // process serves the ones that it opened before.
  bool unix_sockets = false;
  // Folders to make, replace and remove Unix sockets in.
  std::vector<std::string> socket_folders;
  std::vector<std::uint16_t> connect_ports;  // TCP, to any address
  std::vector<std::uint16_t> bind_ports;     // TCP, on any address; 0: a port that the kernel picks
  // Kept where held; all others are dropped, so that even root obeys file permissions from then on.
  std::vector<Capability> capabilities;
  std::uint64_t files_open_max = 65536;  // at most the hard limit of before
};

// Enforced says how far this kernel went.
struct Enforced {
  int landlock_abi = 0;  // 0: the kernel has no Landlock
  // What it could not enforce, as literals: for /readyz and evidence.
  std::vector<std::string_view> gaps;
};

// Gives up all but `rights`, irrevocably. Open what comes from elsewhere first: shared objects (a
// module loaded later is refused), the OpenSSL configuration, time zone and name service files.
// not_found, permission_denied (a path of `rights`); conflict when other threads run already,
// because they would keep their rights; unavailable (detail: errno) when the kernel refuses. After
// an error some rights may be gone already: the process must end.
[[nodiscard]] Result<Enforced> enter(const Rights& rights);

}  // namespace strongroom::sandbox
