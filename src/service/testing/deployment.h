// A deployment's folder with the common part of strongroom.toml, for tests of the scaffold.
#pragma once

#include <sys/stat.h>

#include <fstream>
#include <string>
#include <string_view>

#include "base/try.h"
#include "support/temporary_directory.h"

namespace strongroom::service::testing {

class TestDeployment {
 public:
  explicit TestDeployment(std::string_view sections = "", std::string_view profile = "demo") {
    SR_CHECK(::mkdir(path("run").c_str(), 0700) == 0);
    SR_CHECK(::mkdir(path("etc").c_str(), 0700) == 0);
    write("etc/strongroom.toml", std::string("[deployment]\nprofile = \"") + std::string(profile) +
                                     "\"\ntrust_domain = \"test\"\n[tls]\nca = \"ca.crt\"\n"
                                     "[tickets]\npublic_keys = \"tickets.pub\"\n" +
                                     std::string(sections));
  }
  [[nodiscard]] std::string path(std::string_view name) const {
    return (folder_.path() / name).string();
  }
  [[nodiscard]] std::string config() const { return path("etc/strongroom.toml"); }
  void write(std::string_view name, std::string_view text, mode_t mode = 0600) const {
    std::ofstream(path(name)) << text;
    SR_CHECK(::chmod(path(name).c_str(), mode) == 0);
  }

 private:
  test::TemporaryDirectory folder_;
};

}  // namespace strongroom::service::testing
