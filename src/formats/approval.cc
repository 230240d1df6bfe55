// Writing and reading. The reader takes the members and then asks the writer for the one form of
// them: what differs in any byte is no approval.
#include "formats/approval.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/pan_scan.h"
#include "base/try.h"

namespace strongroom::formats {
namespace {

constexpr std::string_view kRequestHead = "strongroom/approval-request/1";
constexpr std::string_view kApprovalHead = "strongroom/approval/1";
constexpr std::string_view kKeyHead = "ed25519:";
constexpr std::string_view kNobody = "nobody";
constexpr std::array<std::string_view, 2> kRoles{"preparer", "approver"};

constexpr std::size_t kDeploymentMax = 253;  // of a domain name, RFC 1035 section 2.3.4
constexpr std::size_t kWordMax = 32;
constexpr std::size_t kValueMax = 128;

constexpr Error kNotOfTheForm{ErrorCode::invalid_argument, "not an approval of the known form"};
constexpr Error kTooLarge{ErrorCode::too_large, "an approval is not that long"};

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <class Fits>
bool is_text_of(std::string_view text, std::size_t size_max, const Fits& fits) {
  return !text.empty() && text.size() <= size_max && std::ranges::all_of(text, fits);
}

bool is_value(std::string_view text) {
  return is_text_of(text, kValueMax, [](char c) { return c >= ' ' && c <= '~'; }) &&
         text.front() != ' ' && text.back() != ' ' && !looks_like_pan(text);
}

bool is_sound(const ApprovalRequest& request) {
  const auto in_domain = [](char c) {
    return is_lower(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
  };
  const auto in_action = [](char c) { return is_lower(c) || c == '.' || c == '-'; };
  const auto in_name = [](char c) { return is_lower(c) || is_digit(c) || c == '-'; };
  return is_text_of(request.deployment, kDeploymentMax, in_domain) &&
         is_text_of(request.action, kWordMax, in_action) &&
         request.made_at_us < request.not_after_us && request.parameters.size() <= kParametersMax &&
         std::ranges::all_of(
             request.parameters,
             [&](const Parameter& one) {
               return is_text_of(one.name, kWordMax, in_name) && is_value(one.value);
             });
}

std::string key_text(const PersonKey& key) { return fmt::format("{}{}", kKeyHead, base64(key)); }

std::string body_of(std::string_view head, const ApprovalRequest& request) {
  std::string text =
      fmt::format("{}\ndeployment {}\naction {}\nrequest {}\nprepared-by {}\nmade {}\nuntil {}\n",
                  head, request.deployment, request.action, uuid_text(request.id.bytes),
                  request.prepared_by ? key_text(*request.prepared_by) : std::string(kNobody),
                  rfc3339(request.made_at_us), rfc3339(request.not_after_us));
  for (const Parameter& one : request.parameters) {
    text += fmt::format("parameter {} {}\n", one.name, one.value);
  }
  return text;
}

std::string signed_text(const Approval& approval) {
  return fmt::format("{}role {}\nsigned {}\nby {}\n", body_of(kApprovalHead, approval.request),
                     name(approval.role), rfc3339(approval.signed_at_us), key_text(approval.key));
}

// Takes lines off a text, and remembers which one is not what it should be.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}

  // What follows `label` and a blank in the next line; nothing else may stand there.
  std::string_view value(std::string_view label) {
    const std::string_view line = take();
    const bool fits =
        line.size() > label.size() + 1 && line.starts_with(label) && line[label.size()] == ' ';
    if (!fits) refuse();
    return fits ? line.substr(label.size() + 1) : std::string_view{};
  }
  void literal(std::string_view line) {
    if (take() != line) refuse();
  }
  std::string_view take() {
    ++line_;
    const std::size_t end = text_.find('\n');
    if (end == std::string_view::npos) {
      refuse();
      return {};
    }
    const std::string_view line = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return line;
  }
  [[nodiscard]] bool next_is(std::string_view label) const { return text_.starts_with(label); }
  [[nodiscard]] bool at_end() const noexcept { return text_.empty(); }
  void refuse() {
    if (wrong_ == 0) wrong_ = line_;
  }
  [[nodiscard]] bool ok() const noexcept { return wrong_ == 0; }
  [[nodiscard]] Error error() const { return kNotOfTheForm.with_detail(wrong_); }

 private:
  std::string_view text_;
  std::uint32_t line_ = 0, wrong_ = 0;
};

template <std::size_t N>
void read_base64(Lines& lines, std::string_view text, std::array<std::byte, N>& out) {
  const auto bytes = parse_base64(text);
  if (!bytes || bytes->size() != N) return lines.refuse();
  std::ranges::copy(*bytes, out.begin());
}

PersonKey read_key(Lines& lines, std::string_view text) {
  PersonKey key{};
  if (text.starts_with(kKeyHead)) {
    read_base64(lines, text.substr(kKeyHead.size()), key);
  } else {
    lines.refuse();
  }
  return key;
}

std::int64_t read_time(Lines& lines, std::string_view label) {
  const auto time = parse_rfc3339(lines.value(label));
  if (!time) lines.refuse();
  return time.value_or(0);
}

ApprovalRequest read_body(Lines& lines, std::string_view head) {
  ApprovalRequest request;
  lines.literal(head);
  request.deployment = lines.value("deployment");
  request.action = lines.value("action");
  const auto id = parse_uuid(lines.value("request"));
  if (!id) lines.refuse();
  request.id.bytes = id.value_or(request.id.bytes);
  const std::string_view prepared_by = lines.value("prepared-by");
  if (prepared_by != kNobody) request.prepared_by = read_key(lines, prepared_by);
  request.made_at_us = read_time(lines, "made");
  request.not_after_us = read_time(lines, "until");
  while (lines.ok() && lines.next_is("parameter ")) {
    const std::string_view text = lines.value("parameter");
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos || request.parameters.size() == kParametersMax) {
      lines.refuse();
      break;
    }
    request.parameters.push_back(
        {std::string(text.substr(0, blank)), std::string(text.substr(blank + 1))});
  }
  return request;
}

// `read` once it is sound and what `text` is the one form of.
template <class T>
Result<T> checked(T read, const ApprovalRequest& request, Lines& lines, std::string_view text) {
  if (!lines.at_end()) lines.refuse();
  if (!lines.ok()) return fail(lines.error());
  if (!is_sound(request) || to_text(read) != text) return fail(kNotOfTheForm);
  return read;
}

}  // namespace

std::string_view name(ApprovalRole role) noexcept { return kRoles[static_cast<std::size_t>(role)]; }

std::optional<ApprovalRole> role_of(std::string_view name) noexcept {
  if (name == kRoles[0]) return ApprovalRole::preparer;
  if (name == kRoles[1]) return ApprovalRole::approver;
  return std::nullopt;
}

std::string to_text(const ApprovalRequest& request) { return body_of(kRequestHead, request); }

std::string to_text(const Approval& approval) {
  return fmt::format("{}\n{}\n", signed_text(approval), base64(approval.signature));
}

Result<ApprovalRequest> parse_approval_request(std::string_view text) {
  if (text.size() > kApprovalBytesMax) return fail(kTooLarge);
  Lines lines(text);
  ApprovalRequest request = read_body(lines, kRequestHead);
  const ApprovalRequest read = request;
  return checked(std::move(request), read, lines, text);
}

Result<Approval> parse_approval(std::string_view text) {
  if (text.size() > kApprovalBytesMax) return fail(kTooLarge);
  Lines lines(text);
  Approval approval{.request = read_body(lines, kApprovalHead)};
  const auto role = role_of(lines.value("role"));
  if (!role) lines.refuse();
  approval.role = role.value_or(ApprovalRole::approver);
  approval.signed_at_us = read_time(lines, "signed");
  approval.key = read_key(lines, lines.value("by"));
  lines.literal("");
  read_base64(lines, lines.take(), approval.signature);
  const ApprovalRequest request = approval.request;
  return checked(std::move(approval), request, lines, text);
}

Approval approve(ApprovalRequest request, ApprovalRole role, std::int64_t signed_at_us,
                 const crypto::Ed25519Signer& signer) {
  Approval approval{.request = std::move(request),
                    .role = role,
                    .signed_at_us = signed_at_us,
                    .key = signer.public_key()};
  approval.signature = signer.sign(as_bytes(signed_text(approval)));
  return approval;
}

bool is_signed(const Approval& approval) {
  return crypto::ed25519_verify(approval.key, as_bytes(signed_text(approval)), approval.signature);
}

}  // namespace strongroom::formats
