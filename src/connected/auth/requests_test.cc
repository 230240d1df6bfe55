#include "connected/auth/requests.h"

#include <gtest/gtest.h>

#include <string>

#include "base/encoding.h"

namespace strongroom::connected::auth {
namespace {

using wire::ProblemType;

const std::string kMerchant = "mer_" + std::string(26, 'a');

struct Refusal {
  std::string body;
  ProblemType type;
};

TEST(MerchantRequestTest, AcceptsAName) {
  const auto name = parse_merchant_request(as_bytes(R"({"name":"Café Zoë"})"));
  ASSERT_TRUE(name);
  EXPECT_EQ(*name, "Café Zoë");
}

TEST(MerchantRequestTest, RefusesWhatIsNotOne) {
  const Refusal rows[] = {
      {"", ProblemType::malformed_json},
      {"[]", ProblemType::wrong_type},
      {"{}", ProblemType::missing_field},
      {R"({"name":1})", ProblemType::wrong_type},
      {R"({"name":""})", ProblemType::invalid_value},
      {R"({"name":")" + std::string(kNameBytesMax + 1, 'n') + R"("})", ProblemType::invalid_value},
      {R"({"name":"a\u0007b"})", ProblemType::invalid_value},
      {R"({"name":"4242 4242 4242 4242"})", ProblemType::looks_like_card_data},
      {R"({"name":"4242.4242.4242.4242"})", ProblemType::looks_like_card_data},
      {R"({"name":"4242\u00a04242\t4242 4242"})", ProblemType::looks_like_card_data},
      {R"({"name":"a","name":"b"})", ProblemType::duplicate_key},
      {R"({"name":"a","color":"red"})", ProblemType::unknown_field}};
  for (const Refusal& row : rows) {
    const auto name = parse_merchant_request(as_bytes(row.body));
    ASSERT_FALSE(name) << row.body;
    EXPECT_EQ(name.error().type, row.type) << row.body;
  }
}

TEST(KeyRequestTest, RoleIsAdminUnlessSaid) {
  const auto plain =
      parse_key_request(as_bytes(R"({"merchant":")" + kMerchant + R"(","name":"till"})"), {});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->merchant, kMerchant);
  EXPECT_EQ(plain->name, "till");
  EXPECT_EQ(plain->role, Role::merchant_admin);
  const auto reader = parse_key_request(as_bytes(R"({"name":"till","role":"merchant_user"})"),
                                        std::optional(kMerchant));
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->merchant, kMerchant);
  EXPECT_EQ(reader->role, Role::merchant_user);
}

TEST(KeyRequestTest, RefusesWhatIsNotOne) {
  const Refusal rows[] = {
      {R"({"name":"till"})", ProblemType::missing_field},
      {R"({"merchant":"mer_1","name":"till"})", ProblemType::invalid_value},
      {R"({"merchant":")" + kMerchant + R"(","name":"till","role":"platform_admin"})",
       ProblemType::invalid_value},
      {R"({"merchant":")" + kMerchant + R"("})", ProblemType::missing_field}};
  for (const Refusal& row : rows) {
    const auto asked = parse_key_request(as_bytes(row.body), {});
    ASSERT_FALSE(asked) << row.body;
    EXPECT_EQ(asked.error().type, row.type) << row.body;
  }
}

TEST(KeyRequestTest, ATicketsMerchantCannotBeOverruled) {
  const auto asked =
      parse_key_request(as_bytes(R"({"merchant":")" + kMerchant + R"(","name":"till"})"),
                        std::optional<std::string>("mer_" + std::string(26, 'b')));
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().type, ProblemType::unknown_field);
}

}  // namespace
}  // namespace strongroom::connected::auth
