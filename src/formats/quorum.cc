// First each approval by itself, then which of the sound ones fill the policy's roles: tried out,
// for they are few, so that no order of files decides.
#include "formats/quorum.h"

#include <algorithm>
#include <array>
#include <utility>

namespace strongroom::formats {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr std::array<std::string_view, 18> kFlaws{
    "none",          "not_enrolled",     "bad_signature",   "other_deployment", "other_action",
    "other_request", "other_parameters", "request_is_over", "request_was_used", "preparer_unknown",
    "role_not_held", "prepared_it",      "revoked",         "key_not_valid",    "signed_outside",
    "same_person",   "outside_window",   "not_needed"};

std::int64_t us(std::chrono::seconds time) { return duration_cast<microseconds>(time).count(); }

ApprovalFlaw flaw_of_request(const People& people, const QuorumRequest& request,
                             const Approval& approval) {
  const ApprovalRequest& wanted = request.wanted;
  const ApprovalRequest& given = approval.request;
  if (given.deployment != wanted.deployment) return ApprovalFlaw::other_deployment;
  if (given.action != wanted.action) return ApprovalFlaw::other_action;
  if (given.id != wanted.id) return ApprovalFlaw::other_request;
  if (given != wanted) return ApprovalFlaw::other_parameters;
  if (request.now_us > wanted.not_after_us) return ApprovalFlaw::request_is_over;
  if (request.used) return ApprovalFlaw::request_was_used;
  if (wanted.prepared_by && people.find(*wanted.prepared_by) == nullptr) {
    return ApprovalFlaw::preparer_unknown;
  }
  return ApprovalFlaw::none;
}

// Whether the request was prepared by the person that `signer` is of.
bool prepared_it(const People& people, const ApprovalRequest& request, const Enrollment& signer) {
  const Enrollment* preparer = request.prepared_by ? people.find(*request.prepared_by) : nullptr;
  return preparer != nullptr && preparer->person == signer.person;
}

ApprovalFlaw flaw_of_signer(const People& people, const QuorumRequest& request,
                            const Approval& approval, const Enrollment& signer) {
  const std::int64_t at = approval.signed_at_us;
  const bool approves = approval.role == ApprovalRole::approver;
  if (std::ranges::find(signer.roles, approval.role) == signer.roles.end()) {
    return ApprovalFlaw::role_not_held;
  }
  if (approves && prepared_it(people, request.wanted, signer)) return ApprovalFlaw::prepared_it;
  if (signer.revoked_at_us && *signer.revoked_at_us <= request.now_us) return ApprovalFlaw::revoked;
  const auto is_valid = [&signer](std::int64_t time_us) {
    return signer.valid_from_us <= time_us && time_us < signer.valid_until_us;
  };
  if (!is_valid(at) || !is_valid(request.now_us)) return ApprovalFlaw::key_not_valid;
  const bool inside = request.wanted.made_at_us <= at && at <= request.wanted.not_after_us &&
                      at <= request.now_us + us(kApprovalSkewMax);
  return inside ? ApprovalFlaw::none : ApprovalFlaw::signed_outside;
}

// Approvals without a flaw of their own.
struct Candidate {
  std::size_t index = 0;
  ApprovalRole role = ApprovalRole::approver;
  std::int64_t signed_at_us = 0;
  std::string_view person;
};

// One is as good as the other in every choice.
bool are_alike(const Candidate& one, const Candidate& other) {
  return one.person == other.person && one.role == other.role &&
         one.signed_at_us == other.signed_at_us;
}

// The choice that fills most roles.
class Choice {
 public:
  Choice(const QuorumPolicy& policy, std::vector<Candidate> candidates)
      : policy_(policy), candidates_(std::move(candidates)), slots_(policy.roles.size()) {
    fill(0, 0);
  }
  // For each role of the policy who fills it, or null.
  [[nodiscard]] const std::vector<const Candidate*>& best() const noexcept { return best_; }

 private:
  void fill(std::size_t slot, std::size_t filled) {
    if (slot == slots_.size()) {
      if (best_.empty() || filled > best_filled_) {
        best_ = slots_;
        best_filled_ = filled;
      }
      return;
    }
    for (const Candidate& one : candidates_) {
      if (one.role != policy_.roles[slot] || !fits(one)) continue;
      slots_[slot] = &one;
      fill(slot + 1, filled + 1);
      slots_[slot] = nullptr;
      if (best_filled_ == slots_.size()) return;
    }
    fill(slot + 1, filled);
  }

  // Beside those that are chosen.
  bool fits(const Candidate& one) const {
    return std::ranges::all_of(slots_, [&](const Candidate* other) {
      if (other == nullptr) return true;
      const std::int64_t apart = one.signed_at_us > other->signed_at_us
                                     ? one.signed_at_us - other->signed_at_us
                                     : other->signed_at_us - one.signed_at_us;
      return other->person != one.person && apart <= us(policy_.window);
    });
  }

  const QuorumPolicy& policy_;
  std::vector<Candidate> candidates_;
  std::vector<const Candidate*> slots_;  // as they are being tried
  std::vector<const Candidate*> best_;
  std::size_t best_filled_ = 0;
};

bool has(const std::vector<const Candidate*>& chosen, const auto& fits) {
  return std::ranges::any_of(
      chosen, [&fits](const Candidate* one) { return one != nullptr && fits(*one); });
}

// Of an approval that has no flaw of its own, beside those that were chosen.
ApprovalFlaw flaw_beside(const Candidate& one, const std::vector<const Candidate*>& chosen,
                         const std::vector<ApprovalRole>& missing) {
  if (has(chosen, [&](const Candidate& other) { return other.index == one.index; })) {
    return ApprovalFlaw::none;
  }
  if (has(chosen, [&](const Candidate& other) { return other.person == one.person; })) {
    return ApprovalFlaw::same_person;
  }
  const bool role_is_free = std::ranges::find(missing, one.role) != missing.end();
  return role_is_free ? ApprovalFlaw::outside_window : ApprovalFlaw::not_needed;
}

QuorumDecision::Judged judge(const People& people, const QuorumRequest& request,
                             const Approval& approval) {
  const Enrollment* signer = people.find(approval.key);
  if (signer == nullptr) return {.flaw = ApprovalFlaw::not_enrolled};
  QuorumDecision::Judged judged{.flaw = ApprovalFlaw::bad_signature, .person = signer->person};
  if (!is_signed(approval)) return judged;
  judged.flaw = flaw_of_request(people, request, approval);
  if (judged.flaw == ApprovalFlaw::none) {
    judged.flaw = flaw_of_signer(people, request, approval, *signer);
  }
  return judged;
}

}  // namespace

std::string_view name(ApprovalFlaw flaw) noexcept { return kFlaws[static_cast<std::size_t>(flaw)]; }

QuorumDecision decide_quorum(const QuorumPolicy& policy, const People& people,
                             const QuorumRequest& request, std::span<const Approval> approvals) {
  QuorumDecision decision;
  decision.approvals.resize(approvals.size(), {.flaw = ApprovalFlaw::not_needed});
  std::vector<Candidate> candidates, copies;
  for (std::size_t i = 0; i < std::min(approvals.size(), kQuorumApprovalsReadMax); ++i) {
    QuorumDecision::Judged& judged = decision.approvals[i];
    judged = judge(people, request, approvals[i]);
    if (judged.flaw != ApprovalFlaw::none) continue;
    const Candidate one{i, approvals[i].role, approvals[i].signed_at_us, judged.person};
    const bool is_copy = std::ranges::any_of(
        candidates, [&one](const Candidate& other) { return are_alike(one, other); });
    if (is_copy) {
      copies.push_back(one);
    } else if (candidates.size() < kQuorumApprovalsMax) {
      candidates.push_back(one);
    } else {
      judged.flaw = ApprovalFlaw::not_needed;
    }
  }
  const Choice choice(policy, candidates);
  const std::vector<const Candidate*>& chosen = choice.best();
  for (std::size_t slot = 0; slot < policy.roles.size(); ++slot) {
    if (chosen[slot] == nullptr) decision.missing.push_back(policy.roles[slot]);
  }
  decision.reached = !policy.roles.empty() && decision.missing.empty();
  for (const auto* const some : {&candidates, &copies}) {
    for (const Candidate& one : *some) {
      decision.approvals[one.index].flaw = flaw_beside(one, chosen, decision.missing);
    }
  }
  return decision;
}

}  // namespace strongroom::formats
