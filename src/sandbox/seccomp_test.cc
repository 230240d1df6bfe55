// System calls whose arguments decide: one test per rule, so that a rule that goes missing is
// noticed.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>

#include <csignal>

#include "sandbox/child_for_test.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {
namespace {

// True when a call that returned `result` was refused by the filter.
bool refused(long result) { return result == -1 && errno == EPERM; }

class SeccompTest : public SandboxFixture {
 protected:
  // Enters with TCP but no files, then runs `body`.
  template <class Body>
  static std::string inside(Body body) {
    return in_child([&body](Findings& findings) {
      Rights rights;
      rights.connect_ports = {1};
      findings.expect(enter(rights).has_value(), "enter");
      body(findings);
    });
  }
};

TEST_F(SeccompTest, RefusesToConnectByFastOpen) {
  const Listener other;
  EXPECT_EQ(
      in_child([&](Findings& findings) {
        Rights rights;
        rights.connect_ports = {1};
        findings.expect(enter(rights).has_value(), "enter");
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(other.port());
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const ssize_t sent = ::sendto(fd, "x", 1, MSG_FASTOPEN,
                                      reinterpret_cast<const sockaddr*>(&address), sizeof address);
        findings.expect(sent < 0 && errno == EPERM, "sendto");
        char byte = 'x';
        iovec part{&byte, 1};
        const msghdr message{&address, sizeof address, &part, 1, nullptr, 0, 0};
        findings.expect(::sendmsg(fd, &message, MSG_FASTOPEN) < 0 && errno == EPERM, "sendmsg");
      }),
      "");
}

TEST_F(SeccompTest, AllowsThreadsOnly) {
  EXPECT_EQ(
      inside([](Findings& findings) {
        findings.expect(refused(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)), "process");
        findings.expect(refused(::syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0)),
                        "process that shares memory");
        findings.expect(refused(::syscall(SYS_clone, CLONE_THREAD | CLONE_NEWUSER, 0, 0, 0, 0)),
                        "thread with a namespace");
        findings.expect(::syscall(SYS_clone3, nullptr, 0) == -1 && errno == ENOSYS, "clone3");
        findings.expect(refused(::syscall(SYS_vfork)), "vfork");
        findings.expect(refused(::unshare(CLONE_NEWNET)), "unshare");
      }),
      "");
}

TEST_F(SeccompTest, AllowsSignalsToItselfOnly) {
  EXPECT_EQ(inside([](Findings& findings) {
              findings.expect(::syscall(SYS_tgkill, ::getpid(), ::gettid(), 0) == 0, "itself");
              findings.expect(refused(::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0)),
                              "its parent");
              findings.expect(refused(::kill(::getpid(), 0)), "kill");
            }),
            "");
}

TEST_F(SeccompTest, LetsNoDescriptorSignalAnotherProcess) {
  EXPECT_EQ(inside([](Findings& findings) {
              std::array<int, 2> ends{};
              findings.expect(::pipe(ends.data()) == 0, "pipe");
              const int fd = ends[0];
              findings.expect(refused(::fcntl(fd, F_SETOWN, ::getppid())), "owner");
              findings.expect(refused(::fcntl(fd, F_SETSIG, SIGKILL)), "signal");
              findings.expect(refused(::fcntl(fd, F_NOTIFY, DN_MODIFY)), "folder");
              findings.expect(refused(::fcntl(fd, F_SETLEASE, F_RDLCK)), "lease");
              findings.expect(refused(::fcntl(fd, F_SETFL, O_ASYNC)), "asynchronous");
              findings.expect(::fcntl(fd, F_SETFL, O_NONBLOCK) == 0, "non-blocking");
              findings.expect(::fcntl(fd, F_GETFL) >= 0, "flags");
              findings.expect(::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0, "close on exec");
              findings.expect(::fcntl(fd, F_DUPFD_CLOEXEC, 0) >= 0, "duplicate");
            }),
            "");
}

TEST_F(SeccompTest, AllowsNoCode) {
  EXPECT_EQ(inside([](Findings& findings) {
              void* memory =
                  ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              findings.expect(memory != MAP_FAILED, "data");
              findings.expect(::mprotect(memory, 4096, PROT_READ) == 0, "read-only data");
              findings.expect(refused(::mprotect(memory, 4096, PROT_READ | PROT_EXEC)),
                              "data as code");
              findings.expect(refused(::syscall(SYS_pkey_mprotect, memory, 4096, PROT_EXEC, -1)),
                              "by key");
              findings.expect(refused(::syscall(SYS_memfd_create, "x", 0)), "file in memory");
            }),
            "");
}

TEST_F(SeccompTest, BoundsSocketOptions) {
  EXPECT_EQ(
      inside([](Findings& findings) {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        const int fd6 = ::socket(AF_INET6, SOCK_STREAM, 0);
        const int on = 1;
        findings.expect(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP");
        findings.expect(::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0, "socket");
        findings.expect(
            fd6 < 0 || ::setsockopt(fd6, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0,
            "IPv6 only");
        findings.expect(refused(::setsockopt(fd, IPPROTO_IP, IP_TTL, &on, sizeof on)), "IP");
        findings.expect(refused(::setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &on, sizeof on)),
                        "IPv6");
      }),
      "");
}

TEST_F(SeccompTest, BoundsControlCalls) {
  EXPECT_EQ(
      inside([](Findings& findings) {
        int waiting = 0;
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        findings.expect(!refused(::ioctl(fd, FIONREAD, &waiting)), "bytes to read");
        char byte = 'x';
        findings.expect(refused(::ioctl(STDIN_FILENO, TIOCSTI, &byte)), "typing for the terminal");
        findings.expect(refused(::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY)), "tracer");
        rlimit limit{};
        findings.expect(::prlimit(0, RLIMIT_NOFILE, nullptr, &limit) == 0, "own limits");
        findings.expect(refused(::prlimit(::getppid(), RLIMIT_NOFILE, nullptr, &limit)), "others'");
      }),
      "");
}

TEST_F(SeccompTest, LeavesFilesystemChangesToWriters) {
  const TemporaryFolder folder;
  EXPECT_EQ(inside([&](Findings& findings) {
              findings.expect(refused(::mkdir((folder / "a").c_str(), 0700)), "mkdir");
              findings.expect(refused(::rename((folder / "a").c_str(), (folder / "b").c_str())),
                              "rename");
              findings.expect(refused(::link((folder / "a").c_str(), (folder / "b").c_str())),
                              "link");
            }),
            "");
}

TEST_F(SeccompTest, RefusesTheKernelsFarCorners) {
  EXPECT_EQ(inside([](Findings& findings) {
              for (const long call :
                   {SYS_bpf,         SYS_mount,           SYS_umount2,           SYS_kexec_load,
                    SYS_init_module, SYS_finit_module,    SYS_add_key,           SYS_request_key,
                    SYS_userfaultfd, SYS_perf_event_open, SYS_process_vm_writev, SYS_pidfd_open,
                    SYS_pidfd_getfd, SYS_setns,           SYS_pivot_root,        SYS_reboot,
                    SYS_swapon,      SYS_personality,     SYS_modify_ldt,        SYS_execveat,
                    SYS_splice}) {
                findings.expect(refused(::syscall(call, 0, 0, 0, 0, 0, 0)),
                                "call " + std::to_string(call));
              }
            }),
            "");
}

}  // namespace
}  // namespace strongroom::sandbox
