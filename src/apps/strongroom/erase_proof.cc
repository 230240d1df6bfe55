// The judging is ops/erasure.h's; here are the log's files, the proofs and the words.
#include "apps/strongroom/erase_proof.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <map>
#include <ranges>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/strongroom/audit_keys.h"
#include "apps/strongroom/prover.h"
#include "apps/strongroom/table.h"
#include "audit/entry_view.h"
#include "base/clock.h"
#include "base/try.h"
#include "ops/erasure.h"

namespace strongroom::tool {
namespace {

using ops::Erasure;
using ops::ErasureLink;
using ops::ErasureStep;
using ops::ErasureVerdict;
using ops::LoggedEntry;

constexpr std::string_view kToken = "tok_";

// What the log has to say, and the proofs of the entries that count, by their index.
struct Evidence {
  std::string token;
  std::vector<LoggedEntry> entries{};
  AwayByLog away{};
  Erasure erasure{};
  std::map<std::size_t, Proven> proven{};
  std::string unseen{};  // entries in archives that may decide; empty: none
  std::string out;       // where the proof files are; empty: nowhere
};

Result<void> collect(Prover& prover, Evidence& evidence) {
  Result<void> read;
  const auto take = [&](const std::string& log, std::uint64_t index, std::string_view json) {
    if (!read) return;
    auto entry = ops::read_for_erasure(json, evidence.token);
    if (entry && !*entry) return;
    const auto at = prover.journal_place({log, index});
    if (!entry || !at) {
      read = std::unexpected(entry ? at.error() : entry.error());
      return;
    }
    evidence.entries.push_back({**std::move(entry), log, index, *at});
  };
  SR_TRY(evidence.away, prover.each(take));
  return read;
}

// An entry or its record that went to an archive since it was read is not proven: gone.
Result<Proven> prove_at_hand(Prover& prover, const EntryPlace& place) {
  SR_TRY(Proven proven, prover.prove(place));
  if (proven.away) return fail({ErrorCode::gone, "an entry went to an archive meanwhile"});
  return proven;
}

Result<void> prove(Prover& prover, Evidence& evidence) {
  std::vector<std::size_t> counting = evidence.erasure.against;
  for (const ErasureLink& link : evidence.erasure.chain) {
    if (link.entry) counting.push_back(*link.entry);
  }
  for (const std::size_t i : counting) {
    const LoggedEntry& entry = evidence.entries[i];
    SR_TRY(Proven proven, prove_at_hand(prover, {entry.log, entry.index}));
    if (proven.record) SR_CHECK_OK(prove_at_hand(prover, *proven.record));
    evidence.proven.insert_or_assign(i, std::move(proven));
  }
  return {};
}

// Whether entries that are in archives could make another verdict: any while something is missing,
// and those since the oldest version was made, which may speak against it, always.
bool archives_decide(const Evidence& evidence) {
  if (evidence.erasure.verdict != ErasureVerdict::erased) return !evidence.away.empty();
  return std::ranges::any_of(evidence.away, [&](const auto& of_log) {
    return of_log.second.segments.rbegin()->first > evidence.erasure.since;
  });
}

// What is not looked at is not erased.
void take_archives(Evidence& evidence) {
  if (!archives_decide(evidence)) return;
  evidence.unseen = text_of(evidence.away);
  if (evidence.erasure.verdict == ErasureVerdict::erased) {
    evidence.erasure.verdict = ErasureVerdict::not_yet;
  }
}

std::string in_words(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '_', ' ');
  return text;
}

std::string key_of(const ErasureLink& link) {
  return link.version == 0 ? "" : fmt::format("pan-encryption/{}", link.version);
}

std::string what_is_missing(const ErasureLink& link) {
  const std::string key = key_of(link);
  switch (link.step) {
    case ErasureStep::created:
    case ErasureStep::last_used:
      break;
    case ErasureStep::deleted:
      return "the card is not deleted";
    case ErasureStep::rotated:
      return "pan-encryption was not rotated since: strongroom keys rotate pan-encryption";
    case ErasureStep::rewrapped:
      return fmt::format("cards may still be under {}: strongroom keys list says how many", key);
    case ErasureStep::destroyed:
      return fmt::format("{0} is not destroyed: strongroom keys destroy {0} says what hinders that",
                         key);
  }
  return "its creation is not in the log, so every version from the first on counts";
}

std::string what_speaks_against(const audit::Entry& entry) {
  switch (entry.event_type) {
    case audit::EventType::backup_restore:
      return fmt::format(
          "{} was put back since: the card, or a key that was destroyed, may be back with it",
          entry.resources[0]);
    case audit::EventType::key_backup:
    case audit::EventType::key_ledger:
      return fmt::format(
          "the copy of the keys {} may give a destroyed key back: strongroom keys backups close"
          " says that it is gone",
          entry.resources[0]);
    default:
      return "the card was used since";
  }
}

boost::json::object to_json(const Evidence& evidence, std::size_t i) {
  const LoggedEntry& entry = evidence.entries[i];
  const Proven& proven = evidence.proven.at(i);
  boost::json::object object{{"log", entry.log},
                             {"index", entry.index},
                             {"time", rfc3339(entry.entry.time_us)},
                             {"event_type", audit::name(entry.entry.event_type)},
                             {"tree_size", proven.tree_size},
                             {"record", nullptr},
                             {"files", nullptr}};
  if (proven.record) {
    object["record"] = {{"log", proven.record->log}, {"index", proven.record->index}};
  }
  if (!evidence.out.empty()) {
    const std::string path = fmt::format("{}/{}", evidence.out, file_of(proven.entry));
    object["files"] = {{"entry", path + ".json"}, {"proof", path + ".tlog-proof"}};
  }
  return object;
}

void print_json(const Evidence& evidence) {
  boost::json::array chain, against, outside;
  for (const ErasureLink& link : evidence.erasure.chain) {
    boost::json::object object{{"step", ops::name(link.step)},
                               {"key", nullptr},
                               {"entry", nullptr},
                               {"missing", nullptr},
                               {"needed", link.needed}};
    if (link.version != 0) object["key"] = key_of(link);
    if (link.entry) {
      object["entry"] = to_json(evidence, *link.entry);
    } else {
      object["missing"] = what_is_missing(link);
    }
    chain.push_back(std::move(object));
  }
  for (const std::size_t i : evidence.erasure.against) {
    boost::json::object object = to_json(evidence, i);
    object["why"] = what_speaks_against(evidence.entries[i].entry);
    against.push_back(std::move(object));
  }
  for (const std::string_view one : ops::outside_of_erasure_proof()) outside.emplace_back(one);
  const boost::json::object answer{
      {"token", evidence.token},
      {"verdict", ops::name(evidence.erasure.verdict)},
      {"chain", std::move(chain)},
      {"against", std::move(against)},
      {"outside", std::move(outside)},
      {"unseen", evidence.unseen.empty() ? boost::json::value(nullptr)
                                         : boost::json::value(evidence.unseen)}};
  fmt::print("{}\n", boost::json::serialize(answer));
}

std::vector<std::string> row_of(const Evidence& evidence, const std::string& step, std::size_t i) {
  const LoggedEntry& entry = evidence.entries[i];
  const Proven& proven = evidence.proven.at(i);
  std::string tree = fmt::format("of {} entries", proven.tree_size);
  if (proven.record) tree += fmt::format(", recorded by {}", file_of(*proven.record));
  return {step, rfc3339(entry.entry.time_us), fmt::format("{} {}", entry.log, entry.index), tree};
}

void print_text(const Evidence& evidence) {
  fmt::print("{}: {}\n\n", evidence.token, in_words(ops::name(evidence.erasure.verdict)));
  std::vector<std::vector<std::string>> rows{{"step", "when", "entry", "in the signed tree"}};
  std::vector<std::string> missing;
  for (const ErasureLink& link : evidence.erasure.chain) {
    std::string step = in_words(ops::name(link.step));
    if (link.version != 0)
      step += (link.step == ErasureStep::rotated ? " to " : " ") + key_of(link);
    if (link.entry) {
      rows.push_back(row_of(evidence, step, *link.entry));
    } else {
      rows.push_back({step, "-", "-", "-"});
      missing.push_back(what_is_missing(link));
    }
  }
  fmt::print("{}", table(rows));
  if (!missing.empty()) fmt::print("\nmissing:\n");
  for (const std::string& one : missing) fmt::print("- {}\n", one);
  if (!evidence.erasure.against.empty()) fmt::print("\nagainst it:\n");
  for (const std::size_t i : evidence.erasure.against) {
    const LoggedEntry& entry = evidence.entries[i];
    fmt::print("- {} {} {}: {}\n", rfc3339(entry.entry.time_us), entry.log, entry.index,
               what_speaks_against(entry.entry));
  }
  fmt::print("\noutside of this proof:\n");
  for (const std::string_view one : ops::outside_of_erasure_proof()) fmt::print("- {}\n", one);
}

int status_of(const Evidence& evidence) {
  const ErasureVerdict verdict = evidence.erasure.verdict;
  if (!evidence.unseen.empty()) {
    return failed(kArchived, fmt::format("not looked at, and it may decide: {}; strongroom audit"
                                         " restore brings it back",
                                         evidence.unseen));
  }
  if (verdict == ErasureVerdict::unknown_token) {
    return failed(kCheckFailed, "no signed entry is about this token (yet)");
  }
  return verdict == ErasureVerdict::erased ? kOk : kCheckFailed;
}

}  // namespace

int prove_erasure(const Context& context, const EraseProofOptions& options) {
  if (!options.token.starts_with(kToken)) {
    return failed(kUsage, "erase-proof takes a token, which begins with tok_");
  }
  auto paths = read_audit_paths(context);
  if (!paths) return paths.error();
  auto key = LogKey::read(paths->vkey);
  if (!key) return key.error();
  record_reading(context, "erase-proof", {}, options.token);
  // A copy of the log outside of a deployment, which has no DIR/run, is judged as it is.
  std::error_code unknown;
  const bool runs = std::filesystem::exists(context.directory + "/run", unknown);
  const bool is_newest = ask_for_checkpoints(context) || !runs;
  if (!options.out.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.out, error);
    if (error) return failed(kUsage, fmt::format("{}: {}", options.out, error.message()));
  }
  audit::PosixFiles files;
  Prover prover(files, *std::move(paths), *std::move(key), options.out);
  Evidence evidence{.token = options.token, .out = options.out};
  if (const auto collected = collect(prover, evidence); !collected) {
    return not_proven(collected.error());
  }
  evidence.erasure = ops::judge_erasure(evidence.entries, evidence.token);
  if (const auto proven = prove(prover, evidence); !proven) {
    const bool gone = proven.error().code() == ErrorCode::gone;
    return gone ? failed(kArchived, proven.error().what()) : not_proven(proven.error());
  }
  if (!is_newest) {
    return failed(kNotReachable, "auditd does not sign for the newest entries, which may decide");
  }
  take_archives(evidence);
  if (evidence.erasure.verdict != ErasureVerdict::unknown_token) {
    if (context.json) {
      print_json(evidence);
    } else {
      print_text(evidence);
    }
  }
  return status_of(evidence);
}

}  // namespace strongroom::tool
