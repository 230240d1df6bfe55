// What a process gives up first of all, before it reads a byte of configuration.
#pragma once

namespace strongroom::service {

// Hardening is what was reached; for the log and the evidence.
struct Hardening {
  bool memory_locked = false;  // nothing of the process is ever swapped
  bool openssl_wipes = false;  // OpenSSL overwrites what it frees
};

// Makes OpenSSL wipe what it frees; turns off core dumps and ptrace by the same user; locks memory
// where permitted; umask 077; ignores SIGPIPE; blocks the signals that run_daemon waits for. First
// thing in main, before any thread.
[[nodiscard]] Hardening harden_process() noexcept;

}  // namespace strongroom::service
