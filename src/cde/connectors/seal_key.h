// The key `connector-seal` at rest: a sealed file that holds its versions, newest first, as
// `version u32be | key 32 bytes` each (docs/formats/connector-seal.md).
#pragma once

#include <string>

#include "base/result.h"
#include "base/secret.h"
#include "cde/connectors/sealer.h"
#include "crypto/random.h"

namespace strongroom::cde {

inline constexpr std::size_t kSealKeyVersionsMax = 64;

// Makes version 1 in a new file at `path`, unless a file is there; safe to repeat after an
// interruption. Errors as crypto::write_sealed_file.
[[nodiscard]] Result<void> make_seal_key(const std::string& path, const SecretBytes& passphrase,
                                         crypto::Random& random);

// The keys in the file. corrupt: it holds something else; else as crypto::read_sealed_file.
[[nodiscard]] Result<SealKeys> load_seal_keys(const std::string& path,
                                              const SecretBytes& passphrase);

}  // namespace strongroom::cde
