// keys retire, mark-compromised, destroy: how a version of a key comes out of use, and to its end.
// Commands to vaultd; one that was cut off goes on where it is given again.
#pragma once

#include "apps/strongroom/context.h"
#include "apps/strongroom/keys.h"

namespace strongroom::tool {

// Takes the version out of use, by a rotation where it is active.
int retire_key(const Context& context, const KeyOptions& options);
// Marks it as not to be trusted, after a rotation where it is active.
int mark_key_compromised(const Context& context, const KeyOptions& options);
// Destroys it in the HSM, for good. kCheckFailed: something hinders that, and all of it is told; or
// it is withdrawn and not destroyed yet, which comes by itself.
int destroy_key(const Context& context, const KeyOptions& options);

}  // namespace strongroom::tool
