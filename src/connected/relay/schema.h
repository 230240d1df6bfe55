// The search index's database.
#pragma once

#include <span>

#include "storage/migrations.h"

namespace strongroom::connected::relay {

[[nodiscard]] std::span<const storage::Migration> migrations() noexcept;

}  // namespace strongroom::connected::relay
