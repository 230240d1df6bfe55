// The order matters: Landlock and seccomp need no_new_privs, Landlock opens paths and needs the
// capabilities that reach them, and seccomp comes last because it forbids all the other steps.
#include "sandbox/sandbox.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/try.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"

namespace strongroom::sandbox {
namespace {

constexpr int kJoinAttempts = 100;
constexpr std::chrono::milliseconds kJoinPause{1};

Error kernel_error() {
  return Error(ErrorCode::unavailable, "the kernel refused a step of the sandbox")
      .with_detail(static_cast<std::uint32_t>(errno));
}

Result<void> require_single_thread() {
  for (int attempt = 0; attempt < kJoinAttempts; ++attempt) {
    struct stat status{};
    if (::stat("/proc/self/task", &status) != 0) return fail(kernel_error());
    // A folder's links are its name, "." and one ".." per folder in it: here, one per thread.
    if (status.st_nlink == 3) return {};
    // A thread that was joined may stand here for a moment: the kernel wakes whoever joins before
    // it takes the thread out.
    std::this_thread::sleep_for(kJoinPause);
  }
  return fail({ErrorCode::conflict, "the sandbox must be entered before threads start"});
}

Result<void> limit_resources(std::uint64_t files_open_max) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return fail(kernel_error());
  files.rlim_max = std::min<rlim_t>(files.rlim_max, files_open_max);
  files.rlim_cur = files.rlim_max;
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0 || ::setrlimit(RLIMIT_CORE, &no_core) != 0) {
    return fail(kernel_error());
  }
  return {};
}

std::uint32_t capability_bit(Capability capability) {
  switch (capability) {
    case Capability::lock_memory:
      return 1U << CAP_IPC_LOCK;
    case Capability::bind_low_ports:
      return 1U << CAP_NET_BIND_SERVICE;
    case Capability::make_immutable:
      return 1U << CAP_LINUX_IMMUTABLE;
  }
  SR_CHECK(false);
}

Result<void> drop_capabilities(const std::vector<Capability>& kept) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) != 0) return fail(kernel_error());
  std::uint32_t mask = 0;
  for (const Capability capability : kept) mask |= capability_bit(capability);
  data[0] = {.effective = data[0].permitted & mask,
             .permitted = data[0].permitted & mask,
             .inheritable = 0};
  data[1] = {};
  if (::syscall(SYS_capset, &header, data.data()) != 0) return fail(kernel_error());
  return {};
}

}  // namespace

Result<Enforced> enter(const Rights& rights) {
  SR_CHECK_OK(require_single_thread());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(kernel_error());
  // Not dumpable: nobody of the same user can trace it or read its memory, and it leaves no core.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail(kernel_error());
  SR_CHECK_OK(limit_resources(rights.files_open_max));
  SR_TRY(Enforced enforced, restrict_by_landlock(rights));
  SR_CHECK_OK(drop_capabilities(rights.capabilities));
  SR_CHECK_OK(restrict_by_seccomp(rights));
  return enforced;
}

}  // namespace strongroom::sandbox
