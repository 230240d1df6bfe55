// The credential lives in secret memory from the file or terminal to the socket.
#include "apps/strongroom/connector_accounts.h"

#include <fmt/core.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <cerrno>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/listing.h"
#include "base/config.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/try.h"
#include "wire/sealed_head.h"

namespace strongroom::tool {
namespace {

constexpr std::size_t kCredentialBytesMax = 2048;
constexpr std::string_view kTarget = "/v1/connector-accounts";
constexpr std::string_view kGateway = "gatewayd";
constexpr std::string_view kDirectory = "authd";

// While one lives, what is typed is not shown. Standard input may be no terminal.
class Unechoed {
 public:
  Unechoed() : terminal_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!terminal_) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    fmt::print(stderr, "credential: ");
  }
  Unechoed(const Unechoed&) = delete;
  Unechoed& operator=(const Unechoed&) = delete;
  ~Unechoed() {
    if (!terminal_) return;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    fmt::print(stderr, "\n");
  }

 private:
  termios before_{};
  bool terminal_;
};

// To the end of the first line, or of the input.
Result<SecretBytes> read_line() {
  const Unechoed unechoed;
  SR_TRY(SecretBytes line, SecretBytes::allocate(kCredentialBytesMax + 1));
  const auto bytes = line.reveal();
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = ::read(STDIN_FILENO, bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    const auto fresh = bytes.subspan(size, static_cast<std::size_t>(got));
    const auto end = std::ranges::find(fresh, std::byte{'\n'});
    size += static_cast<std::size_t>(end - fresh.begin());
    if (end != fresh.end()) break;
  }
  if (size > kCredentialBytesMax) {
    return fail({ErrorCode::too_large, "the credential is longer than 2,048 bytes"});
  }
  line.shrink(size);
  return line;
}

Result<SecretBytes> read_credential(const std::string& file) {
  if (file.empty()) return read_line();
  return read_secret_file(file, kCredentialBytesMax);
}

bool needs_no_escape(std::span<const std::byte> text) {
  return std::ranges::all_of(as_text(text),
                             [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

// The request's body, whose texts need no escapes: ids are of a narrow alphabet.
Result<SecretBytes> body_of(const NewAccount& account, const SecretBytes& credential) {
  std::string head = fmt::format(R"({{"merchant":"{}",)", account.merchant);
  if (!account.account_id.empty()) {
    head += fmt::format(R"("account_id":"{}",)", account.account_id);
  }
  head += R"("credential":")";
  constexpr std::string_view kTail = R"("})";
  SR_TRY(SecretBytes body, SecretBytes::allocate(head.size() + credential.size() + kTail.size()));
  auto out = std::ranges::copy(as_bytes(head), body.reveal().begin()).out;
  out = std::ranges::copy(credential.reveal(), out).out;
  std::ranges::copy(as_bytes(kTail), out);
  return body;
}

// The first thing wrong with what was asked; empty when nothing is.
std::string_view wrong(const NewAccount& account) {
  if (!wire::is_account_id(account.merchant)) return "--merchant takes a merchant's id";
  if (!wire::is_connector_name(account.connector)) return "--connector takes a-z, 0-9 and '-'";
  const bool named = account.account_id.empty() || wire::is_account_id(account.account_id);
  return named ? "" : "--account-id takes 1 to 64 of A-Z a-z 0-9 _ -";
}

// Empty when authd knows the merchant, or when there is none here to ask.
std::optional<int> refuse_unknown_merchant(const Context& context, const ConfigFile& file,
                                           const std::string& merchant) {
  if (!file.has_section(kDirectory)) return std::nullopt;
  const auto found =
      ask_admin(context, kDirectory, http::Method::get, fmt::format("/v1/merchants/{}", merchant));
  return found ? std::nullopt : std::optional(found.error());
}

std::string list_target(const std::string& merchant) {
  return fmt::format("{}?merchant={}", kTarget, merchant);
}

// Empty when the merchant has the account whose credential is to be replaced, or none is.
std::optional<int> refuse_absent(const Context& context, const NewAccount& account) {
  if (account.account_id.empty()) return std::nullopt;
  const auto accounts = list_all(context, kGateway, list_target(account.merchant));
  if (!accounts) return accounts.error();
  for (const boost::json::value& one : *accounts) {
    if (member(one.as_object(), "id") == account.account_id) return std::nullopt;
  }
  return failed(kUsage, "the merchant has no such account: see strongroom connector-accounts list");
}

// gatewayd keeps what connectord sealed. Empty when that went well.
std::optional<int> carry(const Context& context, const boost::json::object& sealed) {
  const std::string body = fmt::format(R"({{"merchant":"{}","account":"{}"}})",
                                       member(sealed, "merchant"), member(sealed, "account"));
  const auto kept = ask_admin(context, kGateway, http::Method::post, kTarget, body);
  return kept ? std::nullopt : std::optional(kept.error());
}

}  // namespace

int add_connector_account(const Context& context, const NewAccount& account) {
  if (const std::string_view why = wrong(account); !why.empty()) return failed(kUsage, why);
  const auto file = ConfigFile::load(context.config_path());
  if (!file) return failed(kUsage, file.error().text());
  if (const auto status = refuse_unknown_merchant(context, *file, account.merchant)) return *status;
  const bool keeps = file->has_section(kGateway);
  if (keeps) {
    if (const auto status = refuse_absent(context, account)) return *status;
  }
  const auto credential = read_credential(account.credential_file);
  if (!credential) return failed(kUsage, credential.error().what());
  if (credential->empty() || !needs_no_escape(credential->reveal())) {
    return failed(kUsage, "the credential is empty, or not printable ASCII");
  }
  const auto body = body_of(account, *credential);
  if (!body) return failed(kUsage, body.error().what());
  const auto sealed = ask_admin(context, "connectord-" + account.connector, http::Method::post,
                                kTarget, as_text(body->reveal()));
  if (!sealed) return sealed.error();
  if (keeps) {
    if (const auto status = carry(context, *sealed)) return *status;
  }
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*sealed));
    return kOk;
  }
  constexpr std::array<std::string_view, 4> kMembers{"connector", "account_id", "merchant",
                                                     "account"};
  for (const std::string_view name : kMembers) {
    fmt::print("{:<11} {}\n", name, member(*sealed, name));
  }
  return kOk;
}

int list_connector_accounts(const Context& context, const std::string& merchant) {
  constexpr std::array<std::string_view, 3> kColumns{"id", "connector", "created_at"};
  return print_list(context, kGateway, list_target(merchant), kColumns);
}

}  // namespace strongroom::tool
