// Making and loading the key `connector-seal`.
#include "cde/connectors/seal_key.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "crypto/sealed_file.h"

namespace strongroom::cde {
namespace {

constexpr std::string_view kPurpose = "connector-seal";
constexpr std::size_t kVersionSize = 4;
constexpr std::size_t kRecordSize = kVersionSize + crypto::Aead::kKeySize;
constexpr std::array<std::byte, kVersionSize> kVersion1{{{}, {}, {}, std::byte{1}}};

bool exists(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0;
}

}  // namespace

Result<void> make_seal_key(const std::string& path, const SecretBytes& passphrase,
                           crypto::Random& random) {
  if (exists(path)) return {};
  SR_TRY(SecretBytes record, SecretBytes::allocate(kRecordSize));
  std::ranges::copy(kVersion1, record.reveal().begin());
  random.fill(record.reveal().subspan(kVersionSize));
  return crypto::write_sealed_file(path, record, passphrase, kPurpose);
}

Result<SealKeys> load_seal_keys(const std::string& path, const SecretBytes& passphrase) {
  SR_TRY(const SecretBytes file, crypto::read_sealed_file(path, passphrase, kPurpose));
  std::span<const std::byte> rest = file.reveal();
  if (rest.empty() || rest.size() % kRecordSize != 0 ||
      rest.size() > kSealKeyVersionsMax * kRecordSize) {
    return fail({ErrorCode::corrupt, "the sealed file holds no connector-seal keys"});
  }
  SealKeys keys;
  for (; !rest.empty(); rest = rest.subspan(kRecordSize)) {
    SR_TRY(SecretBytes key,
           SecretBytes::copy_of(rest.subspan(kVersionSize, crypto::Aead::kKeySize)));
    SR_TRY(crypto::Aead aead, crypto::Aead::create(std::move(key), read_u32be(rest)));
    if (!keys.empty() && keys.back().key_version() <= aead.key_version()) {
      return fail({ErrorCode::corrupt, "connector-seal keys are out of order"});
    }
    keys.push_back(std::move(aead));
  }
  return keys;
}

}  // namespace strongroom::cde
