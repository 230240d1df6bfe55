// audit prove.
#include "apps/strongroom/audit_prove.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <iterator>
#include <map>
#include <ranges>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/strongroom/admin_call.h"
#include "apps/strongroom/archived.h"
#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/prover.h"
#include "audit/archive.h"
#include "audit/entry_view.h"
#include "audit/logs.h"
#include "http/target.h"

namespace strongroom::tool {
namespace {

std::string_view standing_of(const Proven& written) {
  if (audit::is_operators(written.entry.log)) return "the operator's own log";
  return written.record_may_be_away
             ? "what records it in the operator's log is in an archive, so no witness stands for it"
             : "not yet recorded in the operator's log, so no witness stands for it";
}

void print(const Context& context, const std::vector<Proven>& all, const std::string& out) {
  if (!context.json) {
    for (const Proven& written : all) {
      if (written.away) continue;
      fmt::print("{}/{}.tlog-proof, to a tree of {} entries; {}\n", out, file_of(written.entry),
                 written.tree_size,
                 written.record ? fmt::format("recorded by {}", file_of(*written.record))
                                : standing_of(written));
    }
    return;
  }
  boost::json::array array;
  for (const Proven& written : all) {
    if (written.away) {
      array.push_back(boost::json::object{{"log", written.entry.log},
                                          {"index", written.entry.index},
                                          {"archive", audit::archive_name(*written.away)}});
      continue;
    }
    boost::json::object object{
        {"log", written.entry.log},
        {"index", written.entry.index},
        {"tree_size", written.tree_size},
        {"entry", fmt::format("{}/{}.json", out, file_of(written.entry))},
        {"proof", fmt::format("{}/{}.tlog-proof", out, file_of(written.entry))},
        {"record", nullptr}};
    if (written.record) {
      const std::string record = fmt::format("{}/{}", out, file_of(*written.record));
      object["record"] = {{"log", written.record->log},
                          {"index", written.record->index},
                          {"entry", record + ".json"},
                          {"proof", record + ".tlog-proof"}};
    }
    array.push_back(std::move(object));
  }
  fmt::print("{}\n", boost::json::serialize(array));
}

// What audit-relay answers; nullopt where it does not run, or not well.
std::optional<boost::json::object> ask_relay(const Context& context, const std::string& target) {
  const auto response = call_admin(context.directory, "audit-relay", http::Method::get, target);
  if (!response || response->status != 200) return std::nullopt;
  boost::system::error_code error;
  boost::json::value answer = boost::json::parse(response->body, error);
  if (error || !answer.is_object()) return std::nullopt;
  return std::move(answer.as_object());
}

// Whether its index knows what each of the entries that are away says.
bool index_knows(const Context& context, const AwayByLog& away) {
  const auto answer = ask_relay(context, "/v1/index");
  if (!answer) return false;
  std::map<std::string, std::uint64_t> known;
  for (const boost::json::value& value : answer->at("data").as_array()) {
    const boost::json::object& log = value.as_object();
    const bool all_read = log.at("unread").to_number<std::uint64_t>() == 0;
    known[member(log, "log")] = all_read ? log.at("entries").to_number<std::uint64_t>() : 0;
  }
  return std::ranges::all_of(away,
                             [&](const auto& one) { return known[one.first] >= one.second.end; });
}

// The archived entries that it finds.
std::optional<std::vector<EntryPlace>> archived_by_index(const Context& context,
                                                         std::string_view query) {
  constexpr std::size_t kPagesMax = 2'000;
  std::vector<EntryPlace> archived;
  std::string after;
  for (std::size_t page = 0; page < kPagesMax; ++page) {
    const auto answer = ask_relay(context, fmt::format("/v1/entries?{}&limit=50{}", query, after));
    if (!answer) return std::nullopt;
    for (const boost::json::value& value : answer->at("data").as_array()) {
      const boost::json::object& found = value.as_object();
      if (!found.at("entry").is_null()) continue;
      archived.push_back({member(found, "owner") + "-" + member(found, "shard"),
                          found.at("index").to_number<std::uint64_t>()});
    }
    if (answer->at("next").is_null()) return archived;
    after = "&after=" + member(*answer, "next");
  }
  return std::nullopt;
}

// The same for the entries about `token`: what was done to it, not who looked for that.
std::optional<std::vector<EntryPlace>> archived_about(const Context& context,
                                                      const std::string& token) {
  const std::string query = "token=" + http::percent_encoded(token);
  auto archived = archived_by_index(context, query);
  const auto readings = archived_by_index(context, query + "&type=log.read");
  if (!archived || !readings) return std::nullopt;
  std::erase_if(*archived, [&](const EntryPlace& place) {
    return std::ranges::find(*readings, place) != readings->end();
  });
  return archived;
}

// The entries about the token: those at hand, as the log has them, and those of which audit-relay's
// index says that they are in archives.
struct Places {
  std::vector<EntryPlace> places;
  bool all_looked_at = true;
};
std::expected<Places, int> places_about(const Context& context, Prover& prover,
                                        const std::string& token) {
  Places about;
  const auto take = [&](const std::string& log, std::uint64_t index, std::string_view json) {
    const auto entry = audit::read_entry(json);
    if (entry && entry->gateway_token == token) about.places.push_back({log, index});
  };
  const auto away = prover.each(take);
  if (!away) return std::unexpected(not_proven(away.error()));
  if (away->empty()) return about;
  auto archived = index_knows(context, *away) ? archived_about(context, token) : std::nullopt;
  about.all_looked_at = archived.has_value();
  if (!archived) {
    fmt::print(stderr,
               "strongroom: not looked at: {}; audit-relay's index would tell which are about the"
               " token, but it is not there, or has not read them\n",
               text_of(*away));
    return about;
  }
  std::ranges::move(*archived, std::back_inserter(about.places));
  return about;
}

}  // namespace

int prove_entries(const Context& context, const ProveOptions& options) {
  if (options.token.empty() != (!options.log.empty() && options.index.has_value())) {
    return failed(kUsage, "either --token, or --log with --index");
  }
  auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  auto key = LogKey::read(paths->vkey);
  if (!key) return key.error();
  const std::string entry =
      options.token.empty() ? fmt::format("{} {}", options.log, *options.index) : options.token;
  record_reading(context, "prove", options.log.substr(0, options.log.rfind('-')), entry);
  ask_for_checkpoints(context);
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) return failed(kUsage, fmt::format("{}: {}", options.out, error.message()));
  audit::PosixFiles files;
  const std::string directory = paths->directory;
  Prover prover(files, *std::move(paths), *std::move(key), options.out);
  int status = kOk;
  std::vector<EntryPlace> places;
  if (options.token.empty()) {
    places.push_back({options.log, *options.index});
  } else {
    auto found = places_about(context, prover, options.token);
    if (!found) return found.error();
    if (found->places.empty() && found->all_looked_at) {
      return failed(kCheckFailed, "no signed entry is about this token (yet)");
    }
    places = std::move(found->places);
    if (!found->all_looked_at) status = kArchived;
  }
  std::vector<Proven> written;
  for (const EntryPlace& place : places) {
    auto one = prover.prove(place);
    if (one && one->record) {
      const auto record = prover.prove(*one->record);
      if (!record) return not_proven(record.error());
    }
    if (!one) return not_proven(one.error());
    if (one->away) {
      status = failed(kArchived, fmt::format("entry {} of {} is in {}", place.index, place.log,
                                             where_archived(files, directory, *one->away)));
    }
    written.push_back(*std::move(one));
  }
  print(context, written, options.out);
  return status;
}

}  // namespace strongroom::tool
