// Connectors by name.
#include "apps/connectord/connectors.h"

#include <utility>

#include "base/try.h"
#include "cde/connectors/stripe/stripe_connector.h"

namespace strongroom::connectord {

std::unique_ptr<cde::Connector> make_connector(std::string_view name, async::Loop& loop,
                                               http::ClientOptions options) {
  using cde::stripe::StripeConnector;
  if (name == StripeConnector::kName) {
    return std::make_unique<StripeConnector>(loop, std::move(options));
  }
  SR_CHECK(false);
}

}  // namespace strongroom::connectord
