#include "crypto/certificate.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>

#include "base/encoding.h"

namespace strongroom::crypto {
namespace {

constexpr std::int64_t kDayUs = std::int64_t{86'400} * 1'000'000;

class SetClock final : public Clock {
 public:
  std::int64_t now_us() const override { return now_us_; }
  void set(std::int64_t now_us) { now_us_ = now_us; }

 private:
  std::int64_t now_us_ = SystemClock().now_us();
};

CertificateRequest request() {
  return {.common_name = "vaultd",
          .spiffe_uri = "spiffe://bank.example/vaultd",
          .dns_names = {"vault.bank.example", "localhost"},
          .ip_addresses = {"127.0.0.1", "::1"},
          .server = true,
          .client = true};
}

// Runs `openssl ARGUMENTS` in `folder`; gives its output with the exit status as the last line.
std::string openssl_says(const std::filesystem::path& folder, const std::string& arguments) {
  const std::string command =
      "cd '" + folder.string() + "' && openssl " + arguments + " 2>&1; echo \"exit $?\"";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string output;
  std::array<char, 512> piece;
  while (std::fgets(piece.data(), piece.size(), pipe.get()) != nullptr) output += piece.data();
  return output;
}

class CertificateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name =
        (std::filesystem::temp_directory_path() / "certificate_test.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  IssuedCertificate authority(int days = kAuthorityDays) {
    auto made = make_certificate_authority("Strongroom CA", random_, clock_, days);
    EXPECT_TRUE(made);
    return *std::move(made);
  }
  Result<IssuedCertificate> issue(const IssuedCertificate& issuer,
                                  const CertificateRequest& asked) {
    return issue_certificate(issuer, asked, random_, clock_);
  }
  void write(const char* name, std::string_view text) const {
    std::ofstream(folder_ / name) << text;
  }
  std::string run(const std::string& arguments) const { return openssl_says(folder_, arguments); }

  std::filesystem::path folder_;
  SystemRandom random_;
  SetClock clock_;
};

TEST_F(CertificateTest, OpensslVerifiesTheChain) {
  const IssuedCertificate ca = authority();
  const auto leaf = issue(ca, request());
  ASSERT_TRUE(leaf);
  write("ca.pem", ca.certificate_pem);
  write("leaf.pem", leaf->certificate_pem);
  const std::string verify = "verify -x509_strict -CAfile ca.pem ";
  EXPECT_EQ(run(verify + "-purpose sslserver leaf.pem"), "leaf.pem: OK\nexit 0\n");
  EXPECT_EQ(run(verify + "-purpose sslclient leaf.pem"), "leaf.pem: OK\nexit 0\n");
  EXPECT_EQ(run(verify + "-verify_hostname vault.bank.example leaf.pem"), "leaf.pem: OK\nexit 0\n");
  EXPECT_EQ(run(verify + "-verify_ip ::1 leaf.pem"), "leaf.pem: OK\nexit 0\n");
  EXPECT_EQ(run(verify + "ca.pem"), "ca.pem: OK\nexit 0\n");
}

TEST_F(CertificateTest, OpensslRefusesAnotherAuthority) {
  const auto leaf = issue(authority(), request());
  ASSERT_TRUE(leaf);
  write("other.pem", authority().certificate_pem);
  write("leaf.pem", leaf->certificate_pem);
  EXPECT_TRUE(run("verify -CAfile other.pem leaf.pem").ends_with("exit 2\n"));
}

TEST_F(CertificateTest, LeafCarriesWhatWasAsked) {
  const IssuedCertificate ca = authority();
  CertificateRequest asked = request();
  asked.server = false;
  const auto leaf = issue(ca, asked);
  ASSERT_TRUE(leaf);
  write("leaf.pem", leaf->certificate_pem);
  const std::string text = run("x509 -in leaf.pem -noout -text");
  for (const char* expected :
       {"URI:spiffe://bank.example/vaultd, DNS:vault.bank.example, DNS:localhost, "
        "IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
        "CA:FALSE", "Digital Signature\n", "TLS Web Client Authentication\n",
        "Issuer: CN = Strongroom CA", "Subject: CN = vaultd", "NIST CURVE: P-256",
        "ecdsa-with-SHA256", "X509v3 Authority Key Identifier", "Version: 3"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << '\n' << text;
  }
  EXPECT_EQ(text.find("TLS Web Server"), std::string::npos);
}

TEST_F(CertificateTest, ServerLeafIsNoClient) {
  CertificateRequest asked = request();
  asked.client = false;
  const IssuedCertificate ca = authority();
  const auto leaf = issue(ca, asked);
  ASSERT_TRUE(leaf);
  write("ca.pem", ca.certificate_pem);
  write("leaf.pem", leaf->certificate_pem);
  EXPECT_EQ(run("verify -CAfile ca.pem -purpose sslserver leaf.pem"), "leaf.pem: OK\nexit 0\n");
  EXPECT_TRUE(run("verify -CAfile ca.pem -purpose sslclient leaf.pem").ends_with("exit 2\n"));
}

TEST_F(CertificateTest, AuthoritySignsLeavesOnly) {
  write("ca.pem", authority().certificate_pem);
  const std::string text = run("x509 -in ca.pem -noout -text");
  for (const char* expected : {"CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << '\n' << text;
  }
}

TEST_F(CertificateTest, KeyBelongsToTheCertificate) {
  const IssuedCertificate ca = authority();
  EXPECT_TRUE(as_text(ca.key_pem.reveal()).starts_with("-----BEGIN PRIVATE KEY-----\n"));
  write("ca.pem", ca.certificate_pem);
  write("key.pem", as_text(ca.key_pem.reveal()));
  EXPECT_EQ(run("x509 -in ca.pem -noout -pubkey"), run("pkey -in key.pem -pubout"));
}

TEST_F(CertificateTest, DescriptionMatches) {
  const IssuedCertificate ca = authority();
  const auto leaf = issue(ca, request());
  ASSERT_TRUE(leaf);
  const auto description = describe_certificate(leaf->certificate_pem);
  ASSERT_TRUE(description);
  EXPECT_EQ(description->subject, "CN=vaultd");
  EXPECT_EQ(description->spiffe, "spiffe://bank.example/vaultd");
  EXPECT_EQ(description->not_after_us - description->not_before_us,
            kLeafDays * kDayUs + 300 * 1'000'000);
  EXPECT_EQ(description->not_after_us,
            clock_.now_us() / 1'000'000 * 1'000'000 + kLeafDays * kDayUs);
  write("leaf.pem", leaf->certificate_pem);
  std::string serial = run("x509 -in leaf.pem -noout -serial");
  for (char& c : serial) c = static_cast<char>(std::tolower(c));
  EXPECT_EQ(serial, "serial=" + description->serial + "\nexit 0\n");
  EXPECT_EQ(description->serial.size(), 32u);
  EXPECT_EQ(description->key_type, "EC");
  EXPECT_EQ(description->key_bits, 256);
  EXPECT_EQ(description->strength_bits, 128);
  EXPECT_NE(describe_certificate(ca.certificate_pem)->serial, description->serial);
  EXPECT_EQ(describe_certificate(ca.certificate_pem)->spiffe, "");
}

TEST_F(CertificateTest, DescribeRefusesWhatIsNotOneCertificate) {
  const std::string pem = authority().certificate_pem;
  const IssuedCertificate other = authority();
  const std::string key(as_text(other.key_pem.reveal()));
  for (const std::string& bad : {std::string(), std::string("text"), pem + pem, key,
                                 pem.substr(0, pem.size() / 2), std::string(100'000, 'x')}) {
    const auto description = describe_certificate(bad);
    ASSERT_FALSE(description);
    EXPECT_EQ(description.error().code(), ErrorCode::invalid_argument);
  }
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST_F(CertificateTest, IssueRefusesBadRequests) {
  const IssuedCertificate ca = authority();
  const std::vector<std::function<void(CertificateRequest&)>> mistakes = {
      [](auto& r) { r.common_name = ""; },
      [](auto& r) { r.common_name = std::string(65, 'x'); },
      [](auto& r) { r.common_name = "new\nline"; },
      [](auto& r) { r.server = r.client = false; },
      [](auto& r) { r.spiffe_uri = "https://bank.example/"; },
      [](auto& r) { r.spiffe_uri = "spiffe://"; },
      [](auto& r) { r.spiffe_uri = "spiffe://bank example/"; },
      [](auto& r) { r.dns_names = {""}; },
      [](auto& r) { r.dns_names = {"UPPER.example"}; },
      [](auto& r) { r.dns_names = {"a,DNS:b"}; },
      [](auto& r) { r.ip_addresses = {"127.0.0.256"}; },
      [](auto& r) { r.ip_addresses = {""}; },
      [](auto& r) { r.days = 0; },
      [](auto& r) { r.days = 3'651; },
      [](auto& r) { r = {.common_name = "x", .server = true}; },
  };
  ASSERT_TRUE(issue(ca, request()));
  for (std::size_t i = 0; i < mistakes.size(); ++i) {
    CertificateRequest asked = request();
    mistakes[i](asked);
    const auto leaf = issue(ca, asked);
    ASSERT_FALSE(leaf) << i;
    EXPECT_EQ(leaf.error().code(), ErrorCode::invalid_argument) << i;
  }
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST_F(CertificateTest, IssueRefusesWhatIsNoAuthority) {
  const IssuedCertificate ca = authority();
  auto leaf = issue(ca, request());
  ASSERT_TRUE(leaf);
  EXPECT_EQ(issue(*leaf, request()).error().code(), ErrorCode::invalid_argument);
  const IssuedCertificate wrong_key{ca.certificate_pem, std::move(leaf->key_pem)};
  EXPECT_EQ(issue(wrong_key, request()).error().code(), ErrorCode::invalid_argument);
  const IssuedCertificate no_key{ca.certificate_pem, SecretBytes()};
  EXPECT_EQ(issue(no_key, request()).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST_F(CertificateTest, EncryptedKeyIsRefusedWithoutAsking) {
  const IssuedCertificate ca = authority();
  write("key.pem", as_text(ca.key_pem.reveal()));
  ASSERT_EQ(run("pkcs8 -topk8 -in key.pem -out locked.pem -passout pass:word"), "exit 0\n");
  std::ifstream file(folder_ / "locked.pem");
  const std::string locked(std::istreambuf_iterator<char>(file), {});
  const IssuedCertificate encrypted{ca.certificate_pem, *SecretBytes::copy_of(as_bytes(locked))};
  EXPECT_EQ(issue(encrypted, request()).error().code(), ErrorCode::invalid_argument);
}

TEST_F(CertificateTest, LeafDoesNotOutliveItsAuthority) {
  const IssuedCertificate ca = authority(30);
  EXPECT_TRUE(issue(ca, request()));
  clock_.set(clock_.now_us() + kDayUs);
  EXPECT_EQ(issue(ca, request()).error().code(), ErrorCode::conflict);
}

TEST_F(CertificateTest, RenewalChangesKeySerialAndTimesAlone) {
  clock_.set(clock_.now_us() - 20 * kDayUs);
  const IssuedCertificate ca = authority();
  const auto old = issue(ca, request());
  ASSERT_TRUE(old);
  clock_.set(clock_.now_us() + 20 * kDayUs);
  const auto renewed = renew_certificate(ca, old->certificate_pem, random_, clock_);
  ASSERT_TRUE(renewed);
  write("ca.pem", ca.certificate_pem);
  write("old.pem", old->certificate_pem);
  write("new.pem", renewed->certificate_pem);
  EXPECT_EQ(run("verify -x509_strict -CAfile ca.pem -purpose sslserver new.pem"),
            "new.pem: OK\nexit 0\n");
  for (const char* kept :
       {"-subject", "-issuer", "-ext subjectAltName", "-ext extendedKeyUsage",
        "-ext basicConstraints", "-ext keyUsage", "-ext authorityKeyIdentifier"}) {
    const std::string print = std::string(" -noout ") + kept;
    EXPECT_EQ(run("x509 -in new.pem" + print), run("x509 -in old.pem" + print)) << kept;
  }
  for (const char* changed : {"-serial", "-pubkey", "-ext subjectKeyIdentifier", "-dates"}) {
    const std::string print = std::string(" -noout ") + changed;
    EXPECT_NE(run("x509 -in new.pem" + print), run("x509 -in old.pem" + print)) << changed;
  }
  EXPECT_TRUE(is_pair(renewed->certificate_pem, renewed->key_pem));
  const auto before = describe_certificate(old->certificate_pem);
  const auto after = describe_certificate(renewed->certificate_pem);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->not_before_us - before->not_before_us, 20 * kDayUs);
  EXPECT_EQ(after->not_after_us - before->not_after_us, 20 * kDayUs);
}

TEST_F(CertificateTest, RenewsOnlyItsOwnLeaves) {
  const IssuedCertificate ca = authority();
  const auto leaf = issue(ca, request());
  const auto strange = issue(authority(), request());
  ASSERT_TRUE(leaf && strange);
  for (const std::string& bad : {strange->certificate_pem, ca.certificate_pem, std::string("text"),
                                 leaf->certificate_pem + leaf->certificate_pem}) {
    const auto renewed = renew_certificate(ca, bad, random_, clock_);
    ASSERT_FALSE(renewed);
    EXPECT_EQ(renewed.error().code(), ErrorCode::invalid_argument);
  }
  clock_.set(clock_.now_us() + (kAuthorityDays - kLeafDays + 1) * kDayUs);
  EXPECT_EQ(renew_certificate(ca, leaf->certificate_pem, random_, clock_).error().code(),
            ErrorCode::conflict);
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST_F(CertificateTest, TellsItsAuthorityAndItsKeyFromOthers) {
  const IssuedCertificate ca = authority(), other = authority();
  const auto leaf = issue(ca, request());
  ASSERT_TRUE(leaf);
  EXPECT_TRUE(is_signed_by(leaf->certificate_pem, ca.certificate_pem));
  EXPECT_FALSE(is_signed_by(leaf->certificate_pem, other.certificate_pem));
  EXPECT_FALSE(is_signed_by("text", ca.certificate_pem));
  EXPECT_FALSE(is_signed_by(leaf->certificate_pem, "text"));
  EXPECT_TRUE(is_pair(leaf->certificate_pem, leaf->key_pem));
  EXPECT_FALSE(is_pair(leaf->certificate_pem, ca.key_pem));
  EXPECT_FALSE(is_pair("text", leaf->key_pem));
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST_F(CertificateTest, AuthorityRefusesBadNamesAndDays) {
  const auto made = [this](std::string_view name, int days) {
    return make_certificate_authority(name, random_, clock_, days);
  };
  for (const auto& bad : {made("", 1), made(std::string(65, 'x'), 1), made("\x80", 1),
                          made("ca", 0), made("ca", 3'651)}) {
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code(), ErrorCode::invalid_argument);
  }
}

}  // namespace
}  // namespace strongroom::crypto
