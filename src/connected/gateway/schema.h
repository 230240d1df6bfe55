// The core database: payments, attempts, connector accounts.
#pragma once

#include <span>

#include "storage/migrations.h"

namespace strongroom::connected::gateway {

[[nodiscard]] std::span<const storage::Migration> migrations() noexcept;

}  // namespace strongroom::connected::gateway
