// Parsed: what a parser of a message gives, for headers that name no JSON.
#pragma once

#include <expected>

#include "wire/problem.h"

namespace strongroom::wire {

template <class T>
using Parsed = std::expected<T, Problem>;

}  // namespace strongroom::wire
