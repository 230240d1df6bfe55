// KeyKeeperTest: two vaultd on one database, with the same HSM, that a test takes step by step.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "contract/each_database.h"
#include "contract/vault_fixture.h"

namespace strongroom::cde {

inline constexpr KeyName kKek = KeyName::pan_encryption;
inline constexpr KeyKeeper::Waits kNoWaits{.beat = std::chrono::milliseconds(0),
                                           .dead_after = std::chrono::milliseconds(300),
                                           .begun_ends = std::chrono::milliseconds(0),
                                           .read_again = std::chrono::milliseconds(0)};

// Two vaultd, `a` and `b`, of which `a` leads and serves.
class KeyKeeperTest : public OnEachDatabase<VaultTest> {
 protected:
  KeyKeeperTest() {
    open("vaultd-a", keys_);
    make_vault({});
    reserved_ = a().records().find(kKek, 1)->uses;
  }
  ~KeyKeeperTest() override { b_.reset(); }

  void open(std::string name, std::unique_ptr<OpenKeys>& keys) {
    if (keys) loop_.run_until_done(keys->keeper.leave());
    keys.reset();
    keys = std::make_unique<OpenKeys>(loop_, *lossy_, *hsm_, random_, clock_, std::move(name),
                                      kNoWaits);
    SR_CHECK(loop_.run_until_done(keys->keeper.start()));
  }
  void open_b() { open("vaultd-b", b_); }
  KeyKeeper& a() { return keys_->keeper; }
  KeyKeeper& b() { return b_->keeper; }
  Result<void> step(KeyKeeper& keeper) { return loop_.run_until_done(keeper.step()); }
  Result<RegisteredKey> rotate(KeyKeeper& keeper, KeyName name = kKek) {
    return loop_.run_until_done(keeper.rotate(name, "operator"));
  }
  // The version of `pan-encryption` that is `state`; 0: none.
  static std::uint32_t version(const KeyKeeper& keeper, KeyState state) {
    const RegisteredKey* const key = keeper.records().in_state(kKek, state);
    return key ? key->version : 0;
  }
  void rotate_through() {
    SR_CHECK(rotate(a()));
    for (int steps = 0; a().to_empty().empty(); ++steps) {
      SR_CHECK(steps < 10 && step(a()) && (!b_ || step(b())));
    }
  }
  std::int64_t kek_version(const PublicToken& token) {
    const auto rows = *loop_.run_until_done(
        database_->read({"SELECT kek_version FROM cards WHERE token_hash = $1",
                         {storage::Value::digest(token.hash())}}));
    return *rows.at(0).at(0).integer();
  }
  static std::vector<EventType> types(const FakeRecorder& recorder) {
    std::vector<EventType> types;
    for (const audit::Entry& entry : recorder.entries) types.push_back(entry.event_type);
    return types;
  }

  // How much more has been reserved of version 1 than at the beginning.
  std::uint64_t more_reserved(const KeyKeeper& keeper) const {
    return keeper.records().find(kKek, 1)->uses - reserved_;
  }

  std::unique_ptr<OpenKeys> b_;
  std::uint64_t reserved_ = 0;
};

}  // namespace strongroom::cde
