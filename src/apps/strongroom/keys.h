// keys: what vaultd's keys are and have done, and their rotation. Commands to vaultd.
#pragma once

#include <boost/json/object.hpp>
#include <expected>
#include <string>
#include <string_view>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct KeyOptions {
  std::string key;       // "pan-encryption", or "pan-encryption/2"
  bool no_wait = false;  // end as soon as the rotation has begun
  std::string output;    // file for the document; empty: standard output
};

// Every version of every key, and which vaultd has it.
int list_keys(const Context& context);
// One version.
int show_key(const Context& context, const KeyOptions& options);
// Begins a rotation, and waits until the new version is active. kCheckFailed: it is not yet; it
// becomes so by itself.
int rotate_key(const Context& context, const KeyOptions& options);
// The same for another command: the new version, or the status after the reason was printed.
std::expected<boost::json::object, int> rotate_and_wait(const Context& context,
                                                        const std::string& name);
// "/v1/keys/pan-encryption/2" of "pan-encryption/2"; the status after the reason was printed, of
// what no key's name may be.
std::expected<std::string, int> path_of_key(const std::string& key);
// The same of a version, as `command` takes it.
std::expected<std::string, int> path_of_version(const std::string& key, std::string_view command);
// Compares registry and HSM. kCheckFailed: they do not agree, or the registry was altered.
int check_keys(const Context& context);

}  // namespace strongroom::tool
