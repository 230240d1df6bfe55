// TemporarySoftHsm: a SoftHSM2 token of its own for one test, and what it takes to open it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "support/temporary_directory.h"

namespace strongroom::test {

// SoftHSM finds its configuration through the environment, so one TemporarySoftHsm is in force at a
// time: the one made last. The module itself is not loaded while the constructor is not running.
class TemporarySoftHsm {
 public:
  static constexpr std::string_view kLabel = "strongroom-test";
  static constexpr std::string_view kPin = "test-user-pin";
  static constexpr std::string_view kSoPin = "test-so-pin";

  // Where Debian puts the module.
  [[nodiscard]] static std::filesystem::path module_path();
  [[nodiscard]] static bool available();

  // Makes the token; aborts when it cannot. REQUIRES: available(), and the module not loaded.
  TemporarySoftHsm();

  [[nodiscard]] const std::filesystem::path& directory() const noexcept {
    return directory_.path();
  }
  [[nodiscard]] std::filesystem::path configuration() const {
    return directory() / "softhsm2.conf";
  }
  // Sets SOFTHSM2_CONF to this token's configuration again.
  void use() const;

 private:
  TemporaryDirectory directory_;
};

// A copy of `text` as a secret, for PINs of tests.
[[nodiscard]] SecretBytes secret_of(std::string_view text);

}  // namespace strongroom::test
