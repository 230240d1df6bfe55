// Enrollments: read and written, refused where one person could pass for two.
#include "formats/people.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace strongroom::formats {
namespace {

using ::testing::ElementsAreArray;

Enrollment enrollment(std::string person, int key) {
  Enrollment one{.person = std::move(person),
                 .roles = {ApprovalRole::approver},
                 .valid_from_us = 1'795'298'400'000'000,
                 .valid_until_us = 1'826'834'400'000'000};
  one.key.fill(static_cast<std::byte>(key));
  return one;
}

TEST(PeopleTest, WhatIsWrittenIsReadAgain) {
  std::vector<Enrollment> all{enrollment("alice", 1), enrollment("bob", 2), enrollment("alice", 3)};
  all[1].roles = {ApprovalRole::preparer, ApprovalRole::approver};
  all[2].revoked_at_us = all[2].valid_from_us + 1'000;
  const auto people = People::create(all);
  ASSERT_TRUE(people);
  const auto read = People::parse(people->to_json());
  ASSERT_TRUE(read);
  EXPECT_THAT(read->enrollments(), ElementsAreArray(all));
  EXPECT_EQ(*read->find(all[2].key), all[2]);
  EXPECT_EQ(read->find(enrollment("carol", 4).key), nullptr);
  EXPECT_TRUE(People::parse(People().to_json())->enrollments().empty());
}

TEST(PeopleTest, TheSameKeyUnderTwoNamesIsRefused) {
  const auto people = People::create({enrollment("alice", 1), enrollment("bob", 1)});
  ASSERT_FALSE(people);
  EXPECT_EQ(people.error().code(), ErrorCode::conflict);
  EXPECT_EQ(people.error().detail(), 1);
}

TEST(PeopleTest, MembersThatAreNotWhatTheyMustBeAreRefused) {
  std::vector<Enrollment> wrong(7, enrollment("alice", 1));
  wrong[0].person = "";
  wrong[1].person = "Alice";
  wrong[2].person = std::string(65, 'a');
  wrong[3].roles = {};
  wrong[4].roles = {ApprovalRole::approver, ApprovalRole::approver};
  wrong[5].valid_until_us = wrong[5].valid_from_us;
  wrong[6].roles.assign(3, ApprovalRole::preparer);
  for (const Enrollment& one : wrong) {
    const auto people = People::create({enrollment("bob", 2), one});
    ASSERT_FALSE(people);
    EXPECT_EQ(people.error().code(), ErrorCode::invalid_argument);
    EXPECT_EQ(people.error().detail(), 1);
  }
  std::vector<Enrollment> many;
  for (std::size_t i = 0; i <= kEnrollmentsMax; ++i) many.push_back(enrollment("alice", 1));
  EXPECT_EQ(People::create(many).error().code(), ErrorCode::invalid_argument);
}

TEST(PeopleTest, TextOfAnotherFormIsRefused) {
  const std::string text = People::create({enrollment("alice", 1)})->to_json();
  const auto replaced = [&text](const std::string& old, const std::string& by) {
    std::string other = text;
    other.replace(other.find(old), old.size(), by);
    return other;
  };
  ASSERT_TRUE(People::parse(text));
  for (const std::string& other :
       {std::string(), std::string("[]"), text + "{}", replaced(R"("version":1)", R"("version":2)"),
        replaced("approver", "admirer"), replaced(R"(["approver"])", "[1]"),
        replaced("alice", R"(alice","alias":"a)"), replaced(R"("key":")", R"("key":"A)"),
        replaced("2026-11-21", "2026-11-41"), replaced("null", R"("never")"),
        replaced(R"([{)", R"([1,{)")}) {
    EXPECT_FALSE(People::parse(other)) << other;
  }
  EXPECT_EQ(People::parse(std::string(kPeopleBytesMax + 1, ' ')).error().code(),
            ErrorCode::too_large);
}

}  // namespace
}  // namespace strongroom::formats
