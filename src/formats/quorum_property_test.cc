// Any heap of approvals, sound and not: what is called a quorum is one by a second judgment that
// looks at people alone, and neither copies, order nor additions change the answer.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/try.h"
#include "formats/quorum.h"

namespace strongroom::formats {
namespace {

constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::int64_t kMadeUs = 1'795'298'400'000'000;
constexpr std::int64_t kNowUs = kMadeUs + 30 * kMinuteUs;
constexpr int kKeys = 6;  // two of each person; the last person's are not enrolled
constexpr int kEnrolledKeys = 4;
constexpr int kKeysPerPerson = 2;

const std::vector<crypto::Ed25519Signer>& signers() {
  static const std::vector<crypto::Ed25519Signer> all = [] {
    std::vector<crypto::Ed25519Signer> made;
    for (int i = 0; i < kKeys; ++i) {
      const std::vector<std::byte> seed(crypto::Ed25519Signer::kSeedSize, std::byte(i + 1));
      made.push_back(*crypto::Ed25519Signer::from_seed(*SecretBytes::copy_of(seed)));
    }
    return made;
  }();
  return all;
}

const People& people() {
  static const People all = [] {
    std::vector<Enrollment> made;
    for (int i = 0; i < kEnrolledKeys; ++i) {
      made.push_back({.person = std::string(1, static_cast<char>('a' + i / kKeysPerPerson)),
                      .key = signers()[static_cast<std::size_t>(i)].public_key(),
                      .roles = {ApprovalRole::preparer, ApprovalRole::approver},
                      .valid_from_us = kMadeUs - kMinuteUs,
                      .valid_until_us = kNowUs + 5 * kMinuteUs});
    }
    return *People::create(std::move(made));
  }();
  return all;
}

ApprovalRequest wanted() {
  return {.deployment = "vault.example",
          .action = "keys.destroy",
          .made_at_us = kMadeUs,
          .not_after_us = kMadeUs + 60 * kMinuteUs,
          .parameters = {{"key", "strongroom/pan-encryption/3"}}};
}

// How an approval is made, and all that is wrong with it.
struct Made {
  int key = 0;
  int minute = 0;
  bool prepares = false;
  bool of_another_request = false;
  bool altered = false;
  bool operator==(const Made&) const = default;
};

rc::Gen<Made> any_made() {
  return rc::gen::map(
      rc::gen::tuple(rc::gen::inRange(0, kKeys), rc::gen::inRange(-2, 40), rc::gen::inRange(0, 10)),
      [](const std::tuple<int, int, int>& drawn) {
        const auto& [key, minute, wrong] = drawn;
        return Made{.key = key,
                    .minute = minute,
                    .prepares = wrong == 0,
                    .of_another_request = wrong == 1,
                    .altered = wrong == 2};
      });
}

Approval approval_of(const Made& made) {
  ApprovalRequest request = wanted();
  if (made.of_another_request) request.parameters[0].value = "strongroom/pan-encryption/4";
  const auto role = made.prepares ? ApprovalRole::preparer : ApprovalRole::approver;
  Approval approval = approve(std::move(request), role, kMadeUs + made.minute * kMinuteUs,
                              signers()[static_cast<std::size_t>(made.key)]);
  if (made.altered) approval.signature[0] ^= std::byte{1};
  return approval;
}

bool reached(const std::vector<Made>& all) {
  const QuorumPolicy policy{.roles = {ApprovalRole::approver, ApprovalRole::approver},
                            .window = std::chrono::minutes(15)};
  std::vector<Approval> approvals;
  for (const Made& made : all) approvals.push_back(approval_of(made));
  const ApprovalRequest request = wanted();
  return decide_quorum(policy, people(), {.wanted = request, .now_us = kNowUs}, approvals).reached;
}

// Two people, each with a sound approval, a quarter of an hour apart at most.
bool should_be(const std::vector<Made>& all) {
  const auto sound = [](const Made& one) {
    return one.key < kEnrolledKeys && one.minute >= 0 && one.minute <= 31 && !one.prepares &&
           !one.of_another_request && !one.altered;
  };
  for (const Made& one : all) {
    for (const Made& other : all) {
      const bool two = one.key / kKeysPerPerson != other.key / kKeysPerPerson;
      if (two && sound(one) && sound(other) && std::abs(one.minute - other.minute) <= 15) {
        return true;
      }
    }
  }
  return false;
}

rc::Gen<std::vector<Made>> any_heap(std::size_t size_max = kQuorumApprovalsMax) {
  const auto of_size = [](std::size_t size) {
    return rc::gen::container<std::vector<Made>>(size, any_made());
  };
  return rc::gen::mapcat(rc::gen::inRange<std::size_t>(0, size_max + 1), of_size);
}

RC_GTEST_PROP(QuorumProperty, IsReachedByTwoPeopleAndByNothingElse, ()) {
  const auto heap = *any_heap();
  RC_CLASSIFY(should_be(heap), "a quorum");
  RC_ASSERT(reached(heap) == should_be(heap));
}

RC_GTEST_PROP(QuorumProperty, NeitherOrderNorCopiesCount, ()) {
  auto heap = *any_heap();
  const bool before = reached(heap);
  std::ranges::reverse(heap);
  RC_ASSERT(reached(heap) == before);
  if (!heap.empty() && heap.size() < kQuorumApprovalsMax) {
    heap.push_back(heap.front());
    RC_ASSERT(reached(heap) == before);
  }
}

RC_GTEST_PROP(QuorumProperty, NobodyTakesAQuorumAwayByAddingApprovals, ()) {
  auto heap = *any_heap(kQuorumApprovalsMax - 2);
  heap.push_back({.key = 0, .minute = *rc::gen::inRange(0, 16)});
  heap.push_back({.key = kKeysPerPerson, .minute = *rc::gen::inRange(0, 16)});
  RC_ASSERT(reached(heap));
}

}  // namespace
}  // namespace strongroom::formats
