#include "faulty_module.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
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

constexpr int kWrongPinsMax = 3;

// A file beside SoftHSM's configuration, which a process may reach from inside its sandbox.
std::string beside(const char* name) {
  const char* const configuration = std::getenv("SOFTHSM2_CONF");
  const std::string path(configuration == nullptr ? "" : configuration);
  return path.substr(0, path.rfind('/') + 1) + name;
}

bool is_away() { return ::access(beside("away").c_str(), F_OK) == 0; }

// What the file `faults` says of a function: "0x40", "slow 300", "hold"; or nothing.
std::string ordered(std::string_view function) {
  std::ifstream file(beside("faults"));
  for (std::string line; std::getline(file, line);) {
    const std::size_t blank = line.find(' ');
    if (blank == function.size() && line.starts_with(function)) return line.substr(blank + 1);
  }
  return {};
}

void wait_as_ordered(const char* function) {
  using std::chrono::milliseconds;
  const std::string order = ordered(function);
  if (order.starts_with("slow ")) {
    std::this_thread::sleep_for(milliseconds(std::stoi(order.substr(5))));
  }
  while (ordered(function) == "hold") std::this_thread::sleep_for(milliseconds(10));
}

void add_byte(const char* name) { std::ofstream(beside(name), std::ios::app) << '.'; }

std::size_t wrong_pins() {
  std::error_code none;
  const auto size = std::filesystem::file_size(beside("wrong-pins"), none);
  return none ? 0 : size;
}

// SoftHSM counts no wrong PINs.
CK_RV counted(CK_RV rv) {
  if (rv == CKR_PIN_INCORRECT) add_byte("wrong-pins");
  if (rv == CKR_OK) ::unlink(beside("wrong-pins").c_str());
  return rv;
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
  if (const std::string order = ordered(function); order.starts_with("0x")) {
    how = {.rv = std::stoul(order, nullptr, 16)};
    return true;
  }
  if (function == std::string_view("C_Login") && wrong_pins() >= kWrongPinsMax) {
    how = {.rv = CKR_PIN_LOCKED};
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
    const bool is_login = name == std::string_view("C_Login");
    if (is_login) add_byte("logins");
    wait_as_ordered(name);
    Behavior how;
    const bool failing = spoiled(name, how);
    const std::shared_lock inside(in_use);
    auto last = std::get<sizeof...(Arguments) - 1>(std::tuple(arguments...));
    if (!failing) {
      const CK_RV rv = (genuine->*Member)(arguments...);
      if constexpr (std::is_same_v<decltype(last), CK_TOKEN_INFO_PTR>) {
        if (wrong_pins() == kWrongPinsMax - 1) last->flags |= CKF_USER_PIN_FINAL_TRY;
      }
      return is_login ? counted(rv) : rv;
    }
    // Failed or not, these end an operation (section 5.8): a spoiled call must not leave one open.
    if (ends_operation(name)) (genuine->*Member)(arguments...);
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
