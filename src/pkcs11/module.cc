#include "pkcs11/module.h"

#include <dlfcn.h>
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "pkcs11/cryptoki.h"
#include "pkcs11/errors.h"

namespace strongroom::pkcs11 {
namespace {

static_assert(Mechanisms{}.aes_key_gen == CKM_AES_KEY_GEN);
static_assert(Mechanisms{}.generic_secret_key_gen == CKM_GENERIC_SECRET_KEY_GEN);
static_assert(Mechanisms{}.aes_gcm == CKM_AES_GCM);
static_assert(Mechanisms{}.aes_ecb == CKM_AES_ECB);
static_assert(Mechanisms{}.sha256_hmac == CKM_SHA256_HMAC);

// CK_C_INITIALIZE_ARGS as NSS softokn has it: its parameters where the standard reserves a NULL,
// and the reserved NULL after them.
struct NssInitializeArgs {
  CK_C_INITIALIZE_ARGS standard{};
  void* reserved = nullptr;
};

template <std::size_t N>
std::string text_of(const unsigned char (&field)[N]) {
  std::string text(reinterpret_cast<const char*>(field), N);
  text.erase(text.find_last_not_of(std::string_view(" \0", 2)) + 1);
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

std::string text_of(CK_VERSION version) {
  return fmt::format("{}.{}", version.major, version.minor);
}

TokenInfo describe(const CK_TOKEN_INFO& info) {
  return {.label = text_of(info.label),
          .manufacturer = text_of(info.manufacturerID),
          .model = text_of(info.model),
          .serial = text_of(info.serialNumber),
          .hardware_version = text_of(info.hardwareVersion),
          .firmware_version = text_of(info.firmwareVersion),
          .initialized = (info.flags & CKF_TOKEN_INITIALIZED) != 0,
          .user_pin_set = (info.flags & CKF_USER_PIN_INITIALIZED) != 0,
          .pin_final_try = (info.flags & CKF_USER_PIN_FINAL_TRY) != 0,
          .pin_locked = (info.flags & CKF_USER_PIN_LOCKED) != 0};
}

// Loads the library and asks for its function list. The library is never unmapped: modules leave
// threads and exit handlers behind that would then run in nothing.
Result<const CK_FUNCTION_LIST*> open_library(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) {
    return fail({ErrorCode::not_found, "HSM: no PKCS#11 module at the configured path"});
  }
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    return fail({ErrorCode::invalid_argument, "HSM: the PKCS#11 module does not load"});
  }
  const auto get_list =
      reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
  ::dlclose(library);  // stays mapped, see above
  CK_FUNCTION_LIST* functions = nullptr;
  if (get_list == nullptr || get_list(&functions) != CKR_OK || functions == nullptr) {
    return fail({ErrorCode::invalid_argument, "HSM: the library is not a PKCS#11 module"});
  }
  return functions;
}

}  // namespace

Module::Module(const _CK_FUNCTION_LIST& functions, ModuleOptions options)
    : functions_(&functions), options_(std::move(options)) {}

Result<std::unique_ptr<Module>> Module::load(const std::filesystem::path& path,
                                             ModuleOptions options) {
  SR_TRY(const CK_FUNCTION_LIST* const functions, open_library(path));
  std::unique_ptr<Module> module(new Module(*functions, std::move(options)));
  SR_CHECK_OK(module->initialize());
  return module;
}

Result<void> Module::initialize() {
  NssInitializeArgs arguments;
  arguments.standard.flags = CKF_OS_LOCKING_OK;
  if (!options_.nss_parameters.empty()) {
    arguments.standard.pReserved = options_.nss_parameters.data();
  }
  if (const CK_RV rv = functions_->C_Initialize(&arguments); rv != CKR_OK) {
    return fail(error_of(rv));
  }
  initialized_ = true;
  CK_INFO info{};
  if (const CK_RV rv = functions_->C_GetInfo(&info); rv != CKR_OK) return fail(error_of(rv));
  info_ = {.manufacturer = text_of(info.manufacturerID),
           .description = text_of(info.libraryDescription),
           .library_version = text_of(info.libraryVersion),
           .cryptoki_version = text_of(info.cryptokiVersion)};
  return {};
}

Module::~Module() {
  SR_CHECK(tokens_ == 0);
  // Only a run of our own is ended: when C_Initialize said "already", another owner still works
  // with it.
  if (initialized_) functions_->C_Finalize(nullptr);
}

Result<TokenInfo> Module::token_info(SlotId slot) const {
  CK_TOKEN_INFO info{};
  if (const CK_RV rv = functions_->C_GetTokenInfo(slot, &info); rv != CKR_OK) {
    return fail(error_of(rv));
  }
  return describe(info);
}

Result<std::vector<Slot>> Module::slots() const {
  // Asking for the count is what makes modules look for new tokens (section 5.5, C_GetSlotList).
  CK_ULONG count = 0;
  if (const CK_RV rv = functions_->C_GetSlotList(CK_TRUE, nullptr, &count); rv != CKR_OK) {
    return fail(error_of(rv));
  }
  if (count > kSlotsMax) return fail({ErrorCode::exhausted, "HSM: too many slots"});
  std::vector<CK_SLOT_ID> ids(count);
  if (const CK_RV rv = functions_->C_GetSlotList(CK_TRUE, ids.data(), &count); rv != CKR_OK) {
    return fail(error_of(rv));
  }
  ids.resize(std::min<std::size_t>(count, ids.size()));
  std::vector<Slot> slots;
  for (const CK_SLOT_ID id : ids) {
    // A token may be pulled between the two calls; then its slot is left out.
    if (auto info = token_info(id)) slots.push_back({id, *std::move(info)});
  }
  return slots;
}

Result<Slot> Module::find_token(std::string_view label) const {
  SR_TRY(const std::vector<Slot> all, slots());
  const auto matches = [&](const Slot& slot) {
    return slot.token.initialized && slot.token.label == label;
  };
  const auto found = std::ranges::find_if(all, matches);
  if (found == all.end()) return fail({ErrorCode::not_found, "HSM: no token of this label"});
  if (std::ranges::count_if(all, matches) > 1) {
    return fail({ErrorCode::conflict, "HSM: several tokens of this label"});
  }
  return *found;
}

}  // namespace strongroom::pkcs11
