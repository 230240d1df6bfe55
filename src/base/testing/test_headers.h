// Precompiled for every test program: GoogleTest, which costs more to read than most tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/standard_headers.h"
