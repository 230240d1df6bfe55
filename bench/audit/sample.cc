#include "audit/sample.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/try.h"

namespace strongroom::bench {

crypto::Random& randomness() {
  static crypto::SystemRandom random;
  return random;
}

audit::Entry new_entry(audit::Phase phase) {
  return {.uid = crypto::new_entry_id(randomness(), kClock),
          .operation_id = crypto::new_operation_id(randomness(), kClock),
          .event_type = audit::EventType::token_create,
          .phase = phase,
          .outcome = phase == audit::Phase::intent ? audit::Outcome::none : audit::Outcome::success,
          .time_us = kClock.now_us(),
          .instance = std::string(kWriter),
          .user = "key_01jd7v0c8n2x5h3q",
          .source_ip = "192.0.2.7",
          .operation = "POST /v1/tokens",
          .resources = {"tok_qk3v7zq2m5x4n6b8c1d0f9g8h7"},
          .gateway_token = "tok_qk3v7zq2m5x4n6b8c1d0f9g8h7",
          .merchant_id = std::string(kMerchant),
          .bin = "424242",
          .last4 = "4242",
          .request_id = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"};
}

crypto::Ed25519Signer signer() {
  std::array<std::byte, 32> seed{};
  return *crypto::Ed25519Signer::from_seed(*SecretBytes::copy_of(seed));
}

std::string log_of_today(std::string_view owner) {
  return fmt::format("{}-{}", owner, rfc3339(kClock.now_us()).substr(0, 4));
}

Folder::Folder(const std::string& within) : path_(within + "/audit_bench_XXXXXX") {
  SR_CHECK(::mkdtemp(path_.data()) != nullptr);
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace strongroom::bench
