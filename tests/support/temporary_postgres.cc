// Starting and stopping PostgreSQL without its cluster scripts.
#include "support/temporary_postgres.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/try.h"
#include "crypto/certificate.h"
#include "crypto/random.h"

namespace strongroom::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUser = "strongroom";
constexpr const char* kPassword = "a-test-password";

fs::path newest_binaries() {
  fs::path newest;
  std::error_code absent;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", absent)) {
    if (fs::exists(version.path() / "bin/initdb"))
      newest = std::max(newest, version.path() / "bin");
  }
  return newest;
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  SR_CHECK(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  SR_CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(fd);
  return ::ntohs(address.sin_port);
}

// PostgreSQL refuses to run as root.
const passwd* unprivileged_user() { return ::geteuid() == 0 ? ::getpwnam("postgres") : nullptr; }

void give_to_server(const fs::path& path) {
  if (const passwd* user = unprivileged_user()) {
    SR_CHECK(::chown(path.c_str(), user->pw_uid, user->pw_gid) == 0);
  }
}

void write_file(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  give_to_server(path);
}

// Starts a program as the server's user; it ends when this process does.
pid_t start_program(const std::vector<std::string>& arguments, const fs::path& output) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const passwd* const user = unprivileged_user();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  SR_CHECK(child >= 0);
  if (child > 0) return child;
  if (user != nullptr && (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 ||
                          ::setuid(user->pw_uid) != 0)) {
    ::_exit(126);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (::getppid() != parent || ::freopen(output.c_str(), "a", stdout) == nullptr ||
      ::dup2(1, 2) < 0 || ::chdir("/") != 0) {
    ::_exit(126);
  }
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

void await_end(pid_t child) {
  int status = 0;
  SR_CHECK(::waitpid(child, &status, 0) == child);
}

}  // namespace

std::unique_ptr<TemporaryPostgres> TemporaryPostgres::start() {
  const fs::path binaries = newest_binaries();
  if (binaries.empty()) {
    std::fputs("PostgreSQL is not installed: no initdb under /usr/lib/postgresql\n", stderr);
    return nullptr;
  }
  std::unique_ptr<TemporaryPostgres> server(new TemporaryPostgres(binaries));
  server->restart();
  server->query("postgres",
                fmt::format("CREATE ROLE {} LOGIN SUPERUSER PASSWORD '{}'", kUser, kPassword));
  return server;
}

TemporaryPostgres::TemporaryPostgres(fs::path binaries)
    : binaries_(std::move(binaries)), port_(free_port()) {
  std::string name = (fs::temp_directory_path() / "strongroom-postgres-XXXXXX").string();
  SR_CHECK(::mkdtemp(name.data()) != nullptr);
  folder_ = name;
  give_to_server(folder_);
  make_cluster();
  make_certificates();
  write_settings();
}

TemporaryPostgres::~TemporaryPostgres() {
  thaw();
  crash();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void TemporaryPostgres::make_cluster() {
  await_end(start_program({binaries_ / "initdb", "-D", file("data"), "-U", "admin", "--no-sync",
                           "--no-locale", "-E", "UTF8", "--data-checksums"},
                          file("initdb.log")));
  SR_CHECK(fs::exists(file("data") / "PG_VERSION"));
}

void TemporaryPostgres::make_certificates() {
  crypto::SystemRandom random;
  const SystemClock clock;
  auto authority = crypto::make_certificate_authority("PostgreSQL test CA", random, clock);
  SR_CHECK(authority.has_value());
  const crypto::CertificateRequest request{.common_name = "localhost",
                                           .dns_names = {"localhost"},
                                           .ip_addresses = {"127.0.0.1"},
                                           .server = true};
  auto leaf = crypto::issue_certificate(*authority, request, random, clock);
  SR_CHECK(leaf.has_value());
  write_file(file("ca.crt"), authority->certificate_pem);
  write_file(file("server.crt"), leaf->certificate_pem);
  write_file(file("server.key"), as_text(leaf->key_pem.reveal()));
}

void TemporaryPostgres::write_settings() const {
  write_file(file("data") / "pg_hba.conf",
             "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
  write_file(file("data") / "postgresql.conf",
             fmt::format("listen_addresses = '127.0.0.1'\nport = {}\n"
                         "unix_socket_directories = '{}'\nunix_socket_permissions = 0777\n"
                         "ssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n"
                         "ssl_min_protocol_version = 'TLSv1.3'\nshared_buffers = 256MB\n"
                         "max_connections = 50\nlog_min_messages = warning\n",
                         port_, folder_.string(), file("server.crt").string(),
                         file("server.key").string()));
}

void TemporaryPostgres::restart() {
  SR_CHECK(server_ < 0);
  server_ = start_program({binaries_ / "postgres", "-D", file("data")}, file("server.log"));
  const std::string url =
      fmt::format("host={} port={} user=admin dbname=postgres", folder_.string(), port_);
  for (int attempt = 0; PQping(url.c_str()) != PQPING_OK; ++attempt) {
    SR_CHECK(attempt < 600);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void TemporaryPostgres::crash() {
  if (server_ < 0) return;
  ::kill(server_, SIGQUIT);
  await_end(server_);
  server_ = -1;
}

void TemporaryPostgres::freeze() { signal_all(SIGSTOP); }
void TemporaryPostgres::thaw() { signal_all(SIGCONT); }

// Each backend leads a process group of its own, so the server's children are named one by one.
void TemporaryPostgres::signal_all(int signal) const {
  if (server_ < 0) return;
  ::kill(server_, signal);
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", server_));
  for (pid_t child = 0; children >> child;) ::kill(child, signal);
}

std::string TemporaryPostgres::query(std::string_view database, const std::string& sql) {
  const std::string url =
      fmt::format("host={} port={} user=admin dbname={}", folder_.string(), port_, database);
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(url.c_str()),
                                                                &PQfinish);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()),
                                                             &PQclear);
  const auto status = PQresultStatus(result.get());
  SR_CHECK(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
  return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

void TemporaryPostgres::create_database(std::string_view name) {
  query("postgres", fmt::format("CREATE DATABASE {}", name));
}

std::string TemporaryPostgres::url(std::string_view database) const {
  return fmt::format("postgresql://{}:{}@127.0.0.1:{}/{}?sslmode=verify-full&sslrootcert={}", kUser,
                     kPassword, port_, database, file("ca.crt").string());
}

std::string TemporaryPostgres::unix_url(std::string_view database) const {
  return fmt::format("postgresql:///{}?host={}&port={}&user={}", database, folder_.string(), port_,
                     kUser);
}

}  // namespace strongroom::testing
