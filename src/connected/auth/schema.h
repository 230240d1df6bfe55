// The auth database: merchants and their API keys.
#pragma once

#include <span>

#include "storage/migrations.h"

namespace strongroom::connected::auth {

[[nodiscard]] std::span<const storage::Migration> migrations() noexcept;

}  // namespace strongroom::connected::auth
