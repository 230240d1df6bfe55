// Certificates for tests: a CA of the trust domain "test" and leaves under it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "crypto/certificate.h"
#include "crypto/random.h"
#include "http/tls.h"

namespace strongroom::http::testing {

inline constexpr std::string_view kTrustDomain = "test";

class Authority {
 public:
  Authority() {
    auto made = crypto::make_certificate_authority("Test CA", random_, clock_);
    EXPECT_TRUE(made.has_value());
    ca_ = *std::move(made);
  }

  [[nodiscard]] const std::string& ca_pem() const { return ca_.certificate_pem; }

  // Everything a service with this identity needs, its own certificate included.
  [[nodiscard]] TlsOptions options(const std::string& identity) {
    return options_with_uri("spiffe://test/" + identity);
  }
  [[nodiscard]] TlsOptions options_with_uri(const std::string& uri) {
    const crypto::CertificateRequest request{.common_name = "test",
                                             .spiffe_uri = uri,
                                             .dns_names = {"localhost"},
                                             .ip_addresses = {"127.0.0.1"},
                                             .server = true,
                                             .client = true};
    auto issued = crypto::issue_certificate(ca_, request, random_, clock_);
    EXPECT_TRUE(issued.has_value());
    return {.certificate_pem = issued->certificate_pem,
            .key_pem = std::move(issued->key_pem),
            .ca_pem = ca_.certificate_pem,
            .trust_domain = std::string(kTrustDomain)};
  }

  [[nodiscard]] std::shared_ptr<const TlsContext> server(const std::string& identity) {
    auto context = TlsContext::server(options(identity));
    EXPECT_TRUE(context.has_value());
    return *std::move(context);
  }
  [[nodiscard]] std::shared_ptr<const TlsContext> client(const std::string& identity) {
    return client_with_uri("spiffe://test/" + identity);
  }
  [[nodiscard]] std::shared_ptr<const TlsContext> client_with_uri(const std::string& uri) {
    auto context = TlsContext::client(options_with_uri(uri));
    EXPECT_TRUE(context.has_value());
    return *std::move(context);
  }
  // A client that believes this CA and has no certificate.
  [[nodiscard]] std::shared_ptr<const TlsContext> anonymous_client() {
    TlsOptions options{.ca_pem = ca_.certificate_pem, .trust_domain = std::string(kTrustDomain)};
    auto context = TlsContext::client(options);
    EXPECT_TRUE(context.has_value());
    return *std::move(context);
  }

 private:
  crypto::SystemRandom random_;
  SystemClock clock_;
  crypto::IssuedCertificate ca_;
};

}  // namespace strongroom::http::testing
