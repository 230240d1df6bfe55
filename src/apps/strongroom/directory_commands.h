// merchants and api-keys: operators' commands, carried out by authd.
#pragma once

#include <string>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

// Each prints authd's answer and gives the exit status.
int create_merchant(const Context& context, const std::string& name);
int list_merchants(const Context& context);
// The key's text is printed here and never again.
int create_api_key(const Context& context, const std::string& merchant, const std::string& name,
                   const std::string& role);
int list_api_keys(const Context& context, const std::string& merchant);
int revoke_api_key(const Context& context, const std::string& id);

}  // namespace strongroom::tool
