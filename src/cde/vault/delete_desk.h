// DeleteDesk: what an operator sees and decides of the deletes that wait (HeldDeletes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "audit/recorder.h"
#include "base/clock.h"
#include "cde/keys/key_ring.h"
#include "cde/vault/answer.h"
#include "cde/vault/held_deletes.h"
#include "crypto/random.h"

namespace strongroom::cde {

enum class Decision : std::uint8_t {
  release,  // they are carried out, in the operator's name
  refuse,   // the cards stay, as if nobody had asked
};

// Belongs to one Loop; its parts outlive it. Problems of every call: database_unavailable,
// hsm_unavailable, overloaded, internal.
class DeleteDesk final {
 public:
  static constexpr std::size_t kPageMax = 100;

  struct Parts {
    HeldDeletes& held_deletes;
    KeyRing& keys;
    audit::Recorder& recorder;
    crypto::Random& random;
    const Clock& clock;
  };
  explicit DeleteDesk(Parts parts) : parts_(parts) {}

  // What one key of a merchant has waiting.
  struct Held {
    std::string merchant;  // either is empty where the row of a card does not open
    std::string key;
    HeldDeletes::Group group;
  };
  [[nodiscard]] async::Task<Answer<std::vector<Held>>> list(HeldDeletes::GroupMark after,
                                                            std::size_t count_max);

  struct Chosen {
    std::string merchant;
    std::string key;  // empty: all its keys
  };
  // Decides on those that are held now, in the name of `user`; gives how many. An intent and an
  // outcome, with the count, in the merchant's log. not_found: none is held. audit_unavailable.
  [[nodiscard]] async::Task<Answer<std::uint64_t>> decide(Decision decision, Chosen chosen,
                                                          std::string user);

 private:
  async::Task<Held> name(HeldDeletes::Group group);
  async::Task<Result<std::uint64_t>> decide_all(Decision decision, HeldDeletes::Chosen chosen,
                                                std::string user);

  Parts parts_;
};

}  // namespace strongroom::cde
