#include "http/tls.h"

#include <gtest/gtest.h>

#include "http/testing/authority.h"

namespace strongroom::http {
namespace {

TEST(TlsTest, SpiffeIdentityTakesItsTrustDomainOnly) {
  EXPECT_EQ(spiffe_identity("spiffe://test/vaultd", "test"), "vaultd");
  EXPECT_EQ(spiffe_identity("spiffe://test/connectord-stripe", "test"), "connectord-stripe");
  EXPECT_EQ(spiffe_identity("spiffe://a.example/x1", "a.example"), "x1");
  for (const std::string_view uri :
       {"", "vaultd", "spiffe://", "spiffe://test", "spiffe://test/", "spiffe://testing/vaultd",
        "spiffe://tes/vaultd", "spiffe://test.evil/vaultd", "spiffe://test@evil/vaultd",
        "https://test/vaultd", "SPIFFE://test/vaultd", "spiffe://test/a/b", "spiffe://test//a",
        "spiffe://test/Vaultd", "spiffe://test/a b", "spiffe://test/a?b", "spiffe://test/..",
        "spiffe://test/@local", "spiffe://test/*"}) {
    EXPECT_EQ(spiffe_identity(uri, "test"), "") << uri;
  }
  EXPECT_EQ(spiffe_identity("spiffe://test/" + std::string(65, 'a'), "test"), "");
  EXPECT_EQ(spiffe_identity("spiffe:///vaultd", ""), "");
}

TEST(TlsTest, ContextsRefuseBadParts) {
  testing::Authority authority;
  const auto refused = [](TlsOptions options) {
    const auto server = TlsContext::server(options);
    const auto client = TlsContext::client(options);
    return !server && server.error().code() == ErrorCode::invalid_argument && !client &&
           client.error().code() == ErrorCode::invalid_argument;
  };
  EXPECT_TRUE(TlsContext::server(authority.options("vaultd")).has_value());
  TlsOptions options = authority.options("vaultd");
  options.certificate_pem = "garbage";
  EXPECT_TRUE(refused(std::move(options)));
  options = authority.options("vaultd");
  options.certificate_pem.resize(options.certificate_pem.size() / 2);
  EXPECT_TRUE(refused(std::move(options)));
  options = authority.options("vaultd");
  options.key_pem = SecretBytes{};
  EXPECT_TRUE(refused(std::move(options)));
  options = authority.options("vaultd");
  options.key_pem = std::move(authority.options("other").key_pem);
  EXPECT_TRUE(refused(std::move(options)));
  options = authority.options("vaultd");
  options.ca_pem = "garbage";
  EXPECT_TRUE(refused(std::move(options)));
  options = authority.options("vaultd");
  options.trust_domain.clear();
  EXPECT_TRUE(refused(std::move(options)));
}

TEST(TlsTest, ClientOfHostsNeedsACa) {
  testing::Authority authority;
  EXPECT_TRUE(TlsContext::client_of_hosts(authority.ca_pem()).has_value());
  for (const char* bad : {"", "garbage"}) {
    const auto refused = TlsContext::client_of_hosts(bad);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), ErrorCode::invalid_argument);
  }
}

TEST(TlsTest, AServerNeedsACertificateAndAClientDoesNot) {
  testing::Authority authority;
  TlsOptions options{.ca_pem = authority.ca_pem(), .trust_domain = "test"};
  EXPECT_FALSE(TlsContext::server(options).has_value());
  EXPECT_TRUE(TlsContext::client(options).has_value());
  EXPECT_TRUE(TlsContext::client(TlsOptions{}).has_value());
}

}  // namespace
}  // namespace strongroom::http
