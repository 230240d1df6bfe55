// The head of a request, from bytes to Head: a pure function, so that it can be fuzzed. It refuses
// all that RFC 9112 lets a lenient parser repair.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>

#include "http/message.h"

namespace strongroom::http {

// Offset behind the empty line that ends a head, when `bytes` holds one. A line that ends in a bare
// LF counts, so that parse_head sees it and refuses. `scanned` bytes are known to hold no end.
[[nodiscard]] std::optional<std::size_t> find_head_end(std::string_view bytes,
                                                       std::size_t scanned) noexcept;

// Parses a whole head, empty line included. Problems, with the connection to be closed after each:
// malformed_request: bare CR or LF, folded lines, control characters, space before a colon, a
//   version other than HTTP/1.1, a target not in origin form, not exactly one Host, a field that
//   decides (Authorization, Idempotency-Key, ...) twice, Content-Length twice or not a plain
//   number, Transfer-Encoding together with Content-Length (RFC 9112 section 6.3);
// method_unknown, length_required (Transfer-Encoding alone: section 6.3 allows to insist on a
// length), headers_too_large (more than fields_max), expectation_failed. The views of the result
// point into `bytes`. `out` keeps its capacity from one call to the next.
[[nodiscard]] std::expected<void, wire::Problem> parse_head(std::string_view bytes,
                                                            std::size_t fields_max, Head& out);

}  // namespace strongroom::http
