#include "service/deployment.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/encoding.h"
#include "http/testing/authority.h"
#include "service/database_url.h"
#include "service/testing/deployment.h"

namespace strongroom::service {
namespace {

using testing::TestDeployment;

TEST(DeploymentTest, ReadsTheCommonPart) {
  const TestDeployment folder("[vaultd]\n");
  const auto deployment = Deployment::load(folder.config(), "vaultd", "vaultd");
  ASSERT_TRUE(deployment) << deployment.error().text();
  EXPECT_EQ(deployment->profile, Profile::demo);
  EXPECT_EQ(deployment->trust_domain, "test");
  EXPECT_EQ(deployment->section, "vaultd");
  EXPECT_TRUE(deployment->allow_memfd_secret);
  EXPECT_EQ(deployment->log_level, log::Level::info);
  EXPECT_EQ(deployment->config_path, folder.config());
  EXPECT_EQ(deployment->ca_path, folder.path("ca.crt"));
  EXPECT_EQ(deployment->lock_path(), folder.path("run/vaultd.lock"));
  EXPECT_EQ(deployment->admin_socket_path(), folder.path("run/vaultd.admin.sock"));
  EXPECT_EQ(deployment->audit_socket_path(), folder.path("run/auditd/intake.sock"));
}

TEST(DeploymentTest, AuditdIsWhoOwnsTheFolderThatNobodyElseMayWrite) {
  const TestDeployment folder;
  const auto deployment = Deployment::load(folder.config(), "vaultd", "vaultd");
  ASSERT_TRUE(deployment);
  EXPECT_EQ(deployment->auditd_uid().error().code(), ErrorCode::not_found);
  ASSERT_EQ(::mkdir(folder.path("run/auditd").c_str(), 0750), 0);
  ASSERT_TRUE(deployment->auditd_uid());
  EXPECT_EQ(*deployment->auditd_uid(), ::geteuid());
  ASSERT_EQ(::chmod(folder.path("run/auditd").c_str(), 0770), 0);
  EXPECT_EQ(deployment->auditd_uid().error().code(), ErrorCode::permission_denied);
}

TEST(DeploymentTest, InstancesHaveSectionsOfTheirOwn) {
  const TestDeployment folder;
  const auto deployment = Deployment::load(folder.config(), "vaultd", "vaultd-two");
  ASSERT_TRUE(deployment);
  EXPECT_EQ(deployment->section, "vaultd.two");
  EXPECT_EQ(deployment->lock_path(), folder.path("run/vaultd-two.lock"));
}

TEST(DeploymentTest, RefusesUnknownKeysAndSections) {
  const TestDeployment section("[vualtd]\n");
  EXPECT_FALSE(Deployment::load(section.config(), "vaultd", "vaultd"));
  const TestDeployment key("[vaultd]\n");
  key.write("etc/strongroom.toml",
            "[deployment]\ntrust_domain = \"test\"\ncolor = \"red\"\n[tls]\nca = \"c\"\n"
            "[tickets]\npublic_keys = \"t\"\n");
  const auto refused = Deployment::load(key.config(), "vaultd", "vaultd");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().line, 3u);
  EXPECT_FALSE(Deployment::load(key.path("etc/absent.toml"), "vaultd", "vaultd"));
}

TEST(AddressTest, ParsesNumericAddresses) {
  const auto v4 = parse_address("127.0.0.1:8443");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->host, "127.0.0.1");
  EXPECT_EQ(v4->port, 8443);
  const auto v6 = parse_address("[::1]:65535");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 65535);
}

TEST(AddressTest, RefusesEverythingElse) {
  for (const char* text : {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
                           "127.0.0.1:80x", "localhost:80", "::1:80", "[::1]", "127.0.0.1:-1"}) {
    const auto address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code(), ErrorCode::invalid_argument);
  }
}

TEST(AddressTest, RequireFreeSeesASharedListener) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ASSERT_EQ(::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const Address taken{.host = "127.0.0.1", .port = ntohs(address.sin_port)};
  const auto refused = require_free(taken);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::conflict);
  ::close(fd);
  EXPECT_TRUE(require_free(taken));
  const auto foreign = require_free({.host = "192.0.2.1", .port = 4711});
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code(), ErrorCode::unavailable);
}

// A section with one database key, and what database_url makes of it.
struct Read {
  DatabaseUrl url;
  bool ok = false;
};
Read read_url(const TestDeployment& folder, std::string_view value) {
  folder.write("etc/strongroom.toml",
               "[deployment]\nprofile = \"demo\"\ntrust_domain = \"test\"\n"
               "[tls]\nca = \"c\"\n[tickets]\npublic_keys = \"t\"\n"
               "[vaultd]\ndatabase = \"" +
                   std::string(value) + "\"\n");
  const auto deployment = Deployment::load(folder.config(), "vaultd", "vaultd");
  auto section = deployment->file.section("vaultd");
  Read read{.url = database_url(*deployment, *section, "database")};
  read.ok = section->finish().has_value();
  return read;
}

TEST(DatabaseUrlTest, SqlitePathsStartAtTheDeployment) {
  const TestDeployment folder;
  const Read relative = read_url(folder, "sqlite:data/vault.db");
  ASSERT_TRUE(relative.ok);
  EXPECT_EQ(relative.url.text, "sqlite:" + folder.path("data/vault.db"));
  EXPECT_EQ(relative.url.sqlite_folder, folder.path("data"));
  EXPECT_TRUE(relative.url.ports.empty());
  const Read absolute = read_url(folder, "sqlite:/var/lib/vault.db");
  EXPECT_EQ(absolute.url.text, "sqlite:/var/lib/vault.db");
}

TEST(DatabaseUrlTest, PostgresTellsPortsAndFiles) {
  const TestDeployment folder;
  const Read read = read_url(folder,
                             "postgresql://vault@10.0.0.1:6432,10.0.0.2/v?sslmode=verify-full"
                             "&sslrootcert=/etc/pg/ca.crt&passfile=/etc/pg/pass");
  ASSERT_TRUE(read.ok);
  EXPECT_EQ(read.url.ports, (std::vector<std::uint16_t>{6432, 5432}));
  EXPECT_EQ(read.url.files, (std::vector<std::string>{"/etc/pg/ca.crt", "/etc/pg/pass"}));
  EXPECT_EQ(read_url(folder, "postgres://[::1]:7000/v").url.ports,
            std::vector<std::uint16_t>{7000});
  EXPECT_EQ(read_url(folder, "postgres://[::1]/v?port=7001").url.ports,
            std::vector<std::uint16_t>{7001});
  const std::vector<std::uint16_t> both{7002, 7003};
  for (const char* several :
       {"postgresql://10.0.0.1:7002,10.0.0.2:7003/v", "postgresql://10.0.0.1,b/v?port=7002,7003",
        "postgresql:///v?host=10.0.0.1,10.0.0.2&port=7002,7003",
        "postgresql:///v?host=/run/postgresql,10.0.0.2&port=7002,7003"}) {
    EXPECT_EQ(read_url(folder, several).url.ports, both) << several;
  }
  for (const char* local :
       {"postgresql:///v?host=/run/a,/run/b&port=1,2", "postgresql:///v?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/v"}) {
    const Read socket = read_url(folder, local);
    EXPECT_TRUE(socket.ok) << local;
    EXPECT_TRUE(socket.url.ports.empty()) << local;
  }
}

TEST(DatabaseUrlTest, RefusesPasswordsAndOtherDatabases) {
  const TestDeployment folder;
  for (const char* url :
       {"postgresql://vault:secret@10.0.0.1/v", "postgresql://vault@10.0.0.1/v?password=secret",
        "mysql://10.0.0.1/v", "host=10.0.0.1 dbname=v", "vault.db"}) {
    EXPECT_FALSE(read_url(folder, url).ok) << url;
  }
}

class TlsFilesTest : public ::testing::Test {
 protected:
  TlsFilesTest() {
    const http::TlsOptions options = ca_.options("vaultd");
    folder_.write("ca.crt", options.ca_pem);
    folder_.write("vaultd.crt", options.certificate_pem);
    folder_.write("vaultd.key", as_text(options.key_pem.reveal()));
    auto loaded = Deployment::load(folder_.config(), "vaultd", "vaultd");
    SR_CHECK(loaded.has_value());
    deployment_ = *std::move(loaded);
  }
  Credentials credentials() const {
    return {.certificate_path = folder_.path("vaultd.crt"), .key_path = folder_.path("vaultd.key")};
  }
  http::testing::Authority ca_;
  TestDeployment folder_;
  Deployment deployment_;
};

TEST_F(TlsFilesTest, LoadsAllThreeSides) {
  EXPECT_TRUE(load_server_tls(deployment_, credentials()));
  EXPECT_TRUE(load_client_tls(deployment_, credentials()));
  EXPECT_TRUE(load_public_tls(credentials()));
}

TEST_F(TlsFilesTest, RefusesAKeyThatOthersCanRead) {
  ASSERT_EQ(::chmod(credentials().key_path.c_str(), 0640), 0);
  const auto loaded = load_server_tls(deployment_, credentials());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::permission_denied);
}

TEST_F(TlsFilesTest, RefusesMissingAndForeignFiles) {
  EXPECT_EQ(load_server_tls(deployment_, {.certificate_path = "/nowhere", .key_path = "/nowhere"})
                .error()
                .code(),
            ErrorCode::not_found);
  const http::TlsOptions other = ca_.options("vaultd");
  folder_.write("vaultd.key", as_text(other.key_pem.reveal()));
  EXPECT_FALSE(load_server_tls(deployment_, credentials()));
  deployment_.ca_path = folder_.path("absent");
  EXPECT_FALSE(load_client_tls(deployment_, credentials()));
}

TEST_F(TlsFilesTest, TicketKeysMustBeWritableByTheirOwnerAlone) {
  EXPECT_EQ(load_ticket_keys(deployment_).error().code(), ErrorCode::not_found);
  folder_.write("tickets.pub", "kid AAAA\n", 0644);
  const auto lines = load_ticket_keys(deployment_);
  ASSERT_TRUE(lines);
  EXPECT_EQ(*lines, "kid AAAA\n");
  for (const mode_t mode : {mode_t{0664}, mode_t{0646}}) {
    folder_.write("tickets.pub", "kid AAAA\n", mode);
    EXPECT_EQ(load_ticket_keys(deployment_).error().code(), ErrorCode::permission_denied);
  }
}

TEST_F(TlsFilesTest, ProductionBelievesRootsTicketKeysOnly) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give the file to another user";
  folder_.write("tickets.pub", "kid AAAA\n", 0644);
  deployment_.profile = Profile::production;
  EXPECT_TRUE(load_ticket_keys(deployment_));
  ASSERT_EQ(::chown(folder_.path("tickets.pub").c_str(), 65534, 65534), 0);
  EXPECT_EQ(load_ticket_keys(deployment_).error().code(), ErrorCode::permission_denied);
}

}  // namespace
}  // namespace strongroom::service
