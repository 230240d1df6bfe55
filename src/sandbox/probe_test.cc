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
            .other_process = ::getpid(),
            .unlisted_socket = neighbor_.path(),
            .unlisted_socket_folder = folder_.path()};
  }
  void SetUp() override {
    SandboxFixture::SetUp();
    std::ofstream(folder_ / "file") << "x";
  }
  TemporaryFolder folder_;
  Listener listener_;
  UnixListener neighbor_{folder_ / "neighbor.sock"};
};

TEST_F(ProbeTest, EverythingIsDeniedInside) {
  EXPECT_EQ(in_child([plan = plan()](Findings& findings) {
              Rights rights;
              rights.connect_ports = {1};
              findings.expect(enter(rights).has_value(), "enter");
              const auto results = probe_forbidden(plan);
              findings.expect(results.size() == 19, "number of probes");
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
  // The file and the neighbor's socket: what a probe made is gone again.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 2);
}

// A process with Unix sockets of its own can connect to its neighbors' by right, and is not asked.
TEST_F(ProbeTest, TriesNoSocketThatThePlanDoesNotName) {
  ProbePlan named = plan();
  named.unlisted_socket.clear();
  EXPECT_EQ(in_child([named](Findings& findings) {
              for (const auto& [name, denied, error] : probe_forbidden(named)) {
                findings.expect(name != "connect_unlisted_socket", std::string(name));
              }
            }),
            "");
}

TEST_F(ProbeTest, SocketsAreMadeInListedFoldersOnly) {
  EXPECT_EQ(in_child([plan = plan()](Findings& findings) {
              Rights rights;
              rights.unix_sockets = true;
              findings.expect(enter(rights).has_value(), "enter");
              for (const auto& [name, denied, error] : probe_forbidden(plan)) {
                errno = error;
                findings.expect(denied == (name != "connect_unlisted_socket"), std::string(name));
              }
            }),
            "");
}

}  // namespace
}  // namespace strongroom::sandbox
