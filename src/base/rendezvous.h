// Rendezvous hashing (Thaler and Ravishankar, 1998): who of several that do the same work is asked
// for a thing. Everybody with the same names finds the same one, and when one is gone, only its
// things go to others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace strongroom {

// `names` in the order in which they are to be asked for `key`. It is no secret and no proof: keys
// that an outsider chooses may all fall to one name. Equal for equal input, whatever the order of
// `names`, in every process.
[[nodiscard]] std::vector<std::string> rendezvous_order(std::vector<std::string> names,
                                                        std::string_view key);

}  // namespace strongroom
