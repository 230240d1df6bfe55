#include <ctime>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/certificate.h"
#include "crypto/openssl.h"
#include "crypto/pem.h"

namespace strongroom::crypto {
namespace {

std::string subject_text(const X509* certificate) {
  const openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  SR_CHECK(bio != nullptr);
  SR_CHECK(X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >=
           0);
  char* start = nullptr;
  const long size = BIO_ctrl(bio.get(), BIO_CTRL_INFO, 0, static_cast<void*>(&start));
  return size > 0 ? std::string(start, static_cast<std::size_t>(size)) : std::string();
}

// An X.509-SVID has exactly one URI (SPIFFE, X509-SVID section 2); with two, none is the identity.
std::string spiffe_text(const X509* certificate) {
  const openssl::GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string found;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type != GEN_URI) continue;
    if (!found.empty()) return {};
    const auto* text = static_cast<const ASN1_STRING*>(value);
    found.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                 static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return found.starts_with("spiffe://") ? found : std::string();
}

std::string serial_text(const X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  return hex(std::as_bytes(std::span(ASN1_STRING_get0_data(serial),
                                     static_cast<std::size_t>(ASN1_STRING_length(serial)))));
}

}  // namespace

Result<CertificateDescription> describe_certificate(std::string_view pem) {
  SR_TRY(const openssl::X509Ptr certificate, pem::parse_certificate(pem));
  std::tm not_after{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &not_after) != 1) {
    return openssl::fail_clean({ErrorCode::invalid_argument, "certificate without an end"});
  }
  CertificateDescription description{.subject = subject_text(certificate.get()),
                                     .spiffe = spiffe_text(certificate.get()),
                                     .not_after_us = std::int64_t{::timegm(&not_after)} * 1'000'000,
                                     .serial = serial_text(certificate.get())};
  if (const EVP_PKEY* key = X509_get0_pubkey(certificate.get()); key != nullptr) {
    const char* type = EVP_PKEY_get0_type_name(key);
    description.key_type = type != nullptr ? type : "";
    description.key_bits = EVP_PKEY_get_bits(key);
    description.strength_bits = EVP_PKEY_get_security_bits(key);
  }
  ERR_clear_error();  // an extension that does not parse leaves its error behind
  return description;
}

}  // namespace strongroom::crypto
