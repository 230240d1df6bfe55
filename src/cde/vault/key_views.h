// What vaultd's admin socket says of its keys: shared by the routes on them.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>

#include "base/clock.h"
#include "cde/keys/key_keeper.h"
#include "cde/vault/answer.h"
#include "http/message.h"
#include "wire/problem.h"

namespace strongroom::cde {

inline constexpr wire::Problem kNoSuchKey{
    wire::ProblemType::not_found,
    "vaultd's keys are pan-encryption, pan-fingerprint, blind-index and key-registry"};
inline constexpr wire::Problem kNoSuchVersion{
    wire::ProblemType::not_found, "that key has no such version: see strongroom keys list"};

// The version that the path /{name}/{version} names, whether there is one or not.
struct AskedVersion {
  KeyName name;
  std::uint32_t version;
};
[[nodiscard]] Answer<AskedVersion> version_in(const http::Request& request);

[[nodiscard]] boost::json::object view_of(const RegisteredKey& key, const KeyKeeper& keeper,
                                          const Clock& clock);

// What an operator can mend is told; the neighbor that is absent has its own type.
[[nodiscard]] wire::Problem problem_of_keys(const Error& error);

}  // namespace strongroom::cde
