// Judging. Every doubt is on the side of "not yet": what began before the deletion counts as before
// it, and of a version that may have wrapped the card's key it is taken that it has.
#include "ops/erasure.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

namespace strongroom::ops {
namespace {

using audit::Entry;
using audit::EventType;
using audit::Outcome;
using audit::Phase;

constexpr std::string_view kKek = "strongroom/pan-encryption/";  // docs/formats/audit-entry.md
constexpr std::string_view kVaultDatabase = "database vault";
constexpr std::string_view kBackup = "backup ";
// Resources of a key.ledger, behind the backup's id (docs/formats/audit-entry.md).
constexpr std::string_view kOfKeys = "keys";
constexpr std::array<std::string_view, 3> kEnds{"destroyed", "replaced", "failed"};
constexpr std::array<std::string_view, 2> kIsWhole{"verified", "add"};
// What was asked of the card before its deletion may be told behind it.
constexpr std::int64_t kUseEndsWithinUs = 60'000'000;
constexpr std::uint32_t kVersionsMax = 1'000;  // 246 years of rotations

constexpr Error kNotOfTheForm{
    ErrorCode::corrupt, "an entry is not of the log's form: strongroom audit verify names it"};

constexpr std::array<std::string_view, 6> kSteps{"created", "last_used", "deleted",
                                                 "rotated", "rewrapped", "destroyed"};
constexpr std::array<std::string_view, 3> kVerdicts{"unknown_token", "not_yet", "erased"};

constexpr auto kOutside = std::to_array<std::string_view>({
    "that the HSM has kept no copy of a key that it destroyed, and that no copy of one was ever"
    " made outside the ledger of key backups: that rests on its word and your records",
    "what other hosts' audit logs say, where several vaultd share the database",
    "copies of the card that had left the vault before: batches and exports on media, discs,"
    " printouts",
    "what processors were given: their own records of the card, and their tokens for it",
    "images of memory, swap or virtual machines that were taken while the card was in use",
    "the same card number under another token, of another merchant or made again since, and what"
    " the merchant and the cardholder keep",
    "the audit log itself, which keeps the token, and the first and last digits where they were"
    " recorded (BIN, last four), for as long as PCI DSS 10.5.1 asks",
});

std::optional<std::uint32_t> kek_version(std::string_view label) {
  if (!label.starts_with(kKek)) return std::nullopt;
  label.remove_prefix(kKek.size());
  std::uint32_t version = 0;
  const auto [end, error] = std::from_chars(label.data(), label.data() + label.size(), version);
  if (error != std::errc{} || end != label.data() + label.size()) return std::nullopt;
  return version;
}

bool names_version(const Entry& entry, std::uint32_t version) {
  return std::ranges::any_of(entry.resources, [version](const std::string& label) {
    return kek_version(label) == version;
  });
}

bool is_erasure(const Entry& entry) {
  return entry.event_type == EventType::token_delete || entry.event_type == EventType::token_expire;
}

bool is_use(const Entry& entry) {
  const bool uses = entry.event_type == EventType::token_lookup ||
                    entry.event_type == EventType::token_update ||
                    entry.event_type == EventType::processor_token_resolve;
  return uses && (entry.outcome == Outcome::success || entry.outcome == Outcome::done);
}

// Whether an instance of `program` has written it: auditd lets each write in its own name alone.
bool is_of(const Entry& entry, std::string_view program) {
  std::string_view instance = entry.instance;
  if (!instance.starts_with(program)) return false;
  instance.remove_prefix(program.size());
  return instance.empty() || instance.front() == '-';
}

// What vaultd has done: of cards and keys nobody else's word counts.
bool is_done(const Entry& entry, EventType type) {
  return entry.event_type == type && entry.phase == Phase::outcome &&
         entry.outcome == Outcome::done && is_of(entry, "vaultd");
}

bool puts_back(const Entry& entry) {
  return entry.event_type == EventType::backup_restore && !entry.resources.empty() &&
         (entry.resources[0] == kVaultDatabase || entry.resources[0].starts_with(kBackup));
}

// Steps by position in the journal's order.
class Judge {
 public:
  Judge(std::span<const LoggedEntry> entries, std::string_view token)
      : entries_(entries), token_(token), order_(entries.size()) {
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = i;
    std::ranges::sort(order_, {}, [entries](std::size_t i) {
      const audit::FramePlace& place = entries[i].place;
      return std::pair(place.segment_first_sequence, place.offset_bytes);
    });
  }

  Erasure judge() {
    const auto about_it = [this](const Entry& entry) { return entry.gateway_token == token_; };
    if (!find(about_it)) return {};
    find_life();
    add(ErasureStep::created, created_);
    if (last_used_) add(ErasureStep::last_used, last_used_);
    add(ErasureStep::deleted, deleted_, 0, !deleted_);
    if (deleted_) judge_versions();
    const bool missing = std::ranges::any_of(erasure_.chain, &ErasureLink::needed);
    const bool gone = deleted_ && !missing && erasure_.against.empty();
    erasure_.verdict = gone ? ErasureVerdict::erased : ErasureVerdict::not_yet;
    return std::move(erasure_);
  }

 private:
  using Position = std::optional<std::size_t>;

  const Entry& at(std::size_t position) const { return entries_[order_[position]].entry; }

  // The first position from `from` on whose entry fits.
  template <class Fits>
  Position find(const Fits& fits, std::size_t from = 0) const {
    for (std::size_t i = from; i < order_.size(); ++i) {
      if (fits(at(i))) return i;
    }
    return std::nullopt;
  }

  void add(ErasureStep step, Position position, std::uint32_t version = 0, bool needed = false) {
    ErasureLink link{.step = step, .version = version, .entry = {}, .needed = needed};
    if (position) link.entry = order_[*position];
    erasure_.chain.push_back(link);
  }

  void find_life() {
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const Entry& entry = at(i);
      if (entry.gateway_token != token_) continue;
      if (!created_ && is_done(entry, EventType::token_create)) created_ = i;
      if (is_erasure(entry) && is_done(entry, entry.event_type)) deleted_ = i;
    }
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const Entry& entry = at(i);
      if (entry.gateway_token != token_ || !is_use(entry)) continue;
      if (!deleted_ || i < *deleted_) {
        last_used_ = i;
      } else if (entry.time_us > at(*deleted_).time_us + kUseEndsWithinUs) {
        speaks_against(i);
      }
    }
  }

  void speaks_against(std::size_t position) {
    std::vector<std::size_t>& against = erasure_.against;
    const std::size_t entry = order_[position];
    if (std::ranges::find(against, entry) == against.end()) against.push_back(entry);
  }

  // Where the operation began that the entry at `position` ends; its own position where the log
  // does not show that.
  std::size_t begin_of(std::size_t position) const {
    const OperationId operation = at(position).operation_id;
    return find([&](const Entry& entry) { return entry.operation_id == operation; })
        .value_or(position);
  }

  void judge_versions() {
    find_restores();
    find_copies();
    const Position rotated = find_rotation();
    add(ErasureStep::rotated, rotated, rotated ? kek_version(at(*rotated).resources[0]).value() : 0,
        !rotated);
    const std::uint32_t oldest = oldest_version();
    const std::uint32_t newest =
        rotated ? std::max(version_before(at(*rotated)), newest_version(begin_of(*rotated)))
                : newest_version(order_.size());
    if (const Position made = generation(oldest)) {
      erasure_.since = entries_[order_[*made]].place.segment_first_sequence;
    }
    if (newest < oldest || newest - oldest >= kVersionsMax) {
      add(ErasureStep::destroyed, std::nullopt, newest, true);  // no log of ours says that
      return;
    }
    for (std::uint32_t version = oldest; version <= newest; ++version) {
      const bool last = version == newest;
      judge_version(version, last && rotated ? *rotated : 0);
    }
    std::ranges::sort(erasure_.against, {}, [this](std::size_t entry) {
      return std::ranges::find(order_, entry) - order_.begin();
    });
  }

  void judge_version(std::uint32_t version, std::size_t emptied_from) {
    const Position destroyed = destruction(version);
    const Position emptied = find(
        [version](const Entry& entry) {
          return entry.event_type == EventType::key_rewrap && entry.phase == Phase::single &&
                 entry.outcome == Outcome::success && entry.count == 0 && is_of(entry, "vaultd") &&
                 names_version(entry, version);
        },
        emptied_from);
    if (emptied || !destroyed) add(ErasureStep::rewrapped, emptied, version, !emptied);
    add(ErasureStep::destroyed, destroyed, version, !destroyed);
    if (destroyed) find_what_gives_back(version, *destroyed);
  }

  // The last one: an earlier one is of a key that a restore has brought back.
  Position destruction(std::uint32_t version) const {
    Position last;
    for (std::size_t i = 0; i < order_.size(); ++i) {
      if (is_done(at(i), EventType::key_destroy) && names_version(at(i), version)) last = i;
    }
    return last;
  }

  Position generation(std::uint32_t version) const {
    return find([version](const Entry& entry) {
      return entry.event_type == EventType::key_generate && is_of(entry, "vaultd") &&
             names_version(entry, version);
    });
  }

  // Copies of the keys that may hold the version and are not at their end, and restores since.
  void find_what_gives_back(std::uint32_t version, std::size_t destroyed) {
    const Position made = generation(version);
    for (const auto& [id, copy] : copies_) {
      const bool before_it = copy.whole && made && *copy.whole < *made;
      if (!copy.ended && !before_it && copy.begun < destroyed) speaks_against(copy.begun);
    }
    for (std::size_t i = destroyed + 1; i < order_.size(); ++i) {
      if (puts_back(at(i))) speaks_against(i);
    }
  }

  // The first activation that began behind the deletion. What it retires was the last to be in use
  // for this card.
  Position find_rotation() const {
    for (std::size_t i = *deleted_ + 1; i < order_.size(); ++i) {
      const Entry& entry = at(i);
      if (!is_done(entry, EventType::key_activate) || entry.resources.empty()) continue;
      if (kek_version(entry.resources[0]).value_or(0) < 2) continue;
      const std::size_t begin = begin_of(i);
      if (begin != i && begin > *deleted_) return i;
    }
    return std::nullopt;
  }

  static std::uint32_t version_before(const Entry& activated) {
    const auto before =
        activated.resources.size() > 1 ? kek_version(activated.resources[1]) : std::nullopt;
    return before.value_or(*kek_version(activated.resources[0]) - 1);
  }

  // Below it no card came any more when this one's creation began. What was retired before a
  // restore may be in use behind it.
  std::uint32_t oldest_version() const {
    std::uint32_t oldest = 1;
    const std::size_t end = created_ ? begin_of(*created_) : 0;
    if (created_ && end == *created_) return oldest;  // since when, the log does not show
    for (std::size_t i = 0; i < end; ++i) {
      if (puts_back(at(i))) oldest = 1;
      if (!is_done(at(i), EventType::key_retire)) continue;
      for (const std::string& label : at(i).resources) {
        oldest = std::max(oldest, kek_version(label).value_or(0) + 1);
      }
    }
    return oldest;
  }

  // Of those that were activated before `end`: a restore may have gone back behind some.
  std::uint32_t newest_version(std::size_t end) const {
    std::uint32_t newest = 1;
    for (std::size_t i = 0; i < end; ++i) {
      if (!is_done(at(i), EventType::key_activate)) continue;
      for (const std::string& label : at(i).resources) {
        newest = std::max(newest, kek_version(label).value_or(0));
      }
    }
    return newest;
  }

  // Restores behind the deletion, but for those of a backup that was begun behind it, too.
  void find_restores() {
    bool newer = false;  // that the next restore of the database is from such a backup
    for (std::size_t i = *deleted_ + 1; i < order_.size(); ++i) {
      const Entry& entry = at(i);
      if (entry.event_type != EventType::backup_restore || entry.resources.empty()) continue;
      const std::string& what = entry.resources[0];
      if (what.starts_with(kBackup)) newer = is_of(entry, "auditd") && begins_behind_deletion(what);
      if (what != kVaultDatabase) continue;
      if (!newer) speaks_against(i);
      newer = false;
    }
  }

  bool begins_behind_deletion(const std::string& backup) const {
    const Position begin = find([&](const Entry& entry) {
      return entry.event_type == EventType::backup_create && !entry.resources.empty() &&
             entry.resources[0] == backup && is_of(entry, "auditd");
    });
    return begin && *begin > *deleted_;
  }

  // Whoever tells of a copy, there may be one; that it has ended vaultd's ledger must say.
  void find_copies() {
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const Entry& entry = at(i);
      const bool noted = entry.event_type == EventType::key_ledger &&
                         entry.phase == Phase::outcome && entry.outcome != Outcome::not_done &&
                         entry.resources.size() > 2 && entry.resources[1] == kOfKeys;
      const bool told = entry.event_type == EventType::key_backup && !entry.resources.empty();
      if (!noted && !told) continue;
      KeyCopy& copy = copies_.try_emplace(entry.resources[0], KeyCopy{.begun = i}).first->second;
      if (!is_done(entry, EventType::key_ledger)) continue;
      const std::string& act = entry.resources[2];
      if (std::ranges::find(kEnds, act) != kEnds.end()) copy.ended = true;
      if (std::ranges::find(kIsWhole, act) != kIsWhole.end()) copy.whole = i;
    }
  }

  // A copy of the keys outside of the HSM.
  struct KeyCopy {
    std::size_t begun = 0;
    Position whole{};  // nothing has come to it since
    bool ended = false;
  };

  std::span<const LoggedEntry> entries_;
  std::string_view token_;
  std::vector<std::size_t> order_;
  Position created_, last_used_, deleted_;
  std::map<std::string, KeyCopy> copies_;  // by "backup " and id
  Erasure erasure_;
};

}  // namespace

std::string_view name(ErasureStep step) noexcept { return kSteps[static_cast<std::size_t>(step)]; }

std::string_view name(ErasureVerdict verdict) noexcept {
  return kVerdicts[static_cast<std::size_t>(verdict)];
}

bool concerns_erasure(const audit::EntryView& entry, std::string_view token) noexcept {
  switch (entry.event_type) {
    case EventType::key_generate:
    case EventType::key_activate:
    case EventType::key_retire:
    case EventType::key_rewrap:
    case EventType::key_destroy:
    case EventType::key_backup:
    case EventType::key_ledger:
    case EventType::backup_create:
    case EventType::backup_restore:
      return true;
    default:
      return entry.gateway_token == token;
  }
}

Result<std::optional<audit::Entry>> read_for_erasure(std::string_view json,
                                                     std::string_view token) {
  const bool may_concern = json.contains(R"("event_type":"key.)") ||
                           json.contains(R"("event_type":"backup.)") || json.contains(token);
  if (!may_concern) return std::nullopt;  // few are read in full: all of them may be millions
  const auto view = audit::read_entry(json);
  if (!view) return fail(kNotOfTheForm);
  if (!concerns_erasure(*view, token)) return std::nullopt;
  auto entry = audit::parse_entry(json);
  if (!entry) return fail(kNotOfTheForm);
  return *std::move(entry);
}

Erasure judge_erasure(std::span<const LoggedEntry> entries, std::string_view token) {
  return Judge(entries, token).judge();
}

std::span<const std::string_view> outside_of_erasure_proof() noexcept { return kOutside; }

}  // namespace strongroom::ops
