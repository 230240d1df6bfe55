#include "support/softhsm.h"

#include <cstdlib>
#include <fstream>

#include "base/encoding.h"
#include "base/try.h"
#include "pkcs11/token.h"

namespace strongroom::test {

SecretBytes secret_of(std::string_view text) {
  auto secret = SecretBytes::copy_of(as_bytes(text));
  SR_CHECK(secret);
  return *std::move(secret);
}

std::filesystem::path TemporarySoftHsm::module_path() { return "/usr/lib/softhsm/libsofthsm2.so"; }

bool TemporarySoftHsm::available() { return std::filesystem::exists(module_path()); }

void TemporarySoftHsm::use() const {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): tests make their token before they start threads
  SR_CHECK(::setenv("SOFTHSM2_CONF", configuration().c_str(), 1) == 0);
}

TemporarySoftHsm::TemporarySoftHsm() {
  const std::filesystem::path tokens = directory() / "tokens";
  SR_CHECK(std::filesystem::create_directory(tokens));
  std::ofstream(configuration()) << "directories.tokendir = " << tokens.string() << "\n"
                                 << "objectstore.backend = file\n"
                                 << "log.level = ERROR\n"
                                 << "slots.removable = false\n"
                                 << "slots.mechanisms = CKM_AES_KEY_GEN,CKM_GENERIC_SECRET_KEY_GEN,"
                                    "CKM_AES_GCM,CKM_AES_ECB,CKM_SHA256_HMAC\n";  // as init's
  use();
  auto module = pkcs11::Module::load(module_path());
  SR_CHECK(module);
  const auto slots = (*module)->slots();
  SR_CHECK(slots && slots->size() == 1);
  SR_CHECK(pkcs11::Token::initialize(**module, slots->front().id, kLabel, secret_of(kSoPin),
                                     secret_of(kPin)));
}

}  // namespace strongroom::test
