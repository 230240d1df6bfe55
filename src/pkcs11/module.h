// Module: one C_Initialize..C_Finalize run of a PKCS#11 library (OASIS PKCS#11 2.40), and what it
// says of itself and its slots. The library is foreign code in our process: load it once, before
// threads start, never fork() while it runs, and stop every thread that may be inside it before it
// is finalized.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

// CK_FUNCTION_LIST of the standard, under the name that p11-kit's header gives it.
extern "C" struct _CK_FUNCTION_LIST;  // NOLINT(bugprone-reserved-identifier)

namespace strongroom::pkcs11 {

// Numbers of the mechanisms that this module uses: settings, because vendors differ. The defaults
// are those of PKCS#11 2.40.
struct Mechanisms {
  std::uint64_t aes_key_gen = 0x1080;
  std::uint64_t generic_secret_key_gen = 0x350;
  std::uint64_t aes_gcm = 0x1087;
  std::uint64_t aes_ecb = 0x1081;  // check values only
  std::uint64_t sha256_hmac = 0x251;
};

struct ModuleOptions {
  // Parameters of NSS softokn ("configdir='sql:DIR' ..."); it takes them where the standard
  // reserves a NULL. Empty for every other module.
  std::string nss_parameters;
  Mechanisms mechanisms;
};

// ModuleInfo and TokenInfo are for evidence and for checks of assurance. Texts come from the
// module: blanks at the end are cut off, bytes outside printable ASCII are shown as '?'.
struct ModuleInfo {
  std::string manufacturer;
  std::string description;
  std::string library_version;   // "2.6"
  std::string cryptoki_version;  // "2.40"
};

struct TokenInfo {
  std::string label;
  std::string manufacturer;
  std::string model;
  std::string serial;
  std::string hardware_version;
  std::string firmware_version;
  bool initialized = false;    // C_InitToken was done
  bool user_pin_set = false;   // C_InitPIN was done
  bool pin_final_try = false;  // one more wrong user PIN locks it
  bool pin_locked = false;
};

// SlotId is a CK_SLOT_ID: valid for one run of the module, so never stored.
using SlotId = std::uint64_t;

struct Slot {
  SlotId id;
  TokenInfo token;
};

// Module is thread-safe. It outlives every Token of it; destroying it earlier aborts.
class Module {
 public:
  static constexpr std::size_t kSlotsMax = 1024;

  // Loads the library at `path` and initializes it. The library stays mapped until the process
  // ends. Errors: not_found (no such file), invalid_argument (not a PKCS#11 library, or refused
  // parameters), conflict (already initialized in this process), unavailable (the library could not
  // start).
  [[nodiscard]] static Result<std::unique_ptr<Module>> load(const std::filesystem::path& path,
                                                            ModuleOptions options = {});
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  ~Module();  // C_Finalize

  [[nodiscard]] const ModuleInfo& info() const noexcept { return info_; }
  [[nodiscard]] const Mechanisms& mechanisms() const noexcept { return options_.mechanisms; }

  // Slots that hold a token, also one not yet initialized. exhausted: more than kSlotsMax.
  [[nodiscard]] Result<std::vector<Slot>> slots() const;
  // The one slot whose initialized token is named `label`: not_found, conflict (several).
  [[nodiscard]] Result<Slot> find_token(std::string_view label) const;
  [[nodiscard]] Result<TokenInfo> token_info(SlotId slot) const;

  // The C functions; for src/pkcs11 itself.
  [[nodiscard]] const _CK_FUNCTION_LIST& functions() const noexcept { return *functions_; }

 private:
  friend class Token;
  Module(const _CK_FUNCTION_LIST& functions, ModuleOptions options);
  [[nodiscard]] Result<void> initialize();

  const _CK_FUNCTION_LIST* functions_;
  ModuleOptions options_;  // NSS may keep a pointer to its parameters
  ModuleInfo info_;
  std::atomic<int> tokens_ = 0;
  bool initialized_ = false;
};

}  // namespace strongroom::pkcs11
