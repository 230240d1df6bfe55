// OpenSSL's memory: session keys, private keys and plaintext pass through it, and it gives most of
// it back to the heap as it is. A process that holds secrets makes it wipe first (design: Memory).
#pragma once

#include "base/result.h"

namespace strongroom::crypto {

// Makes every block that OpenSSL frees or grows out of be overwritten first. Call it first thing in
// main, before any thread. conflict: OpenSSL has allocated already, and nothing is changed.
// (OpenSSL's own "secure heap" is not used: when it is full, handshakes fail.)
[[nodiscard]] Result<void> install_wiping_allocator();

}  // namespace strongroom::crypto
