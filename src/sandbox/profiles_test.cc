// Each process's list of rights: the forbidden is denied, and what the process lives on works.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <fstream>
#include <optional>
#include <thread>

#include "base/encoding.h"
#include "base/file.h"
#include "sandbox/audit_relay.h"
#include "sandbox/auditd.h"
#include "sandbox/authd.h"
#include "sandbox/child_for_test.h"
#include "sandbox/connectord.h"
#include "sandbox/edged.h"
#include "sandbox/gatewayd.h"
#include "sandbox/probe.h"
#include "sandbox/psp_sim.h"
#include "sandbox/vaultd.h"
#include "sandbox/witness.h"

namespace strongroom::sandbox {
namespace {

// A deployment's folders, with one neighbor that listens and one that nobody may reach.
class ProfilesTest : public SandboxFixture {
 protected:
  void SetUp() override {
    SandboxFixture::SetUp();
    for (const char* name :
         {"etc", "tls", "keys", "run", "run/auditd", "db", "token", "audit", "private"}) {
      std::filesystem::create_directory(folder_ / name);
    }
    for (const char* name :
         {"etc/strongroom.toml", "tls/cert.pem", "keys/ticket.key", "private/file"}) {
      std::ofstream(folder_ / name) << "x";
    }
    neighbor_socket_.emplace(folder_ / "run/neighbor.sock");
    const sockaddr_un address = unix_address(admin_.path());
    client_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::connect(client_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  void TearDown() override { ::close(client_); }

  void expect_denied(Findings& findings) const {
    const ProbePlan plan{.unlisted_file = folder_ / "private/file",
                         .unlisted_folder = folder_ / "private",
                         .unlisted_connect_port = stranger_.port(),
                         .unlisted_bind_port = stranger_.port(),
                         .other_process = ::getppid(),
                         .unlisted_socket_folder = folder_ / "run"};
    for (const auto& [name, denied, error] : probe_forbidden(plan)) {
      errno = error;
      findings.expect(denied, std::string(name) + " was not denied");
    }
  }
  // Asked of a socket, which has no attributes: the filter answers first.
  void expect_attributes(Findings& findings, int error) const {
    unsigned flags = 0;
    for (const unsigned long request : {FS_IOC_GETFLAGS, FS_IOC_SETFLAGS}) {
      findings.expect(::ioctl(admin_.fd(), request, &flags) != 0 && errno == error,
                      "attributes of files");
    }
  }
  void expect_readable(Findings& findings, const std::string& name) const {
    findings.expect(read_file(folder_ / name, 64).has_value(), "read " + name);
  }
  void expect_unwritable(Findings& findings, const std::string& name) const {
    findings.expect(!write_file_durable(folder_ / (name + "/x"), {}, 0600), "write to " + name);
  }
  // What SQLite and SoftHSM do: files, locks, shared memory, replacing and removing.
  void expect_writable(Findings& findings, const std::string& name) const {
    const std::string path = folder_ / (name + "/state");
    findings.expect(write_file_durable(path, as_bytes("state"), 0600).has_value(), "write " + name);
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    findings.expect(::fcntl(fd, F_SETLK, &lock) == 0, "lock in " + name);
    findings.expect(::ftruncate(fd, 4096) == 0 && ::fdatasync(fd) == 0, "grow in " + name);
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    findings.expect(memory != MAP_FAILED, "map in " + name);
    findings.expect(::unlink(path.c_str()) == 0, "remove in " + name);
  }
  void expect_sockets(Findings& findings) const {
    findings.expect(connect_tcp(neighbor_.port()), "connect to the neighbor");
    findings.expect(bind_tcp(own_port_) >= 0, "bind the own port");
  }
  static sockaddr_un unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }
  // What was opened before the sandbox goes on to be served.
  void expect_admin_socket(Findings& findings) const {
    findings.expect(::accept4(admin_.fd(), nullptr, nullptr, SOCK_CLOEXEC) >= 0, "admin socket");
  }
  void expect_intake(Findings& findings) const {
    const sockaddr_un address = unix_address(folder_ / "run/neighbor.sock");
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    findings.expect(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
                    "connect to the intake");
  }
  void expect_own_socket(Findings& findings) const {
    const std::string path = folder_ / "run/auditd/intake.sock";
    const sockaddr_un address = unix_address(path);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    findings.expect(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                        ::chmod(path.c_str(), 0660) == 0 && ::listen(fd, 1) == 0,
                    "make the intake");
    findings.expect(::unlink(path.c_str()) == 0, "remove the intake");
  }
  static void expect_no_unix_sockets(Findings& findings) {
    std::array<int, 2> pair{};
    findings.expect(::socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM, "a Unix socket");
    findings.expect(::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair.data()) != 0 && errno == EPERM,
                    "a pair of them, one of which could be connected anew");
  }
  static void expect_threads(Findings& findings) {
    bool ran = false;
    std::thread([&ran] { ran = true; }).join();
    findings.expect(ran, "threads");
  }

  TemporaryFolder folder_;
  Listener neighbor_;
  Listener stranger_;
  std::uint16_t own_port_ = free_port();
  // Connected to before the sandbox, so that accept does not wait.
  UnixListener admin_{folder_ / "admin.sock"};
  int client_ = -1;
  std::optional<UnixListener> neighbor_socket_;
};

TEST_F(ProfilesTest, VaultdHasItsRightsAndNoOthers) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              const auto entered = enter_vaultd({.config_folder = folder_ / "etc",
                                                 .credential_paths = {folder_ / "tls"},
                                                 .token_folder = folder_ / "token",
                                                 .database_folder = folder_ / "db",
                                                 .connect_ports = {neighbor_.port()},
                                                 .listen_ports = {own_port_}});
              findings.expect(entered.has_value(), "enter");
              expect_denied(findings);
              expect_attributes(findings, EPERM);
              expect_readable(findings, "etc/strongroom.toml");
              expect_readable(findings, "tls/cert.pem");
              expect_writable(findings, "db");
              expect_writable(findings, "token");
              expect_unwritable(findings, "tls");
              expect_sockets(findings);
              expect_admin_socket(findings);
              expect_intake(findings);
              expect_threads(findings);
            }),
            "");
}

TEST_F(ProfilesTest, EdgedHasItsRightsAndNoOthers) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              const auto entered = enter_edged({.config_folder = folder_ / "etc",
                                                .credential_paths = {folder_ / "tls"},
                                                .connect_ports = {neighbor_.port()},
                                                .listen_ports = {own_port_}});
              findings.expect(entered.has_value(), "enter");
              expect_denied(findings);
              expect_attributes(findings, EPERM);
              expect_readable(findings, "etc/strongroom.toml");
              expect_readable(findings, "tls/cert.pem");
              for (const char* name : {"db", "token", "tls", "run"})
                expect_unwritable(findings, name);
              expect_sockets(findings);
              expect_admin_socket(findings);
              expect_no_unix_sockets(findings);
              expect_threads(findings);
            }),
            "");
}

TEST_F(ProfilesTest, ConnectordHasItsRightsAndNoOthers) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              const auto entered = enter_connectord({.config_folder = folder_ / "etc",
                                                     .credential_paths = {folder_ / "tls"},
                                                     .connect_ports = {neighbor_.port()},
                                                     .listen_ports = {own_port_}});
              findings.expect(entered.has_value(), "enter");
              expect_denied(findings);
              expect_attributes(findings, EPERM);
              expect_readable(findings, "etc/strongroom.toml");
              expect_readable(findings, "tls/cert.pem");
              for (const char* name : {"db", "token", "tls", "run"})
                expect_unwritable(findings, name);
              expect_sockets(findings);
              expect_admin_socket(findings);
              expect_intake(findings);
              expect_threads(findings);
            }),
            "");
}

TEST_F(ProfilesTest, AuthdHasItsRightsAndNoOthers) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              const auto entered = enter_authd({.config_folder = folder_ / "etc",
                                                .credential_paths = {folder_ / "tls"},
                                                .key_paths = {folder_ / "keys"},
                                                .database_folder = folder_ / "db",
                                                .connect_ports = {neighbor_.port()},
                                                .listen_ports = {own_port_}});
              findings.expect(entered.has_value(), "enter");
              expect_denied(findings);
              expect_attributes(findings, EPERM);
              expect_readable(findings, "keys/ticket.key");
              expect_writable(findings, "db");
              for (const char* name : {"token", "keys", "tls"}) expect_unwritable(findings, name);
              expect_sockets(findings);
              expect_admin_socket(findings);
              expect_intake(findings);
              expect_threads(findings);
            }),
            "");
}

TEST_F(ProfilesTest, GatewaydHasItsRightsAndNoOthers) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              const auto entered = enter_gatewayd({.config_folder = folder_ / "etc",
                                                   .credential_paths = {folder_ / "tls"},
                                                   .database_folder = folder_ / "db",
                                                   .connect_ports = {neighbor_.port()},
                                                   .listen_ports = {own_port_}});
              findings.expect(entered.has_value(), "enter");
              expect_denied(findings);
              expect_attributes(findings, EPERM);
              expect_readable(findings, "etc/strongroom.toml");
              expect_readable(findings, "tls/cert.pem");
              expect_writable(findings, "db");
              for (const char* name : {"token", "keys", "tls"}) expect_unwritable(findings, name);
              expect_sockets(findings);
              expect_admin_socket(findings);
              expect_intake(findings);
              expect_threads(findings);
            }),
            "");
}

TEST_F(ProfilesTest, AuditdHasItsRightsAndNoOthers) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              const auto entered = enter_auditd({.config_folder = folder_ / "etc",
                                                 .key_paths = {folder_ / "keys/ticket.key"},
                                                 .token_folder = "",
                                                 .audit_folder = folder_ / "audit",
                                                 .socket_folder = folder_ / "run/auditd"});
              findings.expect(entered.has_value(), "enter");
              expect_denied(findings);
              expect_attributes(findings, ENOTTY);
              expect_readable(findings, "etc/strongroom.toml");
              expect_readable(findings, "keys/ticket.key");
              expect_writable(findings, "audit");
              for (const char* name : {"db", "token", "keys"}) expect_unwritable(findings, name);
              findings.expect(!connect_tcp(neighbor_.port()), "TCP to the neighbor");
              expect_admin_socket(findings);
              expect_own_socket(findings);
              expect_threads(findings);
            }),
            "");
}

TEST_F(ProfilesTest, AuditRelayReadsTheLogAndWritesItsOwnFolderAlone) {
  std::ofstream(folder_ / "audit/journal") << "x";
  EXPECT_EQ(in_child([&](Findings& findings) {
              const auto entered = enter_audit_relay({.config_folder = folder_ / "etc",
                                                      .credential_paths = {folder_ / "tls"},
                                                      .audit_folder = folder_ / "audit",
                                                      .data_folders = {folder_ / "db"},
                                                      .connect_ports = {neighbor_.port()},
                                                      .listen_ports = {own_port_}});
              findings.expect(entered.has_value(), "enter");
              expect_denied(findings);
              expect_attributes(findings, EPERM);
              for (const char* name : {"etc/strongroom.toml", "tls/cert.pem", "audit/journal"}) {
                expect_readable(findings, name);
              }
              expect_writable(findings, "db");
              for (const char* name : {"audit", "token", "keys", "tls"}) {
                expect_unwritable(findings, name);
              }
              expect_sockets(findings);
              expect_admin_socket(findings);
              expect_intake(findings);
              expect_threads(findings);
            }),
            "");
}

TEST_F(ProfilesTest, AuditRelayWithoutSinksConnectsToNobody) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              const auto entered = enter_audit_relay(
                  {.audit_folder = folder_ / "audit", .listen_ports = {own_port_}});
              findings.expect(entered.has_value(), "enter");
              findings.expect(!connect_tcp(neighbor_.port()), "TCP to the neighbor");
            }),
            "");
}

TEST_F(ProfilesTest, PspSimServesItsListenerAndDoesNothingElse) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              const int listener = bind_tcp(own_port_);
              findings.expect(listener >= 0 && ::listen(listener, 1) == 0 &&
                                  ::fcntl(listener, F_SETFL, O_NONBLOCK) == 0,
                              "listen before");
              const auto entered = enter_psp_sim();
              findings.expect(entered.has_value(), "enter");
              expect_denied(findings);
              expect_attributes(findings, EPERM);
              findings.expect(!read_file(folder_ / "strongroom.toml", 64), "read a file");
              for (const char* name : {"db", "tls", "run"}) expect_unwritable(findings, name);
              findings.expect(!connect_tcp(neighbor_.port()), "TCP to the neighbor");
              findings.expect(
                  ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) < 0 && errno == EAGAIN,
                  "accept");
              expect_threads(findings);
            }),
            "");
}

TEST_F(ProfilesTest, WitnessServesItsListenerAndRemembers) {
  EXPECT_EQ(in_child([&](Findings& findings) {
              const int listener = bind_tcp(own_port_);
              findings.expect(listener >= 0 && ::listen(listener, 1) == 0 &&
                                  ::fcntl(listener, F_SETFL, O_NONBLOCK) == 0,
                              "listen before");
              const auto entered = enter_witness({.config_folder = folder_ / "etc",
                                                  .credential_paths = {folder_ / "tls"},
                                                  .state_folder = folder_ / "db"});
              findings.expect(entered.has_value(), "enter");
              expect_denied(findings);
              expect_attributes(findings, EPERM);
              expect_readable(findings, "etc/strongroom.toml");
              expect_readable(findings, "tls/cert.pem");
              expect_writable(findings, "db");
              findings.expect(!read_file(folder_ / "keys/ticket.key", 64), "read its key");
              for (const char* name : {"etc", "tls", "keys"}) expect_unwritable(findings, name);
              findings.expect(!connect_tcp(neighbor_.port()), "TCP to the neighbor");
              findings.expect(
                  ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) < 0 && errno == EAGAIN,
                  "accept");
              expect_no_unix_sockets(findings);
              expect_threads(findings);
            }),
            "");
}

}  // namespace
}  // namespace strongroom::sandbox
