// What a reader of the log asks for, parsed once: where a log is named, and what a search wants.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "connected/relay/search_index.h"
#include "http/message.h"
#include "wire/problem.h"

namespace strongroom::connected::relay {

template <class T>
using Answer = std::expected<T, wire::Problem>;

inline constexpr std::size_t kPageSizeMax = 100;

// The log's name out of the two segments of its path; nullopt: they name none.
[[nodiscard]] std::optional<std::string> log_of_path(std::string_view owner,
                                                     std::string_view shard);

// An index in the one form that it has, "17"; nullopt for anything else.
[[nodiscard]] std::optional<std::uint64_t> parse_index(std::string_view text);

// ?token=&actor=&type=&request=&from=&to=&after=&limit=; the owner is not the client's to say, but
// that operators may give ?merchant= at the admin socket. invalid_value, looks_like_card_data.
[[nodiscard]] Answer<SearchQuery> parse_search(const http::Request& request);

// `after` of the next page: letters only, for a number could look like a card's.
[[nodiscard]] std::string cursor_text(const SearchPlace& place);
[[nodiscard]] std::optional<SearchPlace> parse_cursor(std::string_view text);

}  // namespace strongroom::connected::relay
