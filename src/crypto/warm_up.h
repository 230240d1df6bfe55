// What OpenSSL loads late: its configuration file, providers, algorithms, the generator's seed.
#pragma once

namespace strongroom::crypto {

// Loads all of it. A daemon calls this before it enters its sandbox, after
// install_wiping_allocator: afterwards this module opens no file. Thread-safe; aborts where the
// default provider is missing.
void warm_up();

}  // namespace strongroom::crypto
