#include "crypto/certificate.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/openssl.h"
#include "crypto/pem.h"

namespace strongroom::crypto {
namespace {

constexpr std::int64_t kBackdateSeconds = 300;
constexpr std::int64_t kDaySeconds = 86'400;
constexpr int kDaysMax = 3'650;
constexpr std::size_t kNameSizeMax = 64;  // ub-common-name, RFC 5280 appendix A
constexpr std::string_view kSpiffe = "spiffe://";

struct Validity {
  std::time_t not_before;
  std::time_t not_after;
};

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_dns_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

Result<void> check_name(std::string_view name) {
  const bool printable = std::ranges::all_of(name, [](char c) { return c >= ' ' && c < 0x7f; });
  if (name.empty() || name.size() > kNameSizeMax || !printable) {
    return fail({ErrorCode::invalid_argument, "common name is not 1 to 64 printable characters"});
  }
  return {};
}

Result<Validity> validity(const Clock& clock, std::int64_t days) {
  if (days < 1 || days > kDaysMax) {
    return fail({ErrorCode::invalid_argument, "a certificate is valid for 1 to 3650 days"});
  }
  const std::int64_t now = clock.now_us() / 1'000'000;
  return Validity{now - kBackdateSeconds, now + days * kDaySeconds};
}

Result<void> check_request(const CertificateRequest& request) {
  SR_CHECK_OK(check_name(request.common_name));
  if (!request.server && !request.client) {
    return fail({ErrorCode::invalid_argument, "a certificate is for a server, a client or both"});
  }
  if (request.spiffe_uri.empty() && request.dns_names.empty() && request.ip_addresses.empty()) {
    return fail({ErrorCode::invalid_argument, "a certificate names a URI, a host or an address"});
  }
  const std::string& uri = request.spiffe_uri;
  if (!uri.empty() &&
      (!uri.starts_with(kSpiffe) || uri.size() == kSpiffe.size() || !is_printable(uri))) {
    return fail({ErrorCode::invalid_argument, "not a SPIFFE URI"});
  }
  if (!std::ranges::all_of(request.dns_names, is_dns_name)) {
    return fail({ErrorCode::invalid_argument, "not a DNS name in lower case"});
  }
  return {};
}

openssl::KeyPtr new_key() {
  openssl::KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  SR_CHECK(key != nullptr);
  return key;
}

// 126 random bits, always 16 octets and positive (RFC 5280 section 4.1.2.2 wants no more than 20).
void set_serial(X509* certificate, Random& random) {
  std::array<std::byte, 16> serial;
  random.fill(serial);
  serial[0] = (serial[0] & std::byte{0x3f}) | std::byte{0x40};
  const openssl::BignumPtr number(
      BN_bin2bn(openssl::data(serial), static_cast<int>(serial.size()), nullptr));
  SR_CHECK(number != nullptr);
  SR_CHECK(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

void set_validity(X509* certificate, Validity valid) {
  SR_CHECK(ASN1_TIME_set(X509_getm_notBefore(certificate), valid.not_before) != nullptr);
  SR_CHECK(ASN1_TIME_set(X509_getm_notAfter(certificate), valid.not_after) != nullptr);
}

// For how many days it was issued, rounded down.
std::int64_t days_of(const X509& certificate) {
  int days = 0, seconds = 0;
  const bool known = ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(&certificate),
                                    X509_get0_notAfter(&certificate)) == 1;
  return known ? days : 0;
}

openssl::X509Ptr new_certificate(std::string_view common_name, Validity valid, EVP_PKEY* key,
                                 Random& random) {
  openssl::X509Ptr certificate(X509_new());
  SR_CHECK(certificate != nullptr);
  SR_CHECK(X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  set_serial(certificate.get(), random);
  set_validity(certificate.get(), valid);
  SR_CHECK(X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate.get()), NID_commonName,
                                      MBSTRING_ASC, openssl::data(as_bytes(common_name)),
                                      static_cast<int>(common_name.size()), -1, 0) == 1);
  SR_CHECK(X509_set_pubkey(certificate.get(), key) == 1);
  return certificate;
}

// `value` is OpenSSL's configuration syntax (x509v3_config(5)); literals only, never text from
// outside.
void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const openssl::ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  SR_CHECK(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void add_key_identifiers(X509* leaf, X509* issuer) {
  add_extension(leaf, issuer, NID_subject_key_identifier, "hash");
  add_extension(leaf, issuer, NID_authority_key_identifier, "keyid:always");
}

void push_name(GENERAL_NAMES* names, int type, ASN1_STRING* owned) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  SR_CHECK(name != nullptr);
  GENERAL_NAME_set0_value(name, type, owned);
  SR_CHECK(sk_GENERAL_NAME_push(names, name) > 0);
}

void push_text(GENERAL_NAMES* names, int type, std::string_view text) {
  ASN1_STRING* value = ASN1_STRING_type_new(V_ASN1_IA5STRING);
  SR_CHECK(value != nullptr);
  SR_CHECK(ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1);
  push_name(names, type, value);
}

Result<void> add_alternative_names(X509* certificate, const CertificateRequest& request) {
  const openssl::GeneralNamesPtr names(GENERAL_NAMES_new());
  SR_CHECK(names != nullptr);
  if (!request.spiffe_uri.empty()) push_text(names.get(), GEN_URI, request.spiffe_uri);
  for (const std::string& name : request.dns_names) push_text(names.get(), GEN_DNS, name);
  for (const std::string& text : request.ip_addresses) {
    ASN1_OCTET_STRING* address = a2i_IPADDRESS(text.c_str());
    if (address == nullptr) {
      return openssl::fail_clean({ErrorCode::invalid_argument, "not an IP address"});
    }
    push_name(names.get(), GEN_IPADD, address);
  }
  SR_CHECK(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0,
                             X509V3_ADD_DEFAULT) == 1);
  return {};
}

const char* extended_uses(const CertificateRequest& request) {
  if (!request.client) return "serverAuth";
  return request.server ? "serverAuth,clientAuth" : "clientAuth";
}

Result<IssuedCertificate> sign(X509* certificate, EVP_PKEY* key, EVP_PKEY* issuer_key) {
  SR_CHECK(X509_sign(certificate, issuer_key, openssl::sha_256()) > 0);
  SR_TRY(SecretBytes key_pem, pem::private_key_text(*key));
  return IssuedCertificate{pem::certificate_text(*certificate), std::move(key_pem)};
}

bool is_signed_by(X509& certificate, const X509& authority) {
  EVP_PKEY* key = X509_get0_pubkey(&authority);
  const bool is = key != nullptr && X509_verify(&certificate, key) == 1;
  ERR_clear_error();  // "no" leaves an error behind
  return is;
}

struct Authority {
  openssl::X509Ptr certificate;
  openssl::KeyPtr key;

  [[nodiscard]] bool outlives(Validity valid) const {
    return ASN1_TIME_cmp_time_t(X509_get0_notAfter(certificate.get()), valid.not_after) >= 0;
  }
};
constexpr Error kOutlived{ErrorCode::conflict, "the certificate would outlive its CA"};

Result<Authority> parse_authority(const IssuedCertificate& issued) {
  SR_TRY(openssl::X509Ptr certificate, pem::parse_certificate(issued.certificate_pem));
  SR_TRY(openssl::KeyPtr key, pem::parse_private_key(issued.key_pem));
  const bool fits = X509_check_ca(certificate.get()) == 1 &&
                    X509_check_private_key(certificate.get(), key.get()) == 1;
  if (!fits) {
    return openssl::fail_clean({ErrorCode::invalid_argument, "not a CA certificate with its key"});
  }
  return Authority{std::move(certificate), std::move(key)};
}

}  // namespace

Result<IssuedCertificate> make_certificate_authority(std::string_view common_name, Random& random,
                                                     const Clock& clock, int days) {
  SR_CHECK_OK(check_name(common_name));
  SR_TRY(const Validity valid, validity(clock, days));
  const openssl::KeyPtr key = new_key();
  const openssl::X509Ptr certificate = new_certificate(common_name, valid, key.get(), random);
  X509* const self = certificate.get();
  SR_CHECK(X509_set_issuer_name(self, X509_get_subject_name(self)) == 1);
  add_extension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(self, self, NID_subject_key_identifier, "hash");
  return sign(self, key.get(), key.get());
}

Result<IssuedCertificate> issue_certificate(const IssuedCertificate& authority,
                                            const CertificateRequest& request, Random& random,
                                            const Clock& clock) {
  SR_CHECK_OK(check_request(request));
  SR_TRY(const Validity valid, validity(clock, request.days));
  SR_TRY(const Authority issuer, parse_authority(authority));
  if (!issuer.outlives(valid)) return fail(kOutlived);
  X509* const issuing = issuer.certificate.get();
  const openssl::KeyPtr key = new_key();
  const openssl::X509Ptr leaf = new_certificate(request.common_name, valid, key.get(), random);
  SR_CHECK(X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuing)) == 1);
  add_extension(leaf.get(), issuing, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(leaf.get(), issuing, NID_key_usage, "critical,digitalSignature");
  add_extension(leaf.get(), issuing, NID_ext_key_usage, extended_uses(request));
  add_key_identifiers(leaf.get(), issuing);
  SR_CHECK_OK(add_alternative_names(leaf.get(), request));
  return sign(leaf.get(), key.get(), issuer.key.get());
}

Result<IssuedCertificate> renew_certificate(const IssuedCertificate& authority,
                                            std::string_view pem, Random& random,
                                            const Clock& clock) {
  SR_TRY(const Authority issuer, parse_authority(authority));
  SR_TRY(const openssl::X509Ptr leaf, pem::parse_certificate(pem));
  if (X509_check_ca(leaf.get()) != 0 || !is_signed_by(*leaf, *issuer.certificate)) {
    return openssl::fail_clean({ErrorCode::invalid_argument, "not a leaf of this CA"});
  }
  SR_TRY(const Validity valid, validity(clock, days_of(*leaf)));
  if (!issuer.outlives(valid)) return fail(kOutlived);
  const openssl::KeyPtr key = new_key();
  set_serial(leaf.get(), random);
  set_validity(leaf.get(), valid);
  SR_CHECK(X509_set_pubkey(leaf.get(), key.get()) == 1);
  for (const int nid : {NID_subject_key_identifier, NID_authority_key_identifier}) {
    X509_EXTENSION_free(X509_delete_ext(leaf.get(), X509_get_ext_by_NID(leaf.get(), nid, -1)));
  }
  add_key_identifiers(leaf.get(), issuer.certificate.get());
  return sign(leaf.get(), key.get(), issuer.key.get());
}

bool is_signed_by(std::string_view pem, std::string_view authority_pem) {
  const auto certificate = pem::parse_certificate(pem);
  const auto authority = pem::parse_certificate(authority_pem);
  return certificate && authority && is_signed_by(**certificate, **authority);
}

bool is_pair(std::string_view pem, const SecretBytes& key_pem) {
  const auto certificate = pem::parse_certificate(pem);
  const auto key = pem::parse_private_key(key_pem);
  const bool pair =
      certificate && key && X509_check_private_key(certificate->get(), key->get()) == 1;
  ERR_clear_error();  // "no" leaves an error behind
  return pair;
}

}  // namespace strongroom::crypto
