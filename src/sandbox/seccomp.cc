// The list of system calls. What stands here is what glibc, Asio, OpenSSL, libpq, SQLite and
// PKCS#11 modules need while they serve; a new call is added with the reason for it, never to make
// an error go away.
#include "sandbox/seccomp.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <initializer_list>
#include <memory>
#include <span>

#include "base/try.h"

#ifndef __SNR_memfd_secret
#define __SNR_memfd_secret 447
#endif

namespace strongroom::sandbox {
namespace {

// Calls whose arguments need no look: they act on the process itself, on descriptors that it holds,
// or on paths, which Landlock bounds.
constexpr std::array kMemory{SCMP_SYS(brk),       SCMP_SYS(munmap),   SCMP_SYS(mremap),
                             SCMP_SYS(madvise),   SCMP_SYS(mlock),    SCMP_SYS(mlock2),
                             SCMP_SYS(munlock),   SCMP_SYS(mlockall), SCMP_SYS(memfd_secret),
                             SCMP_SYS(membarrier)};
constexpr std::array kThreads{
    SCMP_SYS(futex),       SCMP_SYS(set_robust_list),   SCMP_SYS(rseq),   SCMP_SYS(set_tid_address),
    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu), SCMP_SYS(exit),
    SCMP_SYS(exit_group)};
constexpr std::array kSignals{SCMP_SYS(rt_sigaction),    SCMP_SYS(rt_sigprocmask),
                              SCMP_SYS(rt_sigreturn),    SCMP_SYS(rt_sigpending),
                              SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigsuspend),
                              SCMP_SYS(sigaltstack),     SCMP_SYS(signalfd4),
                              SCMP_SYS(restart_syscall), SCMP_SYS(pause)};
constexpr std::array kTime{SCMP_SYS(clock_gettime),   SCMP_SYS(clock_getres),
                           SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
                           SCMP_SYS(gettimeofday),    SCMP_SYS(time),
                           SCMP_SYS(timerfd_create),  SCMP_SYS(timerfd_settime),
                           SCMP_SYS(timerfd_gettime), SCMP_SYS(getrandom)};
constexpr std::array kIdentity{SCMP_SYS(getpid),    SCMP_SYS(getppid),   SCMP_SYS(gettid),
                               SCMP_SYS(getuid),    SCMP_SYS(geteuid),   SCMP_SYS(getgid),
                               SCMP_SYS(getegid),   SCMP_SYS(getresuid), SCMP_SYS(getresgid),
                               SCMP_SYS(uname),     SCMP_SYS(sysinfo),   SCMP_SYS(getrusage),
                               SCMP_SYS(getrlimit), SCMP_SYS(getcwd)};
constexpr std::array kDescriptors{
    SCMP_SYS(read),          SCMP_SYS(write),     SCMP_SYS(readv),      SCMP_SYS(writev),
    SCMP_SYS(pread64),       SCMP_SYS(pwrite64),  SCMP_SYS(preadv),     SCMP_SYS(pwritev),
    SCMP_SYS(lseek),         SCMP_SYS(close),     SCMP_SYS(dup),        SCMP_SYS(dup2),
    SCMP_SYS(dup3),          SCMP_SYS(pipe),      SCMP_SYS(pipe2),      SCMP_SYS(eventfd2),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),  SCMP_SYS(poll),      SCMP_SYS(ppoll),      SCMP_SYS(select),
    SCMP_SYS(pselect6)};
constexpr std::array kReadingFiles{SCMP_SYS(open),      SCMP_SYS(openat),     SCMP_SYS(stat),
                                   SCMP_SYS(lstat),     SCMP_SYS(fstat),      SCMP_SYS(newfstatat),
                                   SCMP_SYS(statx),     SCMP_SYS(statfs),     SCMP_SYS(fstatfs),
                                   SCMP_SYS(access),    SCMP_SYS(faccessat),  SCMP_SYS(faccessat2),
                                   SCMP_SYS(readlink),  SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
                                   SCMP_SYS(fadvise64), SCMP_SYS(flock)};
constexpr std::array kSockets{SCMP_SYS(bind),        SCMP_SYS(listen),      SCMP_SYS(accept),
                              SCMP_SYS(accept4),     SCMP_SYS(connect),     SCMP_SYS(shutdown),
                              SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(getsockopt),
                              SCMP_SYS(recvfrom),    SCMP_SYS(recvmsg)};
// For what was opened for writing before the sandbox (service::Unrecorded).
constexpr std::array kEmptyingFiles{SCMP_SYS(ftruncate)};
// A Unix socket's mode, and the removal of the one that the run before left; removal of files.
constexpr std::array kSocketFiles{SCMP_SYS(chmod), SCMP_SYS(fchmodat), SCMP_SYS(unlink),
                                  SCMP_SYS(unlinkat)};
// For processes with something to write.
constexpr std::array kWritingFiles{
    SCMP_SYS(fsync),     SCMP_SYS(fdatasync),       SCMP_SYS(syncfs),    SCMP_SYS(truncate),
    SCMP_SYS(fallocate), SCMP_SYS(sync_file_range), SCMP_SYS(rename),    SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(mkdir),           SCMP_SYS(mkdirat),   SCMP_SYS(rmdir),
    SCMP_SYS(fchmod),    SCMP_SYS(fchown),          SCMP_SYS(utimensat), SCMP_SYS(umask)};

// Commands of fcntl(2). Not those by which the kernel is made to signal another process
// (F_SETOWN, F_SETSIG, F_NOTIFY, F_SETLEASE, O_ASYNC): Landlock sees that from ABI 6 on only.
constexpr unsigned long kFcntls[] = {F_DUPFD,     F_DUPFD_CLOEXEC, F_GETFD,     F_SETFD,
                                     F_GETFL,     F_GETLK,         F_SETLK,     F_SETLKW,
                                     F_OFD_GETLK, F_OFD_SETLK,     F_OFD_SETLKW};
// Requests of ioctl(2): those of sockets, and the question whether a descriptor is a terminal.
constexpr unsigned long kIoctls[] = {FIONREAD, FIONBIO, FIOCLEX, TCGETS, TIOCGWINSZ};
// For whoever may make files immutable.
constexpr unsigned long kAttributeIoctls[] = {FS_IOC_GETFLAGS, FS_IOC_SETFLAGS};
constexpr unsigned long kPrctls[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_VMA};
// The netfilter and routing options of SOL_IP, a classic way into the kernel, stay out.
constexpr unsigned long kSocketOptionLevels[] = {SOL_SOCKET, IPPROTO_TCP};

constexpr scmp_datum_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                        CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                        CLONE_NEWTIME;
constexpr scmp_datum_t kInternetFamilies[] = {AF_INET, AF_INET6};
constexpr scmp_datum_t kStreamProtocols[] = {0, IPPROTO_TCP};
constexpr scmp_datum_t kSocketTypeMask = 0xF;  // the rest are SOCK_NONBLOCK and SOCK_CLOEXEC

// Comparisons of an argument by its index.
scmp_arg_cmp equals(unsigned index, scmp_datum_t value) { return {index, SCMP_CMP_EQ, value, 0}; }
scmp_arg_cmp masked(unsigned index, scmp_datum_t mask, scmp_datum_t value) {
  return {index, SCMP_CMP_MASKED_EQ, mask, value};
}

// Filter collects rules and keeps the first failure.
class Filter {
 public:
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM)), &::seccomp_release) {
    if (context_ == nullptr) status_ = -ENOMEM;
  }

  void allow(std::span<const int> calls) {
    for (const int call : calls) rule(SCMP_ACT_ALLOW, call, {});
  }
  void allow_when(int call, std::initializer_list<scmp_arg_cmp> comparisons) {
    rule(SCMP_ACT_ALLOW, call, comparisons);
  }
  void allow_values(int call, unsigned index, std::span<const unsigned long> values) {
    for (const unsigned long value : values) allow_when(call, {equals(index, value)});
  }
  void answer(int call, int error) {
    rule(SCMP_ACT_ERRNO(static_cast<std::uint16_t>(error)), call, {});
  }

  Result<void> load() {
    // A tree instead of a list: the kernel evaluates the filter for each call with arguments to
    // look at.
    attribute(SCMP_FLTATR_CTL_OPTIMIZE, 2);
    attribute(SCMP_FLTATR_CTL_TSYNC, 1);
    attribute(SCMP_FLTATR_CTL_NNP, 0);  // set by the caller
    if (status_ == 0) status_ = ::seccomp_load(context_.get());
    if (status_ == 0) return {};
    return fail(Error(ErrorCode::unavailable, "seccomp refused")
                    .with_detail(static_cast<std::uint32_t>(-status_)));
  }

 private:
  void rule(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> comparisons) {
    if (status_ != 0) return;
    status_ =
        ::seccomp_rule_add_array(context_.get(), action, call,
                                 static_cast<unsigned>(comparisons.size()), comparisons.begin());
  }
  void attribute(scmp_filter_attr name, std::uint32_t value) {
    if (status_ == 0) status_ = ::seccomp_attr_set(context_.get(), name, value);
  }

  std::unique_ptr<void, decltype(&::seccomp_release)> context_;
  int status_ = 0;
};

void allow_threads(Filter& filter) {
  // Threads only: never a process, never a namespace.
  filter.allow_when(SCMP_SYS(clone), {masked(0, CLONE_THREAD | kNewNamespaces, CLONE_THREAD)});
  // clone3 has its flags in memory, where no filter sees them; glibc falls back to clone on ENOSYS.
  filter.answer(SCMP_SYS(clone3), ENOSYS);
  // abort(3) raises by tgkill(2).
  filter.allow_when(SCMP_SYS(tgkill), {equals(0, static_cast<scmp_datum_t>(::getpid()))});
}

void allow_data_memory(Filter& filter) {
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    filter.allow_when(call, {masked(2, PROT_EXEC, 0)});
  }
}

// Not MPTCP and not UDP: Landlock's port rules see TCP only.
void allow_tcp(Filter& filter) {
  for (const scmp_datum_t family : kInternetFamilies) {
    for (const scmp_datum_t protocol : kStreamProtocols) {
      filter.allow_when(
          SCMP_SYS(socket),
          {equals(0, family), masked(1, kSocketTypeMask, SOCK_STREAM), equals(2, protocol)});
    }
  }
}

void allow_unix_sockets(Filter& filter) {
  for (const int call : {SCMP_SYS(socket), SCMP_SYS(socketpair)}) {
    filter.allow_when(call, {equals(0, AF_UNIX)});
  }
}

void allow_descriptor_control(Filter& filter) {
  filter.allow_values(SCMP_SYS(fcntl), 1, kFcntls);
  filter.allow_when(SCMP_SYS(fcntl), {equals(1, F_SETFL), masked(2, O_ASYNC, 0)});
}

void allow_socket_use(Filter& filter) {
  // MSG_FASTOPEN connects without connect(2), where Landlock stands.
  filter.allow_when(SCMP_SYS(sendto), {masked(3, MSG_FASTOPEN, 0)});
  filter.allow_when(SCMP_SYS(sendmsg), {masked(2, MSG_FASTOPEN, 0)});
  filter.allow_values(SCMP_SYS(setsockopt), 1, kSocketOptionLevels);
  filter.allow_when(SCMP_SYS(setsockopt), {equals(1, IPPROTO_IPV6), equals(2, IPV6_V6ONLY)});
}

}  // namespace

Result<void> restrict_by_seccomp(const Rights& rights) {
  Filter filter;
  const std::initializer_list<std::span<const int>> always{
      kMemory,      kThreads,      kSignals,       kTime,   kIdentity,
      kDescriptors, kReadingFiles, kEmptyingFiles, kSockets};
  for (const std::span<const int> calls : always) filter.allow(calls);
  if (!rights.socket_folders.empty() || !rights.write_paths.empty()) filter.allow(kSocketFiles);
  if (!rights.write_paths.empty()) filter.allow(kWritingFiles);
  filter.allow_values(SCMP_SYS(ioctl), 1, kIoctls);
  if (std::ranges::find(rights.capabilities, Capability::make_immutable) !=
      rights.capabilities.end()) {
    filter.allow_values(SCMP_SYS(ioctl), 1, kAttributeIoctls);
  }
  filter.allow_values(SCMP_SYS(prctl), 0, kPrctls);
  filter.allow_when(SCMP_SYS(prlimit64), {equals(0, 0)});  // its own limits
  allow_threads(filter);
  allow_data_memory(filter);
  allow_descriptor_control(filter);
  allow_socket_use(filter);
  if (rights.unix_sockets) allow_unix_sockets(filter);
  if (!rights.connect_ports.empty() || !rights.bind_ports.empty()) allow_tcp(filter);
  return filter.load();
}

}  // namespace strongroom::sandbox
