// EXPECT: deleted function '.* strongroom::SecretBytes::reveal\(\) &&'
// The view would outlive the secret, and show whatever lives there next.
#include "base/secret.h"

using strongroom::SecretBytes;

SecretBytes make();

std::size_t named() {
  const SecretBytes secret = make();
  return secret.reveal().size();
}

#ifdef WRONG
std::span<const std::byte> temporary() { return make().reveal(); }
#endif
