#include "hsm_under_test.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "base/try.h"
#include "support/softhsm.h"
#include "support/temporary_directory.h"

namespace strongroom::test {
namespace {

class SoftHsmUnderTest final : public HsmUnderTest {
 public:
  std::filesystem::path module_path() const override { return TemporarySoftHsm::module_path(); }
  pkcs11::ModuleOptions options() const override { return {}; }
  std::string label() const override { return std::string(TemporarySoftHsm::kLabel); }
  std::string pin() const override { return std::string(TemporarySoftHsm::kPin); }

 private:
  TemporarySoftHsm token_;
};

constexpr std::array<const char*, 2> kNssPaths = {"/usr/lib/x86_64-linux-gnu/libsoftokn3.so",
                                                  "/usr/lib/aarch64-linux-gnu/libsoftokn3.so"};
constexpr const char* kCertutil = "/usr/bin/certutil";

std::filesystem::path nss_path() {
  for (const char* path : kNssPaths) {
    if (std::filesystem::exists(path)) return path;
  }
  return {};
}

// softokn has no C_InitToken for a first database: its own tool makes one.
class NssUnderTest final : public HsmUnderTest {
 public:
  NssUnderTest() {
    const std::filesystem::path pin_file = directory_.path() / "pin";
    std::ofstream(pin_file) << pin() << "\n";
    std::string folder = "sql:" + directory_.path().string();
    std::string file = pin_file.string();
    std::string tool = kCertutil;
    std::string make = "-N", in = "-d", with = "-f";
    std::array<char*, 7> arguments = {tool.data(), make.data(), in.data(), folder.data(),
                                      with.data(), file.data(), nullptr};
    pid_t child = 0;
    SR_CHECK(::posix_spawn(&child, kCertutil, nullptr, nullptr, arguments.data(), environ) == 0);
    int status = -1;
    SR_CHECK(::waitpid(child, &status, 0) == child && status == 0);
  }
  std::filesystem::path module_path() const override { return nss_path(); }
  pkcs11::ModuleOptions options() const override {
    return {.nss_parameters = "configdir='sql:" + directory_.path().string() +
                              "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=" +
                              " dbTokenDescription='" + label() + "'",
            .mechanisms = {}};
  }
  std::string label() const override { return "strongroom-nss"; }
  std::string pin() const override { return "test-user-pin"; }

 private:
  TemporaryDirectory directory_;
};

}  // namespace

std::unique_ptr<HsmUnderTest> make_hsm(std::string_view name) {
  if (name == kSoftHsm && TemporarySoftHsm::available())
    return std::make_unique<SoftHsmUnderTest>();
  if (name == kNss && !nss_path().empty() && std::filesystem::exists(kCertutil)) {
    return std::make_unique<NssUnderTest>();
  }
  return nullptr;
}

}  // namespace strongroom::test
