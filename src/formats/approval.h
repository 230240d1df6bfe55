// Approvals: what people sign before something is done that nobody may do alone. An approval is
// plain text, so that who signs can read every byte of it, and in one form only
// (docs/formats/approval.md). Nothing here decides: that is quorum.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "crypto/signer.h"

namespace strongroom::formats {

inline constexpr std::size_t kApprovalBytesMax = 4096;
inline constexpr std::size_t kParametersMax = 16;

// Fresh for each request, which is carried out once at most.
using ApprovalRequestId = Id<struct ApprovalRequestIdTag>;
using PersonKey = crypto::Ed25519PublicKey;

enum class ApprovalRole : std::uint8_t { preparer, approver };
[[nodiscard]] std::string_view name(ApprovalRole role) noexcept;  // "preparer"
[[nodiscard]] std::optional<ApprovalRole> role_of(std::string_view name) noexcept;

// "key", "strongroom/pan-encryption/3". A name is 1 to 32 of a-z, 0-9 and -; a value 1 to 128 of
// printable ASCII, no blank at an end, and nothing that looks like a card number.
struct Parameter {
  std::string name;
  std::string value;
  bool operator==(const Parameter&) const = default;
};

// What is to be done: exactly this, there, once, and not later. Times are whole milliseconds, in
// microseconds since the Unix epoch, as everywhere.
struct ApprovalRequest {
  ApprovalRequestId id{};
  std::string deployment;                  // 1 to 253 of a-z, 0-9, . - and _
  std::string action;                      // 1 to 32 of a-z, . and -, as keys.destroy
  std::optional<PersonKey> prepared_by{};  // who must not approve it
  std::int64_t made_at_us = 0;
  std::int64_t not_after_us = 0;
  std::vector<Parameter> parameters{};  // at most kParametersMax; in an order that counts
  bool operator==(const ApprovalRequest&) const = default;
};

// A request, and one person's word for it.
struct Approval {
  ApprovalRequest request;
  ApprovalRole role = ApprovalRole::approver;
  std::int64_t signed_at_us = 0;  // as the signer's clock has it
  PersonKey key{};
  crypto::Ed25519Signature signature{};
  bool operator==(const Approval&) const = default;
};

// REQUIRES, here and below: what is said of the members above, made before not_after.
[[nodiscard]] std::string to_text(const ApprovalRequest& request);
[[nodiscard]] std::string to_text(const Approval& approval);

// Take what to_text gives and nothing else; the signature is not verified. invalid_argument: not of
// the form (detail: the line), too_large.
[[nodiscard]] Result<ApprovalRequest> parse_approval_request(std::string_view text);
[[nodiscard]] Result<Approval> parse_approval(std::string_view text);

// Signs `request` with the key of whoever has read it.
[[nodiscard]] Approval approve(ApprovalRequest request, ApprovalRole role,
                               std::int64_t signed_at_us, const crypto::Ed25519Signer& signer);
// Whether the signature is that of the approval's key over all the rest of it. Whose key that is,
// is another question.
[[nodiscard]] bool is_signed(const Approval& approval);

}  // namespace strongroom::formats
