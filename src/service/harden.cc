// Process-wide protection that needs no knowledge of the program.
#include "service/harden.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "base/try.h"
#include "crypto/memory.h"
#include "service/wakeups.h"

namespace strongroom::service {
namespace {

// To no limit where that is permitted, else as far as it goes.
void raise_locked_memory_limit() noexcept {
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  if (::setrlimit(RLIMIT_MEMLOCK, &none) == 0) return;
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_MEMLOCK, &limit);
}

bool holds_lock_capability() noexcept {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  return (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

// Locking what will be mapped later makes mmap fail at the limit: only without one is it safe. The
// sandboxes keep the capability. ONFAULT, so that only what is touched is held in memory.
bool lock_memory() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
  if (limit.rlim_cur != RLIM_INFINITY && !holds_lock_capability()) return false;
  return ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

}  // namespace

Hardening harden_process() noexcept {
  Hardening reached;
  reached.openssl_wipes = crypto::install_wiping_allocator().has_value();
  ::umask(S_IRWXG | S_IRWXO);
  const rlimit no_core{0, 0};
  SR_CHECK(::setrlimit(RLIMIT_CORE, &no_core) == 0);
  SR_CHECK(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
  raise_locked_memory_limit();
  reached.memory_locked = lock_memory();
  std::signal(SIGPIPE, SIG_IGN);
  block_signals();
  return reached;
}

}  // namespace strongroom::service
