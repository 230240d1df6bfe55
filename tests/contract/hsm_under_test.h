// HsmUnderTest: one PKCS#11 implementation with a fresh token, for the contract suite. The two
// share no code: SoftHSM2 (on OpenSSL) and NSS softokn (on freebl).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/secret.h"
#include "pkcs11/token.h"

namespace strongroom::test {

class HsmUnderTest {
 public:
  virtual ~HsmUnderTest() = default;
  [[nodiscard]] virtual std::filesystem::path module_path() const = 0;
  [[nodiscard]] virtual pkcs11::ModuleOptions options() const = 0;
  [[nodiscard]] virtual std::string label() const = 0;
  [[nodiscard]] virtual std::string pin() const = 0;
};

inline constexpr std::string_view kSoftHsm = "SoftHsm";
inline constexpr std::string_view kNss = "Nss";

// The implementation `name` with a token of its own; nullptr when this machine lacks it.
[[nodiscard]] std::unique_ptr<HsmUnderTest> make_hsm(std::string_view name);

}  // namespace strongroom::test
