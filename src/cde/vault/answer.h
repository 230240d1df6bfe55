// Answer: what a call gives that a client waits for.
#pragma once

#include <expected>

#include "wire/problem.h"

namespace strongroom::cde {

template <class T>
using Answer = std::expected<T, wire::Problem>;

}  // namespace strongroom::cde
