#include "sandbox/probe.h"

#include <fstream>

#include "sandbox/child_for_test.h"
#include "sandbox/sandbox.h"

namespace strongroom::sandbox {
namespace {

class ProbeTest : public SandboxFixture {
 protected:
  ProbePlan plan() const {
    return {.unlisted_file = folder_ / "file",
            .unlisted_folder = folder_.path(),
            .unlisted_connect_port = listener_.port(),
            .unlisted_bind_port = free_port(),
            .other_process = ::getpid()};
  }
  void SetUp() override {
    SandboxFixture::SetUp();
    std::ofstream(folder_ / "file") << "x";
  }
  TemporaryFolder folder_;
  Listener listener_;
};

TEST_F(ProbeTest, EverythingIsDeniedInside) {
  EXPECT_EQ(in_child([plan = plan()](Findings& findings) {
              Rights rights;
              rights.connect_ports = {1};
              findings.expect(enter(rights).has_value(), "enter");
              const auto results = probe_forbidden(plan);
              findings.expect(results.size() == 16, "number of probes");
              for (const auto& [name, denied, error] : results) {
                errno = error;
                findings.expect(denied, std::string(name));
              }
            }),
            "");
}

// The negative control: a probe that cannot tell would be denied here, too. Four things a host or a
// container may deny by itself.
TEST_F(ProbeTest, NothingIsDeniedOutside) {
  EXPECT_EQ(in_child([plan = plan()](Findings& findings) {
              for (const auto& [name, denied, error] : probe_forbidden(plan)) {
                const bool up_to_host = name == "read_etc_shadow" ||
                                        name == "read_init_environment" ||
                                        name == "open_io_uring" || name == "read_keyring";
                if (up_to_host) continue;
                errno = error;
                findings.expect(!denied, std::string(name));
              }
            }),
            "");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
}

}  // namespace
}  // namespace strongroom::sandbox
