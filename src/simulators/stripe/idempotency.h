// Idempotency keys as Stripe keeps them: the first answer to a key, errors of execution included,
// is the answer to its repetitions for 24 hours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "crypto/mac.h"
#include "simulators/bounded_map.h"

namespace strongroom::simulators::stripe {

struct Answer {
  int status = 200;
  std::string body{};
};

// What a request is recognized by: an HMAC under a key of the process, because its body may hold a
// card number. Stricter than Stripe, which compares parameters: another order is another request.
using RequestFingerprint = crypto::HmacTag;

enum class KeyState : std::uint8_t {
  fresh,        // never seen: answer it, then keep() or release()
  answered,     // the same request has an answer
  in_progress,  // the same key is being answered
  mismatch,     // the key belongs to another request
};

// One thread at a time; a request may be under way across suspensions.
class IdempotencyKeys {
 public:
  static constexpr std::size_t kKeyBytesMax = 255;

  IdempotencyKeys(const Clock& clock, std::size_t records_max)
      : clock_(clock), records_(records_max) {}

  struct Begun {
    KeyState state = KeyState::fresh;
    std::optional<Answer> answer{};     // when `answered`
    std::string original_request_id{};  // likewise
  };
  // `scope` is whose key it is. A fresh one counts as in progress until keep() or release().
  [[nodiscard]] Begun begin(std::string_view scope, std::string_view key,
                            const RequestFingerprint& fingerprint, std::string_view request_id);
  void keep(std::string_view scope, std::string_view key, const Answer& answer);
  // Forgets a key whose request was never executed.
  void release(std::string_view scope, std::string_view key);

 private:
  struct Record {
    RequestFingerprint fingerprint{};
    std::int64_t begun_us = 0;
    std::string request_id;
    std::optional<Answer> answer;
  };
  const Clock& clock_;
  BoundedMap<Record> records_;
};

}  // namespace strongroom::simulators::stripe
