#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/secret.h"
#include "sandbox/child_for_test.h"

namespace strongroom::sandbox {
namespace {

class SandboxTest : public SandboxFixture {};

// Opens, and closes again, a file; false with errno when that is not possible.
bool can_open(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  ::close(fd);
  return true;
}

int bind_unix(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const int result = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::close(fd);
  return result;
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

TEST_F(SandboxTest, BoundsFilesToTheList) {
  const TemporaryFolder folder;
  for (const char* name : {"read", "write", "sockets"})
    std::filesystem::create_directory(folder / name);
  for (const char* name : {"read/a", "single", "write/a", "other"})
    std::ofstream(folder / name) << "x";
  EXPECT_EQ(
      in_child([&](Findings& findings) {
        Rights rights;
        rights.read_paths = {folder / "read", folder / "single"};
        rights.write_paths = {folder / "write"};
        rights.unix_sockets = true;
        rights.socket_folders = {folder / "sockets"};
        findings.expect(enter(rights).has_value(), "enter");
        findings.expect(can_open(folder / "read/a", O_RDONLY), "read a file of a folder");
        findings.expect(can_open(folder / "read", O_RDONLY | O_DIRECTORY), "list a folder");
        findings.expect(can_open(folder / "single", O_RDONLY), "read a single file");
        findings.expect(!can_open(folder / "read/a", O_RDWR) && errno == EACCES, "write it");
        findings.expect(!can_open(folder / "read/b", O_WRONLY | O_CREAT), "create beside it");
        findings.expect(!can_open(folder / "other", O_RDONLY) && errno == EACCES, "read another");
        findings.expect(::truncate((folder / "other").c_str(), 0) != 0, "truncate another");
        findings.expect(!can_open(folder / "sockets/a", O_WRONLY | O_CREAT), "file in sockets");
        findings.expect(can_open(folder / "write/b", O_RDWR | O_CREAT | O_EXCL), "create");
        findings.expect(::rename((folder / "write/b").c_str(), (folder / "write/c").c_str()) == 0,
                        "rename");
        findings.expect(::unlink((folder / "write/c").c_str()) == 0, "remove");
        findings.expect(::mkdir((folder / "write/d").c_str(), 0700) == 0, "make a folder");
        findings.expect(can_open(folder / "write/d/e", O_RDWR | O_CREAT), "create below");
        findings.expect(::symlink("/", (folder / "write/f").c_str()) != 0, "make a link");
        findings.expect(bind_unix(unix_address(folder / "sockets/s")) == 0, "bind a socket");
        findings.expect(bind_unix(unix_address(folder / "write/s")) != 0, "bind elsewhere");
        findings.expect(::unlink((folder / "sockets/s").c_str()) == 0, "remove a socket");
      }),
      "");
}

TEST_F(SandboxTest, BoundsTcpToTheList) {
  const Listener allowed;
  const Listener other;
  const std::uint16_t bindable = free_port();
  EXPECT_EQ(in_child([&](Findings& findings) {
              Rights rights;
              rights.connect_ports = {allowed.port()};
              rights.bind_ports = {bindable};
              findings.expect(enter(rights).has_value(), "enter");
              findings.expect(connect_tcp(allowed.port()), "connect");
              findings.expect(!connect_tcp(other.port()) && errno == EACCES, "connect elsewhere");
              findings.expect(bind_tcp(bindable) >= 0, "bind");
              findings.expect(bind_tcp(0) < 0 && errno == EACCES, "bind elsewhere");
              findings.expect(::socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP) < 0 && errno == EPERM,
                              "MPTCP");
              findings.expect(::socket(AF_INET6, SOCK_DGRAM, 0) < 0 && errno == EPERM, "UDP");
              findings.expect(::socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM,
                              "raw packets");
            }),
            "");
}

TEST_F(SandboxTest, LeavesNoSocketsToAProcessWithoutThatRight) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              findings.expect(enter({}).has_value(), "enter");
              findings.expect(::socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM, "TCP");
              findings.expect(::socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM, "Unix");
            }),
            "");
  EXPECT_EQ(in_child([&](Findings& findings) {
              Rights rights;
              rights.unix_sockets = true;
              findings.expect(enter(rights).has_value(), "enter");
              findings.expect(::socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM, "TCP");
              findings.expect(::socket(AF_UNIX, SOCK_STREAM, 0) >= 0, "Unix sockets");
            }),
            "");
}

TEST_F(SandboxTest, KeepsWhatEveryDaemonNeeds) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              findings.expect(enter({}).has_value(), "enter");
              bool ran = false;
              std::thread([&ran] { ran = true; }).join();
              findings.expect(ran, "threads");
              findings.expect(SecretBytes::allocate(1 << 20).has_value(), "secret memory");
              findings.expect(secret_memory_level() != SecretMemoryLevel::unlocked,
                              "locked memory");
              const std::string large(std::size_t{64} << 20, 'x');
              findings.expect(large.size() == std::size_t{64} << 20, "memory");
              findings.expect(::prctl(PR_SET_NAME, "worker") == 0, "thread names");
              findings.expect(::fcntl(STDERR_FILENO, F_GETFL) >= 0, "descriptors");
            }),
            "");
}

TEST_F(SandboxTest, GivesUpPrivilegesDumpsAndCapabilities) {
  EXPECT_EQ(
      in_child([&](Findings& findings) {
        Rights rights;
        rights.files_open_max = 64;
        findings.expect(enter(rights).has_value(), "enter");
        findings.expect(::prctl(PR_GET_DUMPABLE) == 0, "not dumpable");
        rlimit limit{};
        findings.expect(::getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0, "no core");
        findings.expect(
            ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 64 && limit.rlim_max == 64,
            "files");
        findings.expect(::setuid(65534) != 0 && errno == EPERM, "setuid");
        findings.expect(::mprotect(nullptr, 4096, PROT_EXEC) != 0 && errno == EPERM, "code");
        findings.expect(::prctl(PR_SET_DUMPABLE, 1) != 0 && errno == EPERM, "dumpable again");
        findings.expect(::chroot("/") != 0 && errno == EPERM, "chroot");
      }),
      "");
}

TEST_F(SandboxTest, KeepsOnlyTheListedCapabilities) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: another user has no capabilities to drop";
  const TemporaryFolder folder;
  std::ofstream(folder / "other") << "x";
  ASSERT_EQ(::chown((folder / "other").c_str(), 65534, 65534), 0);
  ASSERT_EQ(::chmod((folder / "other").c_str(), 0600), 0);
  EXPECT_EQ(in_child([&](Findings& findings) {
              Rights rights;
              rights.read_paths = {folder.path()};
              rights.bind_ports = {81};
              rights.capabilities = {Capability::lock_memory};
              findings.expect(enter(rights).has_value(), "enter");
              findings.expect(!can_open(folder / "other", O_RDONLY), "another user's file");
              findings.expect(bind_tcp(81) < 0 && errno == EACCES, "low port");
            }),
            "");
  EXPECT_EQ(in_child([&](Findings& findings) {
              Rights rights;
              rights.bind_ports = {81};
              rights.capabilities = {Capability::bind_low_ports};
              findings.expect(enter(rights).has_value(), "enter");
              findings.expect(bind_tcp(81) >= 0, "low port");
            }),
            "");
}

bool set_immutable(const std::string& path, bool immutable) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const unsigned flags = immutable ? FS_IMMUTABLE_FL : 0;
  const bool set = ::ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
  ::close(fd);
  return set;
}

TEST_F(SandboxTest, MakesFilesImmutableOnlyWithThatRight) {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  std::ofstream(path) << "x";
  if (!set_immutable(path, true)) GTEST_SKIP() << "no immutable files here";
  EXPECT_EQ(in_child([&](Findings& findings) {
              Rights rights;
              rights.write_paths = {folder.path()};
              findings.expect(enter(rights).has_value(), "enter");
              findings.expect(!set_immutable(path, false) && errno == EPERM, "end it");
              findings.expect(::unlink(path.c_str()) != 0 && errno == EPERM, "remove");
              findings.expect(!can_open(path, O_WRONLY), "write");
            }),
            "");
  EXPECT_EQ(in_child([&](Findings& findings) {
              Rights rights;
              rights.write_paths = {folder.path()};
              rights.capabilities = {Capability::make_immutable};
              findings.expect(enter(rights).has_value(), "enter");
              findings.expect(set_immutable(path, false), "end it");
              findings.expect(set_immutable(path, true), "begin it");
              findings.expect(::unlink(path.c_str()) != 0 && errno == EPERM, "remove too early");
            }),
            "");
  EXPECT_TRUE(set_immutable(path, false));
}

TEST_F(SandboxTest, ScopesAbstractSockets) {
  sockaddr_un address = unix_address("xsandbox_test." + std::to_string(::getpid()));
  address.sun_path[0] = '\0';
  const int server = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(server, 1), 0);
  EXPECT_EQ(in_child([&](Findings& findings) {
              Rights rights;
              rights.unix_sockets = true;
              const auto enforced = enter(rights);
              if (!enforced || enforced->landlock_abi < 6) return;
              const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
              findings.expect(
                  ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                      errno == EPERM,
                  "connect");
            }),
            "");
  ::close(server);
}

TEST_F(SandboxTest, AbortStillEndsTheProcess) {
  const std::string how = in_child([](Findings&) {
    static_cast<void>(enter({}));
    std::abort();
  });
  EXPECT_EQ(how, "child ended with status " + std::to_string(SIGABRT));
}

TEST_F(SandboxTest, FailsAsDocumented) {
  EXPECT_EQ(in_child([](Findings& findings) {
              Rights rights;
              rights.read_paths = {"/absent"};
              const auto entered = enter(rights);
              findings.expect(!entered && entered.error().code() == ErrorCode::not_found,
                              "absent path");
            }),
            "");
  EXPECT_EQ(in_child([](Findings& findings) {
              std::atomic_flag stop;
              std::jthread other([&stop] { stop.wait(false); });
              const auto entered = enter({});
              findings.expect(!entered && entered.error().code() == ErrorCode::conflict, "threads");
              stop.test_and_set();
              stop.notify_all();
            }),
            "");
}

TEST_F(SandboxTest, SaysWhatTheKernelCannotEnforce) {
  EXPECT_EQ(in_child([](Findings& findings) {
              const auto enforced = enter({});
              if (!enforced) return findings.expect(false, "enter");
              const bool complete = enforced->landlock_abi >= 6;
              findings.expect(enforced->gaps.empty() == complete, "gaps");
            }),
            "");
}

}  // namespace
}  // namespace strongroom::sandbox
