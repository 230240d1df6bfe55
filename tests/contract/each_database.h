// OnEachDatabase: a fixture of the vault's tests on SQLite ("sqlite") and PostgreSQL ("unix").
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "contract/database_fixture.h"

namespace strongroom::cde {

// Empty: a SQLite file of the fixture's.
inline std::string database_url(std::string_view kind) {
  if (kind == "sqlite" || storage::postgres_server() == nullptr) return {};
  return storage::postgres_schema_url(false);
}

template <class Fixture>
class OnEachDatabase : public Fixture, public ::testing::WithParamInterface<const char*> {
 protected:
  OnEachDatabase() : Fixture(database_url(GetParam())) {}
  void SetUp() override {
    const bool without = GetParam() != std::string_view("sqlite") && !storage::postgres_server();
    if (without) GTEST_SKIP() << "PostgreSQL is not installed";
  }
};

}  // namespace strongroom::cde
