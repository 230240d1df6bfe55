// Failures: which neighbors of audit-relay fail, sinks and witnesses, as the log itself is told
// (PCI DSS 10.7.2, 10.7.3): an entry log.failure when one has failed for a while, with its cause
// and since when, and one when it is well again.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "audit/recorder.h"
#include "base/clock.h"
#include "crypto/random.h"

namespace strongroom::connected::relay {

// Belongs to its Recorder's Loop.
class Failures {
 public:
  // Everything outlives it. What is over within `grace` is not told.
  Failures(audit::Recorder& recorder, crypto::Random& random, const Clock& clock,
           std::chrono::microseconds grace = std::chrono::seconds(60))
      : recorder_(recorder), random_(random), clock_(clock), grace_(grace) {}

  // Tells how `control` is, as often as the caller looks: why it fails, or empty while it does not.
  // What auditd does not take now it gets later. A failure that goes on when the process stops ends
  // at its next start, by auditd's hand, and begins anew after that.
  void tell(const std::string& control, std::string_view cause);

 private:
  struct Failure {
    std::int64_t since_us = 0;
    OperationId id{};  // of its entries; zero until the first one is written
  };
  void write(const std::string& control, const Failure& failure, std::string_view cause);

  audit::Recorder& recorder_;
  crypto::Random& random_;
  const Clock& clock_;
  std::chrono::microseconds grace_;
  std::map<std::string, Failure, std::less<>> failing_;  // by control
};

}  // namespace strongroom::connected::relay
