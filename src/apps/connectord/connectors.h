// The connectors that are built in, by the names that the configuration knows.
#pragma once

#include <memory>
#include <string_view>

#include "async/loop.h"
#include "cde/connectors/connector.h"
#include "http/client.h"

namespace strongroom::connectord {

// REQUIRES: `name` is one of the choices of the key `connector`.
[[nodiscard]] std::unique_ptr<cde::Connector> make_connector(std::string_view name,
                                                             async::Loop& loop,
                                                             http::ClientOptions options);

}  // namespace strongroom::connectord
