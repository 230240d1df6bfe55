#include "faulty_module.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "base/try.h"

namespace {

struct Behavior {
  CK_RV rv = CKR_OK;
  CK_ULONG size = 0;
  int times = 0;
  int calls = 0;
};

std::mutex mutex;
std::map<std::string, Behavior> behaviors;
std::shared_mutex in_use;  // SoftHSM does not bear that a session ends under a call
CK_FUNCTION_LIST* genuine = nullptr;

// Whether the token is away: a file `away` stands beside SoftHSM's configuration, which a process
// may look for from inside its sandbox.
bool is_away() {
  const char* const configuration = std::getenv("SOFTHSM2_CONF");
  if (configuration == nullptr) return false;
  const std::string path(configuration);
  return ::access((path.substr(0, path.rfind('/')) + "/away").c_str(), F_OK) == 0;
}

// A token that is pulled takes its sessions along, and with them the login (section 5.6).
void end_sessions() {
  const std::scoped_lock alone(in_use);
  std::array<CK_SLOT_ID, 8> slots{};
  CK_ULONG count = slots.size();
  if (genuine->C_GetSlotList(CK_TRUE, slots.data(), &count) != CKR_OK) return;
  for (CK_ULONG i = 0; i < count; ++i) genuine->C_CloseAllSessions(slots[i]);
}

// Calls that concern the library and not a token; C_GetSlotList then gives no slot.
bool needs_token(std::string_view function) {
  return function != "C_Initialize" && function != "C_Finalize" && function != "C_GetInfo";
}

// Counts a call; true when it is to be spoiled, with `how`.
bool spoiled(const char* function, Behavior& how) {
  const bool away = needs_token(function) && is_away();
  if (away) end_sessions();
  const std::scoped_lock lock(mutex);
  Behavior& behavior = behaviors[function];
  ++behavior.calls;
  if (away) {
    how.rv = function == std::string_view("C_GetSlotList") ? CKR_OK : CKR_TOKEN_NOT_PRESENT;
    return true;
  }
  how = behavior;
  if (behavior.times == 0) return false;
  --behavior.times;
  return true;
}

bool ends_operation(std::string_view function) {
  return function == "C_Encrypt" || function == "C_Decrypt" || function == "C_Sign";
}

template <auto Member>
struct Spoilable;

template <class... Arguments, CK_RV (*CK_FUNCTION_LIST::*Member)(Arguments...)>
struct Spoilable<Member> {
  static inline const char* name = nullptr;

  static CK_RV call(Arguments... arguments) {
    Behavior how;
    const bool failing = spoiled(name, how);
    const std::shared_lock inside(in_use);
    if (!failing) return (genuine->*Member)(arguments...);
    // Failed or not, these end an operation (section 5.8): a spoiled call must not leave one open.
    if (ends_operation(name)) (genuine->*Member)(arguments...);
    auto last = std::get<sizeof...(Arguments) - 1>(std::tuple(arguments...));
    if constexpr (std::is_same_v<decltype(last), CK_ULONG_PTR>) *last = how.size;
    return how.rv;
  }
};

template <auto Member>
void make_spoilable(CK_FUNCTION_LIST& list, const char* name) {
  Spoilable<Member>::name = name;
  list.*Member = &Spoilable<Member>::call;
}

CK_FUNCTION_LIST load_genuine() {
  void* const library = ::dlopen(GENUINE_MODULE, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  SR_CHECK(library != nullptr);
  const auto get_list =
      reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
  SR_CHECK(get_list != nullptr && get_list(&genuine) == CKR_OK);
  CK_FUNCTION_LIST list = *genuine;
#define SPOILABLE(function) make_spoilable<&CK_FUNCTION_LIST::function>(list, #function)
  SPOILABLE(C_Initialize);
  SPOILABLE(C_Finalize);
  SPOILABLE(C_GetInfo);
  SPOILABLE(C_GetSlotList);
  SPOILABLE(C_GetTokenInfo);
  SPOILABLE(C_GetMechanismInfo);
  SPOILABLE(C_InitToken);
  SPOILABLE(C_InitPIN);
  SPOILABLE(C_OpenSession);
  SPOILABLE(C_GetSessionInfo);
  SPOILABLE(C_Login);
  SPOILABLE(C_GenerateKey);
  SPOILABLE(C_CreateObject);
  SPOILABLE(C_CopyObject);
  SPOILABLE(C_DestroyObject);
  SPOILABLE(C_GetAttributeValue);
  SPOILABLE(C_FindObjectsInit);
  SPOILABLE(C_FindObjects);
  SPOILABLE(C_EncryptInit);
  SPOILABLE(C_Encrypt);
  SPOILABLE(C_DecryptInit);
  SPOILABLE(C_Decrypt);
  SPOILABLE(C_SignInit);
  SPOILABLE(C_Sign);
  SPOILABLE(C_GenerateRandom);
#undef SPOILABLE
  return list;
}

}  // namespace

void faulty_module_spoil(const char* function, unsigned long rv, int times, unsigned long size) {
  const std::scoped_lock lock(mutex);
  Behavior& behavior = behaviors[function];
  behavior.rv = rv;
  behavior.size = size;
  behavior.times = times;
}

void faulty_module_heal() {
  const std::scoped_lock lock(mutex);
  for (auto& [function, behavior] : behaviors) behavior.times = 0;
}

int faulty_module_calls(const char* function) {
  const std::scoped_lock lock(mutex);
  return behaviors[function].calls;
}

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  static CK_FUNCTION_LIST faulty = load_genuine();
  *list = &faulty;
  return CKR_OK;
}
