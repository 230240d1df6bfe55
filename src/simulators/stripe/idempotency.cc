// Records under "scope key".
#include "simulators/stripe/idempotency.h"

#include <utility>

namespace strongroom::simulators::stripe {
namespace {

constexpr std::int64_t kKeptForUs = std::int64_t{24} * 3600 * 1'000'000;

// A scope holds no blank.
std::string record_key(std::string_view scope, std::string_view key) {
  std::string joined(scope);
  return joined.append(" ").append(key);
}

}  // namespace

IdempotencyKeys::Begun IdempotencyKeys::begin(std::string_view scope, std::string_view key,
                                              const RequestFingerprint& fingerprint,
                                              std::string_view request_id) {
  const std::string name = record_key(scope, key);
  const std::int64_t now_us = clock_.now_us();
  const Record* record = records_.find(name);
  if (record == nullptr || now_us - record->begun_us >= kKeptForUs) {
    records_.put(name, {.fingerprint = fingerprint,
                        .begun_us = now_us,
                        .request_id = std::string(request_id),
                        .answer = std::nullopt});
    return {};
  }
  if (record->fingerprint != fingerprint) return {.state = KeyState::mismatch};
  if (!record->answer) return {.state = KeyState::in_progress};
  return {.state = KeyState::answered,
          .answer = record->answer,
          .original_request_id = record->request_id};
}

void IdempotencyKeys::keep(std::string_view scope, std::string_view key, const Answer& answer) {
  if (Record* record = records_.find(record_key(scope, key))) record->answer = answer;
}

void IdempotencyKeys::release(std::string_view scope, std::string_view key) {
  records_.remove(record_key(scope, key));
}

}  // namespace strongroom::simulators::stripe
