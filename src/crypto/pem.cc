#include "crypto/pem.h"

#include <openssl/pem.h>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::crypto::pem {
namespace {

constexpr std::size_t kTextSizeMax = std::size_t{64} << 10;

// Answers "no passphrase": without a callback OpenSSL asks on the terminal.
int refuse_passphrase(char*, int, int, void*) { return -1; }

openssl::BioPtr reader(std::span<const std::byte> text) {
  openssl::BioPtr bio(BIO_new_mem_buf(openssl::data(text), static_cast<int>(text.size())));
  SR_CHECK(bio != nullptr);
  return bio;
}

openssl::BioPtr writer() {
  openssl::BioPtr bio(BIO_new(BIO_s_mem()));  // wipes its buffer when it grows and when it is freed
  SR_CHECK(bio != nullptr);
  return bio;
}

std::span<const std::byte> written(BIO* bio) {
  char* start = nullptr;
  const long size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, &start);
  SR_CHECK(size > 0);
  return as_bytes({start, static_cast<std::size_t>(size)});
}

}  // namespace

Result<openssl::X509Ptr> parse_certificate(std::string_view text) {
  if (text.size() > kTextSizeMax) return fail({ErrorCode::invalid_argument, "PEM is too long"});
  const openssl::BioPtr bio = reader(as_bytes(text));
  openssl::X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, refuse_passphrase, nullptr));
  const openssl::X509Ptr second(PEM_read_bio_X509(bio.get(), nullptr, refuse_passphrase, nullptr));
  ERR_clear_error();  // the end of the text is an error to the reader
  if (certificate == nullptr || second != nullptr) {
    return fail({ErrorCode::invalid_argument, "not one certificate in PEM"});
  }
  return certificate;
}

Result<openssl::KeyPtr> parse_private_key(const SecretBytes& text) {
  if (text.size() > kTextSizeMax) return fail({ErrorCode::invalid_argument, "PEM is too long"});
  const openssl::BioPtr bio = reader(text.reveal());
  openssl::KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, nullptr));
  if (key == nullptr) {
    return openssl::fail_clean({ErrorCode::invalid_argument, "not a private key in PEM"});
  }
  ERR_clear_error();
  return key;
}

std::string certificate_text(const X509& certificate) {
  const openssl::BioPtr bio = writer();
  SR_CHECK(PEM_write_bio_X509(bio.get(), const_cast<X509*>(&certificate)) == 1);
  return std::string(as_text(written(bio.get())));
}

Result<SecretBytes> private_key_text(const EVP_PKEY& key) {
  const openssl::BioPtr bio = writer();
  SR_CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) ==
           1);
  return SecretBytes::copy_of(written(bio.get()));
}

}  // namespace strongroom::crypto::pem
