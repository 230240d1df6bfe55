// The authenticated form of a key's version is what docs/formats/key-registry.md says.
#include "cde/keys/registered_key.h"

#include <gtest/gtest.h>

#include <string>

#include "base/encoding.h"

namespace strongroom::cde {
namespace {

RegisteredKey example() {
  return {.name = KeyName::pan_encryption,
          .version = 2,
          .check_value = {std::byte{0x01}, std::byte{0x9d}, std::byte{0xb3}},
          .state = KeyState::active,
          .created_at_us = 1'700'000'000'000'000,
          .activated_at_us = 1'700'000'001'000'000,
          .state_since_us = 1'700'000'001'000'000,
          .state_revision = 5,
          .cryptoperiod_us = 7'776'000'000'000,
          .uses = 131'072};
}

TEST(RegisteredKeyTest, IsAuthenticatedInTheDocumentedForm) {
  const std::string documented =
      "0000001d7374726f6e67726f6f6d2f6b65792d72656769737472792d726f772f"
      "310000000e70616e2d656e6372797074696f6e00000004000000020000000741"
      "45532d32353600000003019db3000000066163746976650000000800060a2418"
      "1e40000000000800060a24182d82400000000800060a24182d82400000000800"
      "0000000000000500000008000007127db7c00000000008ffffffffffffffff00"
      "0000080000000000020000";
  EXPECT_EQ(hex(example().authenticated()), documented);
}

// So that no value that a row may have reads as none.
TEST(RegisteredKeyTest, ATimeThatIsNoneIsNoTime) {
  RegisteredKey never = example();
  never.activated_at_us.reset();
  RegisteredKey zero = example();
  zero.activated_at_us = 0;
  EXPECT_NE(never.authenticated(), zero.authenticated());
}

TEST(RegisteredKeyTest, NoStateIsLeftBackwards) {
  using enum KeyState;
  EXPECT_TRUE(may_become(pre_active, active));
  EXPECT_TRUE(may_become(active, retired));
  EXPECT_TRUE(may_become(retired, withdrawn));
  EXPECT_TRUE(may_become(withdrawn, destroyed));
  for (const KeyState to : {pre_active, active, retired, compromised, withdrawn}) {
    EXPECT_EQ(may_become(to, destroyed), to == withdrawn) << "some vaultd may have it open";
    EXPECT_FALSE(may_become(withdrawn, to)) << "some vaultd has closed it";
  }
  for (const KeyState to : {pre_active, active, retired, compromised, withdrawn, destroyed}) {
    EXPECT_FALSE(may_become(destroyed, to));
    EXPECT_FALSE(may_become(to, pre_active));
  }
  EXPECT_FALSE(may_become(active, withdrawn)) << "what stands under it would be gone unasked";
  EXPECT_FALSE(may_become(retired, active));
}

}  // namespace
}  // namespace strongroom::cde
