// keys architecture: the description of the cryptographic architecture that PCI DSS 4.0.1 asks a
// service provider to maintain (requirement 3.6.1.1), made of what runs at this moment.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

// Writes it as Markdown (JSON with --json) to the file `output`, or to standard output where that
// is empty. What is not read from the running deployment is called so. kCheckFailed: it is
// written, and says that registry and HSM do not agree.
int write_architecture(const Context& context, const std::string& output);

}  // namespace strongroom::tool
