// Where a call could do harm if it were allowed, it gets an argument that fails differently (no
// such file, no such process), so that a kernel that lets it through can be told from one that does
// not.
#include "sandbox/probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>

namespace strongroom::sandbox {
namespace {

constexpr pid_t kNoProcess = std::numeric_limits<pid_t>::max();

// Each attempt returns its errno, or 0 when it succeeded.
int error_of(long result) { return result < 0 ? errno : 0; }

int close_or_error(int fd) {
  if (fd < 0) return errno;
  ::close(fd);
  return 0;
}

int execute(const ProbePlan&) {
  std::array<char, 1> name{};
  const std::array<char*, 2> arguments{name.data(), nullptr};
  return error_of(::execve("", arguments.data(), arguments.data() + 1));
}

int fork_process(const ProbePlan&) {
  const pid_t child = ::fork();
  if (child < 0) return errno;
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return 0;
}

int trace(const ProbePlan&) {
  return error_of(::ptrace(PTRACE_CONT, kNoProcess, nullptr, nullptr));
}

int read_memory(const ProbePlan&) {
  return error_of(::process_vm_readv(kNoProcess, nullptr, 0, nullptr, 0, 0));
}

int signal_process(const ProbePlan& plan) { return error_of(::kill(plan.other_process, 0)); }

// The kernel would send it when the pipe has something to read.
int signal_by_descriptor(const ProbePlan& plan) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno;
  const int error = error_of(::fcntl(ends[0], F_SETOWN, plan.other_process));
  for (const int end : ends) ::close(end);
  return error;
}

int map_code(const ProbePlan&) {
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno;
  ::munmap(memory, 4096);
  return 0;
}

int read_path(const char* path) { return close_or_error(::open(path, O_RDONLY | O_CLOEXEC)); }
int read_passwords(const ProbePlan&) { return read_path("/etc/shadow"); }
int read_environment(const ProbePlan&) { return read_path("/proc/1/environ"); }
int read_unlisted(const ProbePlan& plan) { return read_path(plan.unlisted_file.c_str()); }

int create_unlisted(const ProbePlan& plan) {
  const std::string path = plan.unlisted_folder + "/sandbox-probe-" + std::to_string(::getpid());
  const int error =
      close_or_error(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (error == 0) ::unlink(path.c_str());
  return error;
}

using AddressCall = int (*)(int, const sockaddr*, socklen_t);

int with_port(AddressCall call, std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int error = error_of(call(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  ::close(fd);
  return error;
}

int connect_unlisted(const ProbePlan& plan) {
  return with_port(&::connect, plan.unlisted_connect_port);
}
int bind_unlisted(const ProbePlan& plan) { return with_port(&::bind, plan.unlisted_bind_port); }

int with_path(AddressCall call, const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int error = error_of(call(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  ::close(fd);
  return error;
}

int connect_unlisted_socket(const ProbePlan& plan) {
  return with_path(&::connect, plan.unlisted_socket);
}

int make_unlisted_socket(const ProbePlan& plan) {
  const std::string path = plan.unlisted_socket_folder + "/probe-" + std::to_string(::getpid());
  const int error = with_path(&::bind, path);
  if (error == 0) ::unlink(path.c_str());
  return error;
}

int open_udp(const ProbePlan&) { return close_or_error(::socket(AF_INET, SOCK_DGRAM, 0)); }
int open_netlink(const ProbePlan&) {
  return close_or_error(::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
}

int open_io_uring(const ProbePlan&) { return error_of(::syscall(SYS_io_uring_setup, 0, nullptr)); }
int read_keyring(const ProbePlan&) {
  return error_of(::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0));
}

struct Probe {
  std::string_view name;
  int (*attempt)(const ProbePlan&);
  std::string ProbePlan::* target = nullptr;  // where the plan must name one
};
constexpr std::array kProbes{
    Probe{"execute", execute},
    Probe{"fork", fork_process},
    Probe{"trace", trace},
    Probe{"read_process_memory", read_memory},
    Probe{"signal_process", signal_process},
    Probe{"signal_by_descriptor", signal_by_descriptor},
    Probe{"map_code", map_code},
    Probe{"read_etc_shadow", read_passwords},
    Probe{"read_init_environment", read_environment},
    Probe{"read_unlisted_file", read_unlisted},
    Probe{"create_unlisted_file", create_unlisted},
    Probe{"connect_unlisted_port", connect_unlisted},
    Probe{"bind_unlisted_port", bind_unlisted},
    Probe{"connect_unlisted_socket", connect_unlisted_socket, &ProbePlan::unlisted_socket},
    Probe{"make_unlisted_socket", make_unlisted_socket, &ProbePlan::unlisted_socket_folder},
    Probe{"open_udp_socket", open_udp},
    Probe{"open_netlink_socket", open_netlink},
    Probe{"open_io_uring", open_io_uring},
    Probe{"read_keyring", read_keyring},
};

}  // namespace

std::vector<ProbeResult> probe_forbidden(const ProbePlan& plan) {
  std::vector<ProbeResult> results;
  for (const auto& [name, attempt, target] : kProbes) {
    if (target != nullptr && (plan.*target).empty()) continue;
    const int error = attempt(plan);
    results.push_back({.name = name, .denied = error == EPERM || error == EACCES, .error = error});
  }
  return results;
}

}  // namespace strongroom::sandbox
