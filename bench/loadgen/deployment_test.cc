#include "loadgen/deployment.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace strongroom::bench {
namespace {

std::string write_state(const std::string& text) {
  const std::string path =
      testing::TempDir() + "loadgen_state_" + std::to_string(::getpid()) + ".json";
  std::ofstream(path) << text;
  ::chmod(path.c_str(), 0600);
  return path;
}

TEST(EndpointTest, ParsesHostAndPort) {
  const auto endpoint = parse_endpoint("https://127.0.0.1:8444");
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->host, "127.0.0.1");
  EXPECT_EQ(endpoint->port, 8444);
  EXPECT_EQ(parse_endpoint("https://[::1]:1")->host, "::1");
}

TEST(EndpointTest, RefusesAnythingElse) {
  for (const char* url : {"http://a:1", "https://a", "https://a:", "https://:1", "https://a:0",
                          "https://a:65536", "https://a:1/", ""}) {
    EXPECT_FALSE(parse_endpoint(url)) << url;
  }
}

TEST(DeploymentTest, ReadSaysWhatIsWrong) {
  EXPECT_EQ(read_deployment("/nonexistent").error().code(), ErrorCode::not_found);
  for (const char* text : {"", "[]", "{}", R"({"version":2})", R"({"version":1,"gateway_url":7})",
                           R"({"version":1,"gateway_url":"https://a:1","vault_url":"a"})"}) {
    const std::string path = write_state(text);
    EXPECT_EQ(read_deployment(path).error().code(), ErrorCode::invalid_argument) << text;
    std::filesystem::remove(path);
  }
}

}  // namespace
}  // namespace strongroom::bench
