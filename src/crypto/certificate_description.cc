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

Result<std::int64_t> time_us(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    return openssl::fail_clean({ErrorCode::invalid_argument, "certificate without its times"});
  }
  return std::int64_t{::timegm(&parts)} * 1'000'000;
}

}  // namespace

Result<CertificateDescription> describe_certificate(std::string_view pem) {
  SR_TRY(const openssl::X509Ptr certificate, pem::parse_certificate(pem));
  SR_TRY(const std::int64_t not_before_us, time_us(X509_get0_notBefore(certificate.get())));
  SR_TRY(const std::int64_t not_after_us, time_us(X509_get0_notAfter(certificate.get())));
  CertificateDescription description{.subject = subject_text(certificate.get()),
                                     .spiffe = spiffe_text(certificate.get()),
                                     .not_before_us = not_before_us,
                                     .not_after_us = not_after_us,
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
