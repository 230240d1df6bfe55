// Quorum: whether approvals of enough different people stand for one request. A pure function: the
// time, the people and what was carried out before are given. People count by their keys and once
// each, in one role each; names, certificates and the number of signatures count for nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/approval.h"
#include "formats/people.h"

namespace strongroom::formats {

inline constexpr std::size_t kQuorumApprovalsReadMax = 256;
inline constexpr std::size_t kQuorumApprovalsMax = 8;  // sound ones, each once
// A signer's clock may run ahead this much.
inline constexpr std::chrono::seconds kApprovalSkewMax{60};

struct QuorumPolicy {
  std::vector<ApprovalRole> roles;  // one approval in each, by different people
  std::chrono::seconds window;      // between the first signature that counts and the last
};

// What keeps an approval from counting, the first that holds in this order.
enum class ApprovalFlaw : std::uint8_t {
  none,
  not_enrolled,   // the key is nobody's
  bad_signature,  // altered, or signed with another key
  other_deployment,
  other_action,
  other_request,     // replayed: another id
  other_parameters,  // the same id, and anything else differs
  request_is_over,   // now is behind its not_after
  request_was_used,  // it was carried out already
  preparer_unknown,  // the preparer's key is nobody's, so that nobody knows who must not approve
  role_not_held,     // the person is not enrolled for the role
  prepared_it,       // the preparer's key, or another of the same person, approves
  revoked,           // whenever it was signed: a thief dates back
  key_not_valid,     // not yet or no more, when it was signed or now
  signed_outside,    // before the request was made, behind its end, or in the future
  same_person,       // counts already, by this key or another, in this role or another
  outside_window,    // too far from the others
  not_needed,        // enough others count
};
[[nodiscard]] std::string_view name(ApprovalFlaw flaw) noexcept;  // "not_enrolled"

struct QuorumRequest {
  const ApprovalRequest& wanted;  // what is about to be done, as whoever does it knows it
  bool used = false;              // such a request was carried out
  std::int64_t now_us = 0;
};

struct QuorumDecision {
  bool reached = false;
  struct Judged {
    ApprovalFlaw flaw = ApprovalFlaw::none;  // none: it counts
    std::string person{};                    // empty: not enrolled
    bool operator==(const Judged&) const = default;
  };
  std::vector<Judged> approvals{};      // one for each that was given, in the same order
  std::vector<ApprovalRole> missing{};  // roles of the policy that nobody fills
};

// The first kQuorumApprovalsReadMax approvals are judged, and of those without a flaw of their own,
// each counted once, the first kQuorumApprovalsMax are chosen from; the others are not_needed.
[[nodiscard]] QuorumDecision decide_quorum(const QuorumPolicy& policy, const People& people,
                                           const QuorumRequest& request,
                                           std::span<const Approval> approvals);

}  // namespace strongroom::formats
