// Making and loading the ticket key.
#include "connected/auth/ticket_key.h"

#include <sys/stat.h>

#include <utility>

#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "crypto/sealed_file.h"
#include "crypto/signer.h"

namespace strongroom::connected::auth {
namespace {

constexpr std::string_view kPurpose = "ticket";
constexpr std::size_t kKidHashBytes = 8;
constexpr std::size_t kPublicFileBytesMax = 64 * 1024;
constexpr mode_t kReadableByAll = 0644;

// Named by its public half, the key needs no register of names.
Result<http::TicketSigner> signer_of(SecretBytes seed) {
  SR_TRY(const crypto::Ed25519Signer key, crypto::Ed25519Signer::from_seed(seed));
  const crypto::Sha256Digest digest = crypto::sha256(key.public_key());
  return http::TicketSigner::create(std::move(seed), hex(std::span(digest).first(kKidHashBytes)));
}

bool exists(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0;
}

// Adds `line` to the public file unless it is there; older keys' lines verify older tickets.
Result<void> publish(const std::string& path, const std::string& line) {
  std::string lines;
  if (exists(path)) {
    SR_TRY(lines, read_file(path, kPublicFileBytesMax));
    if (lines.contains(line)) return {};
  }
  lines += line + "\n";
  return write_file_durable(path, as_bytes(lines), kReadableByAll);
}

}  // namespace

Result<void> make_ticket_key(const TicketKeyFiles& files, const SecretBytes& passphrase,
                             crypto::Random& random) {
  if (!exists(files.sealed_path)) {
    SR_TRY(const SecretBytes seed, crypto::random_secret(random, crypto::Ed25519Signer::kSeedSize));
    SR_CHECK_OK(crypto::write_sealed_file(files.sealed_path, seed, passphrase, kPurpose));
  }
  SR_TRY(const http::TicketSigner signer, load_ticket_signer(files.sealed_path, passphrase));
  return publish(files.public_path, signer.public_key_line());
}

Result<http::TicketSigner> load_ticket_signer(const std::string& sealed_path,
                                              const SecretBytes& passphrase) {
  SR_TRY(SecretBytes seed, crypto::read_sealed_file(sealed_path, passphrase, kPurpose));
  return signer_of(std::move(seed));
}

}  // namespace strongroom::connected::auth
