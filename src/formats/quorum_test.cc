// A quorum, and every cheat that must not make one: one row of the request's journey each, with the
// reason that its approval gets.
#include "formats/quorum.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/try.h"

namespace strongroom::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using enum ApprovalFlaw;
using enum ApprovalRole;

constexpr std::int64_t kSecondUs = 1'000'000, kMinuteUs = 60 * kSecondUs, kDayUs = 1440 * kMinuteUs;
constexpr std::int64_t kMadeUs = 1'795'298'400'000'000;

class QuorumTest : public ::testing::Test {
 protected:
  static constexpr int kAlice = 1, kBob = 2, kCarol = 3, kAlicesNewKey = 4, kMallory = 5;

  QuorumTest() {
    wanted_ = {.deployment = "vault.example",
               .action = "keys.destroy",
               .made_at_us = kMadeUs,
               .not_after_us = kMadeUs + 60 * kMinuteUs,
               .parameters = {{"key", "strongroom/pan-encryption/3"}, {"live-cards", "128"}}};
    wanted_.id.bytes[0] = std::byte{7};
    enroll("alice", kAlice);
    enroll("bob", kBob);
    enroll("carol", kCarol);
    enroll("alice", kAlicesNewKey);
  }

  static crypto::Ed25519Signer signer(int byte) {
    const std::vector<std::byte> seed(crypto::Ed25519Signer::kSeedSize,
                                      static_cast<std::byte>(byte));
    return *crypto::Ed25519Signer::from_seed(*SecretBytes::copy_of(seed));
  }
  void enroll(std::string person, int key) {
    enrolled_.push_back({.person = std::move(person),
                         .key = signer(key).public_key(),
                         .roles = {preparer, approver},
                         .valid_from_us = kMadeUs - kDayUs,
                         .valid_until_us = kMadeUs + kDayUs});
  }
  Enrollment& enrollment(int key) {
    return *std::ranges::find(enrolled_, signer(key).public_key(), &Enrollment::key);
  }
  // An approval, `minutes` after the request was made.
  Approval by(int key, std::int64_t minutes = 1, ApprovalRole role = approver) {
    return approve(wanted_, role, kMadeUs + minutes * kMinuteUs, signer(key));
  }
  QuorumDecision decide(const std::vector<Approval>& approvals) {
    const auto people = People::create(enrolled_);
    SR_CHECK(people.has_value());
    return decide_quorum(policy_, *people, {.wanted = wanted_, .used = used_, .now_us = now_us_},
                         approvals);
  }
  bool reached(const std::vector<Approval>& approvals) { return decide(approvals).reached; }
  std::vector<ApprovalFlaw> flaws(const std::vector<Approval>& approvals) {
    std::vector<ApprovalFlaw> flaws;
    for (const auto& judged : decide(approvals).approvals) flaws.push_back(judged.flaw);
    return flaws;
  }
  // Bob's approval stands; with this one beside it there is no quorum, for this reason.
  void expect_refused(const Approval& cheat, ApprovalFlaw flaw) {
    const QuorumDecision decision = decide({by(kBob), cheat});
    EXPECT_FALSE(decision.reached);
    EXPECT_EQ(decision.approvals[0].flaw, none);
    EXPECT_EQ(name(decision.approvals[1].flaw), name(flaw));
    EXPECT_THAT(decision.missing, ElementsAre(approver));
  }

  QuorumPolicy policy_{.roles = {approver, approver}, .window = std::chrono::minutes(15)};
  std::vector<Enrollment> enrolled_;
  ApprovalRequest wanted_;
  bool used_ = false;
  std::int64_t now_us_ = kMadeUs + 20 * kMinuteUs;
};

TEST_F(QuorumTest, TwoPeopleAreAQuorumAndOneIsNot) {
  const QuorumDecision decision = decide({by(kAlice), by(kBob)});
  EXPECT_TRUE(decision.reached);
  EXPECT_THAT(decision.missing, IsEmpty());
  EXPECT_EQ(decision.approvals[0].person, "alice");
  EXPECT_EQ(decision.approvals[1].person, "bob");
  EXPECT_FALSE(reached({by(kAlice)}));
  EXPECT_FALSE(reached({}));
  EXPECT_THAT(decide({}).missing, ElementsAre(approver, approver));
}

TEST_F(QuorumTest, ASecondSignatureOfTheSameKeyCountsOnce) {
  expect_refused(by(kBob), same_person);
  expect_refused(by(kBob, 2), same_person);
}

TEST_F(QuorumTest, ASecondKeyOfTheSamePersonCountsOnce) {
  EXPECT_THAT(flaws({by(kAlice), by(kAlicesNewKey)}), ElementsAre(none, same_person));
  EXPECT_FALSE(reached({by(kAlice), by(kAlicesNewKey)}));
  EXPECT_TRUE(reached({by(kAlice), by(kAlicesNewKey), by(kBob)}));
}

TEST_F(QuorumTest, AKeyThatNobodyEnrolledCountsNot) { expect_refused(by(kMallory), not_enrolled); }

TEST_F(QuorumTest, AnAlteredApprovalCountsNot) {
  Approval cheat = by(kAlice);
  cheat.signed_at_us += kMinuteUs;
  expect_refused(cheat, bad_signature);
  cheat = by(kMallory);
  cheat.key = signer(kAlice).public_key();
  expect_refused(cheat, bad_signature);
}

TEST_F(QuorumTest, AnApprovalOfSomethingElseCountsNot) {
  const ApprovalRequest wanted = wanted_;
  const auto refused = [&](ApprovalFlaw flaw, const auto& change) {
    change(wanted_);
    const Approval cheat = by(kAlice);
    wanted_ = wanted;
    expect_refused(cheat, flaw);
  };
  refused(other_deployment, [](ApprovalRequest& one) { one.deployment = "test.example"; });
  refused(other_action, [](ApprovalRequest& one) { one.action = "keys.rotate"; });
  refused(other_request, [](ApprovalRequest& one) { one.id.bytes[0] = std::byte{8}; });
  refused(other_parameters, [](ApprovalRequest& one) { one.parameters[0].value += "0"; });
  refused(other_parameters, [](ApprovalRequest& one) { one.parameters.pop_back(); });
  refused(other_parameters, [](ApprovalRequest& one) { one.not_after_us += kMinuteUs; });
  refused(other_parameters, [](ApprovalRequest& one) { std::ranges::reverse(one.parameters); });
}

TEST_F(QuorumTest, WhatWasCarriedOutOrIsOverIsApprovedByNobody) {
  const std::vector<Approval> both{by(kAlice), by(kBob)};
  used_ = true;
  EXPECT_THAT(flaws(both), ElementsAre(request_was_used, request_was_used));
  used_ = false;
  now_us_ = wanted_.not_after_us;
  EXPECT_TRUE(reached(both));
  now_us_ += 1'000;
  EXPECT_THAT(flaws(both), ElementsAre(request_is_over, request_is_over));
}

TEST_F(QuorumTest, ARevokedKeyCountsNotWhateverTimeItHasSigned) {
  enrollment(kAlice).revoked_at_us = now_us_;
  expect_refused(by(kAlice), revoked);
  enrollment(kAlice).revoked_at_us = now_us_ + 1'000;
  EXPECT_TRUE(reached({by(kAlice), by(kBob)})) << "it is revoked from then on";
}

TEST_F(QuorumTest, AKeyCountsFromItsTimeUntilItsTime) {
  enrollment(kAlice).valid_from_us = kMadeUs + kMinuteUs + 1'000;
  expect_refused(by(kAlice), key_not_valid);
  enrollment(kAlice).valid_from_us = kMadeUs + kMinuteUs;
  EXPECT_TRUE(reached({by(kAlice), by(kBob)}));
  enrollment(kAlice).valid_until_us = now_us_;
  expect_refused(by(kAlice), key_not_valid);
  enrollment(kAlice).valid_until_us = now_us_ + 1'000;
  EXPECT_TRUE(reached({by(kAlice), by(kBob)}));
}

TEST_F(QuorumTest, ARoleThatIsNotHeldCountsNot) {
  enrollment(kAlice).roles = {preparer};
  expect_refused(by(kAlice), role_not_held);
  expect_refused(by(kAlice, 1, preparer), not_needed);
}

TEST_F(QuorumTest, WhoPreparedARequestDoesNotApproveIt) {
  wanted_.prepared_by = signer(kAlice).public_key();
  expect_refused(by(kAlice), prepared_it);
  expect_refused(by(kAlicesNewKey), prepared_it);
  EXPECT_TRUE(reached({by(kBob), by(kCarol)}));
  policy_.roles = {preparer, approver};
  EXPECT_TRUE(reached({by(kAlice, 1, preparer), by(kBob)}));
  EXPECT_FALSE(reached({by(kAlice, 1, preparer), by(kAlice)}));
}

TEST_F(QuorumTest, ARequestWhosePreparerIsUnknownIsApprovedByNobody) {
  wanted_.prepared_by = signer(kAlice).public_key();
  std::erase(enrolled_, enrollment(kAlice));  // as if a renewal had removed it
  EXPECT_THAT(flaws({by(kAlicesNewKey), by(kBob), by(kCarol)}),
              ElementsAre(preparer_unknown, preparer_unknown, preparer_unknown));
  EXPECT_FALSE(reached({by(kBob), by(kCarol)}));
}

TEST_F(QuorumTest, WhoPreparedWithARevokedKeyDoesNotApproveWithAnother) {
  wanted_.prepared_by = signer(kAlice).public_key();
  enrollment(kAlice).revoked_at_us = kMadeUs;
  expect_refused(by(kAlicesNewKey), prepared_it);
  EXPECT_TRUE(reached({by(kBob), by(kCarol)}));
}

TEST_F(QuorumTest, ASignatureIsFromTheRequestsTime) {
  expect_refused(by(kAlice, -1), signed_outside);
  expect_refused(by(kAlice, 61), signed_outside);
  expect_refused(by(kAlice, 22), signed_outside);  // two minutes from now
  expect_refused(by(kAlice, 21), outside_window);  // a clock that runs ahead
}

TEST_F(QuorumTest, SignaturesAreOneWindowApartAtMost) {
  EXPECT_TRUE(reached({by(kBob, 1), by(kAlice, 16)}));
  expect_refused(by(kAlice, 17), outside_window);
  EXPECT_THAT(flaws({by(kBob, 1), by(kAlice, 17), by(kCarol, 18)}),
              ElementsAre(not_needed, none, none));
}

TEST_F(QuorumTest, OnePersonFillsOneRole) {
  policy_.roles = {preparer, approver};
  EXPECT_FALSE(reached({by(kAlice, 1, preparer), by(kAlice)}));
  EXPECT_FALSE(reached({by(kAlice), by(kBob)})) << "reversed roles";
  EXPECT_FALSE(reached({by(kAlice, 1, preparer), by(kBob, 1, preparer)}));
  EXPECT_THAT(flaws({by(kAlice, 1, preparer), by(kBob, 1, preparer)}),
              ElementsAre(none, not_needed));
  // Whatever the order: who could fill both leaves one to the other.
  std::vector<Approval> all{by(kAlice), by(kAlice, 1, preparer), by(kBob)};
  std::ranges::sort(all, {}, &Approval::signature);
  do {
    EXPECT_TRUE(reached(all));
  } while (std::ranges::next_permutation(all, {}, &Approval::signature).found);
}

TEST_F(QuorumTest, ThreeAreThree) {
  policy_.roles = {approver, approver, approver};
  EXPECT_FALSE(reached({by(kAlice), by(kBob), by(kAlicesNewKey)}));
  EXPECT_TRUE(reached({by(kAlice), by(kBob), by(kCarol)}));
}

TEST_F(QuorumTest, WhatIsMoreThanEnoughIsNotNeeded) {
  EXPECT_THAT(flaws({by(kAlice), by(kBob), by(kCarol)}), ElementsAre(none, none, not_needed));
}

TEST_F(QuorumTest, WhatCountsNotTakesNoPlaceFromWhatCounts) {
  Approval altered = by(kAlice);
  altered.signature[0] ^= std::byte{1};
  for (const Approval& junk : {by(kMallory), altered, by(kAlice, -1), by(kAlice)}) {
    std::vector<Approval> many(kQuorumApprovalsReadMax - 2, junk);
    many.push_back(by(kAlice));
    many.push_back(by(kBob));
    EXPECT_TRUE(reached(many));
    many.insert(many.begin(), junk);
    EXPECT_FALSE(reached(many)) << "so many are not judged";
  }
}

TEST_F(QuorumTest, OfManySoundOnesTheFirstAreChosenFrom) {
  std::vector<Approval> many;
  for (std::size_t i = 0; i < kQuorumApprovalsMax; ++i) {
    many.push_back(by(kAlice, static_cast<std::int64_t>(i)));
  }
  many.push_back(by(kBob));
  EXPECT_FALSE(reached(many));
  EXPECT_EQ(flaws(many).back(), not_needed);
}

TEST_F(QuorumTest, APolicyThatAsksForNobodyIsNeverReached) {
  policy_.roles.clear();
  EXPECT_FALSE(reached({by(kAlice), by(kBob)}));
}

}  // namespace
}  // namespace strongroom::formats
