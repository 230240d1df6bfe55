// Sealed files: a secret at rest under a passphrase, for keys that live in no HSM (ticket and
// column keys, a software audit key). docs/formats/sealed-file.md has the bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace strongroom::crypto {

inline constexpr std::size_t kSealedFileSecretMax = std::size_t{64} << 10;
// PCI DSS 8.3.6 asks twelve characters of people; what setup draws is far longer.
inline constexpr std::size_t kPassphraseSizeMin = 12;

// Replaces the file at `path` by one that holds `secret`, AES-256-GCM under PBKDF2-SHA256 of
// `passphrase` with a fresh salt, readable by its owner only; durable on return, and on failure
// `path` is as it was. `purpose` says what the secret is for, and must be given again to read it.
// invalid_argument: the passphrase is shorter than kPassphraseSizeMin; too_large: the secret is
// above kSealedFileSecretMax; exhausted; and the errors of write_file_durable. Takes about 150 ms:
// never on an io thread.
[[nodiscard]] Result<void> write_sealed_file(const std::string& path, const SecretBytes& secret,
                                             const SecretBytes& passphrase,
                                             std::string_view purpose);

// The secret in the file at `path`. permission_denied: the passphrase or `purpose` is another, or
// the file was altered; corrupt: it is no sealed file of version 1; exhausted; and the errors of
// read_file. As slow as writing, and up to sixteen times slower where the file asks for more
// iterations.
[[nodiscard]] Result<SecretBytes> read_sealed_file(const std::string& path,
                                                   const SecretBytes& passphrase,
                                                   std::string_view purpose);

}  // namespace strongroom::crypto
