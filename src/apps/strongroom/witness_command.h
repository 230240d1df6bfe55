// The commands of a witness: C2SP tlog-witness, served or by carried files.
#pragma once

#include <string>

#include "apps/strongroom/context.h"
#include "apps/strongroom/witness_folder.h"

namespace strongroom::tool {

// Context::directory is the witness's folder in all of them.

// Makes the folder and prints the vkey that logs' operators configure.
int init_witness(const Context& context, const NewWitness& options);
// From now on, also while the witness runs, the log of this key is cosigned.
int add_witnessed_log(const Context& context, const std::string& vkey);
// Serves until SIGTERM or SIGINT; SIGHUP reads the certificate again.
int run_witness(const Context& context);
// Prints the answer to the add-checkpoint request in the file `path`: cosignature lines, or, of a
// log that does not go on from there, the newest checkpoint that it has cosigned, which says more
// than a size; behind either, the newest of each other log of the owner at that place.
// kCheckFailed: any answer but a cosignature. kNotReachable: a state of the witness cannot be read,
// of this log, or of one of the others, after the answer was printed.
int cosign_file(const Context& context, const std::string& path);
// The key, and of each log that it knows the newest checkpoint.
int show_witness(const Context& context);

}  // namespace strongroom::tool
