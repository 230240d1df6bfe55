#include "storage/postgres_settings.h"

#include <gtest/gtest.h>

namespace strongroom::storage {
namespace {

Result<std::vector<PostgresSettings>> settings_of(std::string url,
                                                  PostgresAccess access = PostgresAccess::write) {
  Options options;
  options.url = std::move(url);
  options.statement_timeout = std::chrono::milliseconds(700);
  return postgres_settings(options, access);
}

TEST(PostgresSettingsTest, RefusedUrls) {
  struct Case {
    const char* url;
    std::string_view what;
  };
  constexpr std::string_view kNoTls = "TLS required: database URL lacks sslmode=verify-full";
  constexpr std::string_view kOtherNumbers =
      "database URL names other numbers of hosts, addresses and ports";
  const Case kCases[] = {
      {"mysql://localhost/vault", "database URL is not understood"},
      {"postgresql://localhost/vault?nonsense=1", "database URL is not understood"},
      {"postgresql://localhost/vault?service=x&sslmode=verify-full",
       "database URL may not name a service"},
      {"postgresql:///vault", "database URL names no host"},
      {"postgresql://localhost/vault", kNoTls},
      {"postgresql://localhost/vault?sslmode=require", kNoTls},
      {"postgresql://localhost/vault?sslmode=verify-ca", kNoTls},
      {"postgresql:///vault?host=/run/postgresql&hostaddr=10.0.0.1", kNoTls},
      {"postgresql:///vault?host=/run/postgresql,db.internal", kNoTls},
      {"postgresql:///vault?host=/run/postgresql,", kNoTls},
      {"postgresql:///vault?host=/run/a,/run/b,/run/c&port=1,2", kOtherNumbers},
      {"postgresql:///vault?host=/run/a,/run/b&hostaddr=10.0.0.1", kOtherNumbers},
      {"postgresql:///vault?host=/run/a&port=1,2", kOtherNumbers},
  };
  for (const auto& [url, what] : kCases) {
    const auto refused = settings_of(url);
    ASSERT_FALSE(refused.has_value()) << url;
    EXPECT_EQ(refused.error().code(), ErrorCode::invalid_argument);
    EXPECT_EQ(refused.error().what(), what) << url;
  }
}

TEST(PostgresSettingsTest, AcceptedUrlsStillVerifyTheServer) {
  for (const char* url : {"postgresql://127.0.0.1:5433/vault?sslmode=verify-full",
                          "postgresql:///vault?host=/run/postgresql",
                          "postgresql:///vault?host=/run/a,/run/b&sslmode=disable"}) {
    const auto settings = settings_of(url);
    ASSERT_TRUE(settings.has_value()) << url;
    for (const PostgresSettings& server : *settings) {
      EXPECT_EQ(server.at("sslmode"), "verify-full");
      EXPECT_EQ(server.at("gssencmode"), "disable");
      EXPECT_EQ(server.at("ssl_min_protocol_version"), "TLSv1.3");
      EXPECT_EQ(server.at("target_session_attrs"), "primary");
      EXPECT_EQ(server.at("dbname"), "vault");
    }
  }
}

TEST(PostgresSettingsTest, EachServerOfTheUrlInItsOrder) {
  const auto servers = settings_of(
      "postgresql://127.0.0.1:5433,127.0.0.2:5434/vault?sslmode=verify-full"
      "&target_session_attrs=read-write");
  ASSERT_EQ(servers->size(), 2U);
  EXPECT_EQ(servers->at(0).at("host"), "127.0.0.1");
  EXPECT_EQ(servers->at(0).at("port"), "5433");
  EXPECT_EQ(servers->at(1).at("host"), "127.0.0.2");
  EXPECT_EQ(servers->at(1).at("port"), "5434");
  EXPECT_EQ(servers->at(1).at("target_session_attrs"), "primary");
}

TEST(PostgresSettingsTest, OnePortGoesForAllServers) {
  const auto servers = settings_of(
      "postgresql:///vault?host=a,b&hostaddr=10.0.0.1,10.0.0.2&port=5433&sslmode=verify-full");
  ASSERT_EQ(servers->size(), 2U);
  EXPECT_EQ(servers->at(0).at("port"), "5433");
  EXPECT_EQ(servers->at(1).at("port"), "5433");
  EXPECT_EQ(servers->at(1).at("host"), "b");
  EXPECT_EQ(servers->at(1).at("hostaddr"), "10.0.0.2");
}

TEST(PostgresSettingsTest, UrlCannotWeakenTheContract) {
  const std::string url =
      "postgresql:///vault?host=/run/a&options=-csynchronous_commit%3Doff%20-csearch_path%3Dx";
  const auto writing = settings_of(url)->front().at("options");
  EXPECT_LT(writing.find("synchronous_commit=off"), writing.find("synchronous_commit=on"));
  EXPECT_NE(writing.find("search_path=x"), std::string::npos);
  EXPECT_NE(writing.find("statement_timeout=700"), std::string::npos);
  EXPECT_NE(writing.find("default_transaction_read_only=off"), std::string::npos);
  const auto reading = settings_of(url, PostgresAccess::read)->front().at("options");
  EXPECT_NE(reading.find("default_transaction_read_only=on"), std::string::npos);
}

}  // namespace
}  // namespace strongroom::storage
