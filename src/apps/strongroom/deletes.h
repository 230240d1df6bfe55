// `strongroom deletes`: deletes above their budget, which wait for an operator.
#pragma once

#include <string>
#include <string_view>

#include "apps/strongroom/context.h"

namespace strongroom::tool {

struct ChosenDeletes {
  std::string merchant;
  std::string key;  // empty: all its keys
};

// What waits, by merchant and key.
int list_deletes(const Context& context);
// `decision` is release or refuse.
int decide_deletes(const Context& context, std::string_view decision, const ChosenDeletes& chosen);

}  // namespace strongroom::tool
