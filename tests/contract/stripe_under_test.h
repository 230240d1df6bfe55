// StripeConnector and psp-sim, a process of its own, for the contract suite.
#pragma once

#include <memory>

#include "connector_contract.h"

namespace strongroom::test {

[[nodiscard]] std::unique_ptr<ConnectorUnderTest> make_stripe_under_test();

}  // namespace strongroom::test
