// A key that was revoked after the backup opens nothing in what was restored from it.
#include "connected/auth/revocations.h"

#include <gtest/gtest.h>

#include "audit/entry_list.h"
#include "connected/auth/testing/fixture.h"

namespace strongroom::connected::auth {
namespace {

using audit::EventType;

class RevocationsTest : public testing::AuthTest {
 protected:
  static Result<std::vector<storage::Statement>> read(std::span<const std::byte> bytes) {
    return read_revocations([&bytes](std::span<std::byte> out) -> Result<std::size_t> {
      const std::size_t size = std::min(out.size(), bytes.size());
      std::copy_n(bytes.begin(), size, out.begin());
      bytes = bytes.subspan(size);
      return size;
    });
  }
  audit::Entry revoked(const std::string& key) {
    return {.uid = crypto::new_entry_id(random_, clock_),
            .operation_id = crypto::new_operation_id(random_, clock_),
            .event_type = EventType::api_key_revoke,
            .phase = audit::Phase::intent,
            .time_us = clock_.now_us(),
            .instance = "authd",
            .resources = {key}};
  }
  static std::vector<std::byte> list_of(const audit::Entry& entry) {
    return audit::entry_list(std::vector{audit::to_json(entry)});
  }
  std::optional<std::int64_t> revoked_at(const CreatedKey& key) {
    return wait(directory_->key(key.key.id))->value().revoked_at_us;
  }
};

TEST_F(RevocationsTest, RevokesWhatIsThereAndKeepsAnEarlierTime) {
  const Merchant merchant = make_merchant();
  const CreatedKey living = make_key(merchant.id), dead = make_key(merchant.id);
  const CreatedKey before = make_key(merchant.id);
  ASSERT_TRUE(wait(authority_->revoke_key(actor_, before.key.id, std::nullopt)));
  const auto time_before = revoked_at(before);
  clock_.now += 5'000'000;
  std::vector<std::string> entries;
  for (const std::string& key : {dead.key.id, before.key.id, std::string("key_made_later")}) {
    entries.push_back(audit::to_json(revoked(key)));
  }
  auto statements = read(audit::entry_list(entries));
  ASSERT_TRUE(statements);
  ASSERT_TRUE(wait(database_->write(*std::move(statements))));
  EXPECT_FALSE(revoked_at(living));
  EXPECT_EQ(revoked_at(dead), clock_.now_us());
  EXPECT_EQ(revoked_at(before), time_before);
}

TEST_F(RevocationsTest, AListThatIsNoneIsRefused) {
  const std::vector<std::byte> whole = list_of(revoked("key_1"));
  ASSERT_TRUE(read(whole));
  EXPECT_TRUE(read(audit::entry_list({}))->empty());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(read(std::span(whole).first(size))) << size;
  }
  std::vector<std::byte> more = whole;
  more.push_back(std::byte{0});
  EXPECT_FALSE(read(more));
  audit::Entry other = revoked("key_1"), of_none = revoked("key_1");
  other.event_type = EventType::api_key_create;
  of_none.resources.clear();
  EXPECT_FALSE(read(list_of(other)));
  EXPECT_FALSE(read(list_of(of_none)));
}

}  // namespace
}  // namespace strongroom::connected::auth
