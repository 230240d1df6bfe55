// Any order of create, duplicate, use, expire and delete, by callers at once, on two vaultd
// with one database, while connections and answers are lost, the audit log refuses and one of the
// two dies: each answer is held against what must be so by then. Every fact is kept twice: as it
// surely is (an answer told), and as it may be (somebody asked for it and was told nothing yet).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cde/vault/delete_desk.h"
#include "cde/vault/purge_job.h"
#include "cde/vault/release_job.h"
#include "contract/each_database.h"
#include "contract/played_vaultd.h"
#include "contract/resolve_fixture.h"

namespace strongroom::cde {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kMinuteUs = 60 * kSecondUs;
constexpr std::int64_t kDayUs = 24 * 60 * kMinuteUs;
constexpr std::array kMerchants{"mer_a", "mer_b"};
constexpr std::size_t kCallersMax = 8;
constexpr std::size_t kActsMax = 4;  // of one caller, one after the other
constexpr std::int64_t kAlikeMax = 8;
constexpr Budget kDeleteBudget{.merchant = 6, .identity = 3};
constexpr Budget kKeyBudget{.merchant = 100'000, .identity = 5};  // of tokenize and resolve each

// What a merchant asks for when it adds a card.
struct Sent {
  std::string merchant;
  std::string number;
  std::optional<std::int64_t> expires_at_us;
  std::optional<std::int64_t> usage_limit;
  int exp_year;
};

// A token that somebody was told of.
struct Known {
  std::string merchant;
  std::string number;
  PublicToken token;
  std::int64_t created_at_us;
  std::optional<std::int64_t> expires_at_us;
  std::optional<std::int64_t> usage_limit;
  std::set<std::string> paid{};   // payments that were given a processor token
  std::set<std::string> tried{};  // those, and what asked for one
  bool called_new = false;
  bool gone = false;                         // surely: an answer said so
  bool may_be_deleted = false;               // a delete, or an operator, may have
  int deletes_under_way = 0;                 // that may yet
  std::optional<std::int64_t> held_at_us{};  // surely: a delete waits since then
  bool may_be_held = false;
  bool may_be_released = false;
  std::set<std::string> deleters{};  // keys that asked

  [[nodiscard]] bool is_over(std::int64_t now_us) const {
    return expires_at_us && *expires_at_us <= now_us;
  }
  [[nodiscard]] bool may_be_gone(std::int64_t now_us) const {
    return gone || may_be_deleted || may_be_released || deletes_under_way > 0 || is_over(now_us);
  }
};

class OrdersTest : public OnEachDatabase<ResolveTest> {
 protected:
  struct Place {  // of a vaultd
    PlayedRecorder::Log log;
    std::vector<std::unique_ptr<PlayedVaultd>> runs;  // the last one is up, unless `down`
    bool down = false;
  };

  OrdersTest() {
    for (Place& place : places_) start(place);
    for (const char* number : {"5555555555554444", "378282246310005"}) numbers_.push_back(number);
    for (const std::string& number : alike(3 * kAlikeMax)) numbers_.push_back(number);
  }
  ~OrdersTest() override {
    for (Place& place : places_) place.runs.back()->kill();
    // What they had to settle finds that they are stopped.
    loop_.run_until_done(loop_.sleep_for(std::chrono::milliseconds(1200)));
  }

  static std::uint64_t make_seed() {
    const char* given = std::getenv("STRONGROOM_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  }
  static std::chrono::seconds duration() {
    const char* given = std::getenv("STRONGROOM_ORDERS_SECONDS");
    return std::chrono::seconds(given != nullptr ? std::strtol(given, nullptr, 10) : 4);
  }
  void start(Place& place) {
    place.runs.push_back(std::make_unique<PlayedVaultd>(PlayedParts{loop_,
                                                                    *database_,
                                                                    turns_,
                                                                    stored_cards_,
                                                                    keys_->ring,
                                                                    keys_->keeper,
                                                                    code_peers_,
                                                                    retention_,
                                                                    random_,
                                                                    clock_,
                                                                    metrics_,
                                                                    kAlikeMax,
                                                                    {kKeyBudget, kKeyBudget},
                                                                    kDeleteBudget},
                                                        place.log));
  }

  // --- What a caller does ------------------------------------------------------------------------

  // The one that is up; as edged does, the other where one is away.
  PlayedVaultd& any_vaultd() {
    Place& one = places_[turns_.below(2)];
    return *(one.down ? places_[&one == &places_[0] ? 1 : 0] : one).runs.back();
  }
  // Mostly a key of its own, at times one that many acts share.
  Caller any_caller(const std::string& merchant) {
    Caller who = caller(merchant);
    who.subject = turns_.one_in(3) ? "key_of_" + merchant : "key_" + std::to_string(++keys_made_);
    return who;
  }
  std::string any_merchant() { return kMerchants[turns_.below(kMerchants.size())]; }
  // Mostly one of few cards; at times a guess between known digits.
  std::string any_number() {
    return numbers_[turns_.one_in(5) ? turns_.below(numbers_.size()) : turns_.below(3)];
  }
  Known* any_token() {
    if (known_.empty()) return nullptr;
    const std::size_t newest = std::min<std::size_t>(known_.size(), 8);
    return turns_.one_in(6) ? &known_[turns_.below(known_.size())]
                            : &known_[known_.size() - 1 - turns_.below(newest)];
  }
  std::string any_merchant_for(const Known& known) {
    return turns_.one_in(8) ? any_merchant() : known.merchant;
  }

  async::Task<> act() {
    co_await turns_.turn();
    const std::size_t kind = turns_.below(20);
    Known* const known = any_token();
    if (kind < 8 || known == nullptr) {
      co_await tokenize_one();
    } else if (kind < 11) {
      co_await look_up_one(*known);
    } else if (kind < 16) {
      co_await use_one(*known);
    } else {
      co_await erase_one(*known);
    }
  }
  async::Task<> caller_of(std::size_t acts) {
    for (; acts > 0; --acts) co_await act();
    --open_;
  }

  async::Task<> tokenize_one() {
    Sent sent{any_merchant(), any_number(), std::nullopt, std::nullopt,
              2030 + static_cast<int>(turns_.below(2))};
    if (turns_.one_in(2)) {
      sent.expires_at_us = clock_.now + static_cast<std::int64_t>(1 + turns_.below(90)) * kMinuteUs;
    }
    if (turns_.one_in(2)) sent.usage_limit = static_cast<std::int64_t>(1 + turns_.below(3));
    Caller who = any_caller(sent.merchant);
    co_await tokenize_as(std::move(sent), std::move(who));
  }
  async::Task<std::optional<TokenView>> tokenize_as(Sent sent, Caller who) {
    PlayedVaultd& vaultd = any_vaultd();
    TokenRequest body = request("", "", sent.number);
    body.expiry = *ExpiryDate::create(12, static_cast<std::uint16_t>(sent.exp_year));
    body.expires_at_us = sent.expires_at_us;
    body.usage_limit = sent.usage_limit;
    sent_.push_back(sent);
    const std::string like = likeness_of(sent.merchant, sent.number);
    const Known* const standing = surely_live(sent);
    const std::int64_t begun_us = clock_.now;
    const std::size_t known_before = known_.size();
    const std::int64_t nth = begin(vaultd, Act::tokenize, who);
    ++maybe_alike_[like][begun_us];
    auto view = co_await vaultd.vault.tokenize(std::move(body), who);
    --vaultd.callers;
    if (vaultd.is_dead()) co_return std::nullopt;
    if (!view) {
      expect_no_token(view.error(), vaultd, who, nth, maybe_alike(like, begun_us) - 1);
      if (!turns_.faults) --maybe_alike_[like][begun_us];
      co_return std::nullopt;
    }
    pass(vaultd, Act::tokenize, who);
    --maybe_alike_[like][begun_us];
    EXPECT_LT(surely_alike(like, known_before, clock_.now), kAlikeMax)
        << "an answer above the limit of like cards";
    EXPECT_EQ(view->expiry.year(), sent.exp_year) << "the newer expiry is kept";
    const bool still = standing != nullptr && !standing->may_be_gone(clock_.now);
    if (still) {
      EXPECT_EQ(view->token, standing->token) << "two live tokens of one card";
    }
    take(sent, *view, begun_us);
    co_return *view;
  }
  // `others`: that are alike and may be there.
  void expect_no_token(const wire::Problem& problem, PlayedVaultd& vaultd, const Caller& who,
                       std::int64_t nth, std::int64_t others) {
    if (problem.type != ProblemType::rate_limited) return expect_excused(problem);
    if (problem.pointer.text() == "#/card/number") {
      pass(vaultd, Act::tokenize, who);
      EXPECT_GE(others, kAlikeMax) << "refused below the limit of like cards";
    } else {
      EXPECT_GT(nth, kKeyBudget.identity) << "refused within its budget";
    }
  }
  // Learns of a token from an answer to whoever sent its card.
  void take(const Sent& sent, const TokenView& view, std::int64_t begun_us) {
    const bool is_new = view.duplicate == Duplicate::new_card;
    Known* known = find(view.token);
    if (known == nullptr) {
      for (const Known& other : known_) {
        const bool same = other.merchant == sent.merchant && other.number == sent.number;
        if (same) {
          EXPECT_TRUE(other.may_be_gone(clock_.now)) << "two live tokens of one card";
        }
      }
      known_.push_back({.merchant = sent.merchant,
                        .number = sent.number,
                        .token = view.token,
                        .created_at_us = view.created_at_us,
                        .expires_at_us = view.expires_at_us,
                        .usage_limit = view.usage_limit});
      known = &known_.back();
      EXPECT_TRUE(was_sent(view, sent)) << "limits that nobody asked for";
    }
    EXPECT_EQ(known->merchant, sent.merchant) << "merchants share a token";
    EXPECT_EQ(known->number, sent.number) << "cards share a token";
    expect_limits(view, *known);
    EXPECT_FALSE(known->is_over(begun_us)) << "an expired token matched";
    if (!is_new) return;
    EXPECT_FALSE(std::exchange(known->called_new, true)) << "new twice";
    EXPECT_EQ(view.expires_at_us, sent.expires_at_us);
    EXPECT_EQ(view.usage_limit, sent.usage_limit);
  }

  async::Task<> look_up_one(Known& known) {
    const std::string merchant = any_merchant_for(known);
    PlayedVaultd& vaultd = any_vaultd();
    ++vaultd.callers;
    const bool was_gone = known.gone;
    const std::int64_t begun_us = clock_.now;
    const std::size_t paid = known.paid.size();
    const auto view = co_await vaultd.vault.look_up(known.token, any_caller(merchant));
    --vaultd.callers;
    if (vaultd.is_dead()) co_return;
    if (!view) co_return expect_reason(view.error(), known, merchant);
    EXPECT_EQ(merchant, known.merchant) << "merchants share a token";
    EXPECT_FALSE(was_gone) << "gone, and back";
    EXPECT_FALSE(known.is_over(begun_us)) << "a life too long";
    expect_limits(*view, known);
    if (known.usage_limit) {
      EXPECT_GE(view->usage_count, static_cast<std::int64_t>(paid)) << "a use was not counted";
      EXPECT_LE(view->usage_count, static_cast<std::int64_t>(known.tried.size()));
    }
  }

  async::Task<> use_one(Known& known) {
    const std::string merchant = any_merchant_for(known);
    const bool own = merchant == known.merchant;
    const std::string payment = "pay_" + std::to_string(turns_.below(6));
    const Caller who = any_caller(merchant);
    PlayedVaultd& vaultd = any_vaultd();
    const bool was_gone = known.gone;
    const bool was_paid = known.paid.contains(payment);
    const std::int64_t begun_us = clock_.now;
    const std::int64_t nth = begin(vaultd, Act::resolve, who);
    if (own) known.tried.insert(payment);
    const auto resolved = co_await vaultd.vault.resolve(known.token, ask(payment), "ticket", who);
    --vaultd.callers;
    if (vaultd.is_dead()) co_return;
    if (!resolved && resolved.error().type == ProblemType::rate_limited) {
      EXPECT_GT(nth, kKeyBudget.identity) << "refused within its budget";
      co_return;
    }
    // What is over its budget says so in the log first.
    const bool unlogged = !resolved && resolved.error().type == ProblemType::audit_unavailable;
    if (!unlogged) pass(vaultd, Act::resolve, who);
    if (!resolved && resolved.error().type == ProblemType::token_used_up) {
      EXPECT_TRUE(own);
      const bool spent =
          known.usage_limit && static_cast<std::int64_t>(known.tried.size()) > *known.usage_limit;
      // A card that goes this moment is told so the next time.
      EXPECT_TRUE((spent && !was_paid) || known.may_be_gone(clock_.now))
          << "used up below its limit, or a payment was counted twice";
      co_return;
    }
    if (!resolved) co_return expect_reason(resolved.error(), known, merchant);
    EXPECT_TRUE(own) << "merchants share a token";
    EXPECT_FALSE(was_gone) << "gone, and paid with";
    EXPECT_FALSE(known.is_over(begun_us)) << "a life too long";
    known.paid.insert(payment);
    if (known.usage_limit) {
      EXPECT_LE(static_cast<std::int64_t>(known.paid.size()), *known.usage_limit) << "one too many";
    }
  }

  async::Task<> erase_one(Known& known) {
    const std::string merchant = any_merchant_for(known);
    co_await erase_as(known, any_caller(merchant));
  }
  async::Task<> erase_as(Known& known, Caller who) {
    const std::string merchant = who.merchant;
    const bool own = merchant == known.merchant;
    PlayedVaultd& vaultd = any_vaultd();
    ++vaultd.callers;
    const std::optional<std::int64_t> held_at_us = known.held_at_us;
    const bool was_first = !known.may_be_held;
    const int decisions = decisions_begun_;
    bool undecided = decisions_ended_ == decisions;
    const bool was_gone = known.gone, was_sound = !known.may_be_gone(clock_.now);
    if (own) {
      ++known.deletes_under_way;
      known.may_be_held = true;
      known.deleters.insert(who.subject);
      deletes_.push_back({merchant, who.subject});
    }
    const auto erased = co_await vaultd.vault.erase(known.token, who);
    --vaultd.callers;
    if (own) --known.deletes_under_way;
    if (vaultd.is_dead() || !erased) {
      known.may_be_deleted |= own;
      if (!vaultd.is_dead()) expect_reason(erased.error(), known, merchant);
      co_return;
    }
    EXPECT_TRUE(own) << "merchants share a token";
    if (!erased->held_at_us) {
      if (held_at_us && held_at_us == known.held_at_us) {
        EXPECT_TRUE(known.may_be_gone(clock_.now)) << "a held delete was carried out";
      }
      if (was_sound && !known.may_be_released && !known.is_over(clock_.now)) {
        erased_.push_back(&known);
      }
      known.gone = true;
      co_return;
    }
    EXPECT_TRUE(!was_gone || known.is_over(clock_.now)) << "gone, and back";
    if (held_at_us && held_at_us == known.held_at_us) {
      EXPECT_EQ(erased->held_at_us, held_at_us);
    }
    if (was_first && known.deleters.size() == 1) expect_budget_spent(merchant, who.subject);
    // An operator who decided meanwhile may have been later.
    undecided &= decisions_begun_ == decisions;
    if (undecided) known.held_at_us = erased->held_at_us;
  }

  // --- What happens beside -----------------------------------------------------------------------

  // A stolen key erases all that there is.
  void burst(Caller who) {
    const auto erase_it = [](OrdersTest& test, Known& known, Caller by) -> async::Task<> {
      co_await test.turns_.turn();
      co_await test.erase_as(known, std::move(by));
      --test.open_;
    };
    for (Known& known : known_) {
      const bool sound = known.merchant == who.merchant && !known.may_be_gone(clock_.now);
      if (sound) open(erase_it(*this, known, who));
    }
  }
  async::Task<> purge() {
    co_await turns_.turn();
    PlayedVaultd& vaultd = any_vaultd();
    ++vaultd.callers;
    PurgeJob job({loop_, vaultd.cards, vaultd.vault, vaultd.recorder, random_, clock_,
                  std::chrono::hours(0)});
    co_await job.run_once();
    --vaultd.callers;
    --open_;
  }
  // An operator decides on what a merchant has waiting.
  async::Task<> decide() {
    co_await turns_.turn();
    const std::string merchant = any_merchant();
    ++decisions_begun_;
    const Decision decision = turns_.one_in(2) ? Decision::release : Decision::refuse;
    for (Known& known : known_) {
      if (known.merchant != merchant) continue;
      known.held_at_us.reset();
      if (decision == Decision::release) known.may_be_released |= known.may_be_held;
    }
    PlayedVaultd& vaultd = any_vaultd();
    ++vaultd.callers;
    DeleteDesk desk({vaultd.held_deletes, keys_->ring, vaultd.recorder, random_, clock_});
    DeleteDesk::Chosen chosen{merchant, ""};
    const auto decided = co_await desk.decide(decision, std::move(chosen), "uid:7");
    if (!decided && decided.error().type != ProblemType::not_found && !vaultd.is_dead()) {
      expect_excused(decided.error());
    }
    ReleaseJob job({loop_, vaultd.held_deletes, vaultd.vault, clock_, metrics_});
    co_await job.run_once();
    --vaultd.callers;
    ++decisions_ended_;
    --open_;
  }
  async::Task<> let_time_pass() {
    for (std::size_t i = turns_.below(20); i > 0; --i) co_await turns_.turn();
    clock_.now += static_cast<std::int64_t>(turns_.below(20)) * kMinuteUs;
    --open_;
  }
  // kill -9, and a new start, which closes what the log has open before it serves.
  async::Task<> restart(Place& place) {
    for (std::size_t i = turns_.below(30); i > 0; --i) co_await turns_.turn();
    PlayedVaultd& killed = *place.runs.back();
    killed.kill();
    place.down = true;
    while (killed.callers > 0) co_await turns_.turn();
    start(place);
    for (;;) {
      const auto recovered = co_await place.runs.back()->vault.close_open_intents();
      if (recovered) break;
    }
    place.down = false;
    --open_;
  }

  // --- What must be so ---------------------------------------------------------------------------

  // Why a neighbor's fault made it fail; nothing else is a reason.
  void expect_excused(const wire::Problem& problem) {
    const bool fault = problem.type == ProblemType::database_unavailable ||
                       problem.type == ProblemType::audit_unavailable;
    // overloaded: somebody else changed the card this moment, or this machine was too slow.
    EXPECT_TRUE((fault && turns_.faults) || problem.type == ProblemType::overloaded)
        << wire::kind_of(problem.type).slug;
  }
  // Why a token is not to be had by this merchant.
  void expect_reason(const wire::Problem& problem, Known& known, const std::string& merchant) {
    switch (problem.type) {
      case ProblemType::not_found:
        EXPECT_NE(merchant, known.merchant) << "a token is lost";
        return;
      case ProblemType::token_deleted:
        EXPECT_EQ(merchant, known.merchant) << "another merchant learns of the token";
        EXPECT_TRUE(known.gone || known.may_be_deleted || known.may_be_released ||
                    known.deletes_under_way > 0)
            << "nobody deleted it";
        known.gone = true;
        return;
      case ProblemType::token_expired:
        EXPECT_EQ(merchant, known.merchant) << "another merchant learns of the token";
        EXPECT_TRUE(known.is_over(clock_.now)) << "a life too short";
        known.gone = true;
        return;
      default:
        expect_excused(problem);
    }
  }
  void expect_limits(const TokenView& view, const Known& known) {
    EXPECT_EQ(view.expires_at_us, known.expires_at_us) << "another life";
    EXPECT_EQ(view.usage_limit, known.usage_limit) << "another limit";
  }
  [[nodiscard]] bool was_sent(const TokenView& view, const Sent& by) const {
    return std::ranges::any_of(sent_, [&](const Sent& one) {
      return one.merchant == by.merchant && one.number == by.number &&
             one.expires_at_us == view.expires_at_us && one.usage_limit == view.usage_limit;
    });
  }
  Known* find(const PublicToken& token) {
    const auto found = std::ranges::find(known_, token, &Known::token);
    return found == known_.end() ? nullptr : &*found;
  }
  const Known* surely_live(const Sent& sent) const {
    const auto found = std::ranges::find_if(known_, [&](const Known& one) {
      return one.merchant == sent.merchant && one.number == sent.number &&
             !one.may_be_gone(clock_.now);
    });
    return found == known_.end() ? nullptr : &*found;
  }

  static std::string likeness_of(const std::string& merchant, const std::string& number) {
    return merchant + number.substr(0, 6) + number.substr(number.size() - 4);
  }
  // Cards that count as new at that time, of those that were known first.
  [[nodiscard]] std::int64_t surely_alike(const std::string& like, std::size_t known_first,
                                          std::int64_t now_us) const {
    return std::count_if(known_.begin(), known_.begin() + static_cast<std::ptrdiff_t>(known_first),
                         [&](const Known& one) {
                           return one.created_at_us > now_us - kDayUs &&
                                  likeness_of(one.merchant, one.number) == like;
                         });
  }
  // Also those that requests may have added that were told nothing.
  [[nodiscard]] std::int64_t maybe_alike(const std::string& like, std::int64_t now_us) {
    std::int64_t count = surely_alike(like, known_.size(), now_us);
    for (const auto& [at_us, requests] : maybe_alike_[like]) {
      if (at_us > now_us - kDayUs) count += requests;
    }
    return count;
  }

  // The how many-th act of its key this is at this vaultd, whose budgets are its own.
  static std::int64_t begin(PlayedVaultd& vaultd, Act act, const Caller& who) {
    ++vaultd.callers;
    return ++vaultd.spent[{act, who.subject}].begun;
  }
  static void pass(PlayedVaultd& vaultd, Act act, const Caller& who) {
    using Seconds = std::chrono::duration<double>;
    const Seconds ran = std::chrono::steady_clock::now() - vaultd.began;
    const auto back = static_cast<std::int64_t>(ran.count() * kKeyBudget.identity / 60);
    const std::int64_t passed = ++vaultd.spent[{act, who.subject}].passed;
    EXPECT_LE(passed, kKeyBudget.identity + back) << "more than its budget";
  }
  void expect_budget_spent(const std::string& merchant, const std::string& key) const {
    // A request that waited while minutes passed owes more than it knows.
    if (clock_.now != round_began_us_) return;
    std::int64_t of_merchant = 0, of_key = 0;
    for (const Delete& one : deletes_) {
      of_merchant += one.merchant == merchant ? 1 : 0;
      of_key += one.key == key ? 1 : 0;
    }
    EXPECT_TRUE(of_merchant > kDeleteBudget.merchant || of_key > kDeleteBudget.identity)
        << "held within its budget: " << of_merchant << " of the merchant, " << of_key
        << " of the key";
  }
  // Cards that went in this round by deletes alone: what was full then, and has come back since.
  void expect_deletes_within_budget() {
    const std::int64_t took_us = clock_.now - round_began_us_;
    const auto most = [took_us](std::int64_t per_minute) {
      return per_minute + took_us * per_minute / kMinuteUs;
    };
    std::map<std::string, std::int64_t> counts;
    for (const Known* one : erased_) {
      ++counts[one->merchant];
      if (one->deleters.size() == 1) ++counts[*one->deleters.begin()];
    }
    for (const auto& [holder, count] : counts) {
      const bool is_merchant = holder.starts_with("mer_");
      EXPECT_LE(count, most(is_merchant ? kDeleteBudget.merchant : kDeleteBudget.identity))
          << holder << " deleted more than its budget";
    }
  }

  // When nothing is under way: every doubt is settled, and the rules hold to the letter.
  void check_in_quiet(bool all) {
    std::map<std::string, int> live;
    for (Known& known : known_) {
      if (known.gone && !all && !turns_.one_in(8)) continue;
      check_token(known);
      const int more = known.gone ? 0 : 1;
      EXPECT_LE(live[known.merchant + known.number] += more, 1) << "two live tokens of one card";
      if (HasFailure()) return;
    }
    EXPECT_TRUE(rows("SELECT token_id FROM cards WHERE deleted_at IS NOT NULL AND"
                     " (wrapped_dek IS NOT NULL OR fingerprint_odd IS NOT NULL OR fingerprint_even"
                     " IS NOT NULL OR card_sealed IS NOT NULL OR token_sealed IS NOT NULL OR"
                     " merchant_sealed IS NOT NULL OR details_sealed IS NOT NULL)")
                    .empty())
        << "a tombstone holds more than it may";
    EXPECT_TRUE(rows("SELECT token_id FROM cards WHERE usage_count > usage_limit").empty());
    check_logs();
  }
  void check_token(Known& known) {
    PlayedVaultd& vaultd = *places_[0].runs.back();
    for (const char* merchant : kMerchants) {
      Caller who = caller(merchant);
      const auto view = played(vaultd.vault.look_up(known.token, std::move(who)));
      if (!view) {
        expect_reason(view.error(), known, merchant);
        continue;
      }
      EXPECT_EQ(merchant, known.merchant) << "merchants share a token";
      EXPECT_FALSE(known.gone) << "gone, and back";
      EXPECT_FALSE(known.is_over(clock_.now)) << "a life too long";
      expect_limits(*view, known);
      known.may_be_deleted = false;
      if (!known.usage_limit) continue;
      EXPECT_GE(view->usage_count, static_cast<std::int64_t>(known.paid.size()));
      EXPECT_LE(view->usage_count, static_cast<std::int64_t>(known.tried.size()));
      EXPECT_LE(view->usage_count, *known.usage_limit) << "one too many";
    }
  }
  // Each intent has one outcome, and what the log says of a card's creation is so.
  void check_logs() {
    std::set<std::string> stored;
    for (const Place& place : places_) {
      std::set<OperationId> open;
      for (const audit::Entry& entry : place.log) {
        if (entry.phase == Phase::intent) {
          EXPECT_TRUE(open.insert(entry.operation_id).second);
        }
        if (entry.phase == Phase::outcome) {
          EXPECT_EQ(open.erase(entry.operation_id), 1U);
        }
        const bool created = entry.event_type == EventType::token_create &&
                             entry.phase == Phase::outcome && entry.outcome == Outcome::done;
        if (created) {
          EXPECT_TRUE(stored.insert(entry.gateway_token).second);
        }
      }
      EXPECT_TRUE(open.empty()) << "an intent without an outcome";
    }
    EXPECT_EQ(rows("SELECT token_id FROM cards").size(), stored.size())
        << "the log and the database tell of other cards";
    for (const Known& known : known_) EXPECT_TRUE(stored.contains(known.token.text()));
  }
  // A card that stands, sent once more: same, and changed, and never another life.
  void check_duplicate() {
    const Known* const known = any_token();
    if (known == nullptr || known->may_be_gone(clock_.now)) return;
    const std::string like = likeness_of(known->merchant, known->number);
    if (maybe_alike(like, clock_.now) >= kAlikeMax) return;
    const int year = 2030 + static_cast<int>(turns_.below(2));
    Sent sent{known->merchant, known->number, clock_.now + 1000 * kDayUs, 1'000'000, year};
    static_cast<void>(insist(sent));
    EXPECT_EQ(insist(sent), Duplicate::same);
    sent.exp_year = year == 2030 ? 2031 : 2030;
    EXPECT_EQ(insist(sent), Duplicate::changed);
  }
  // With whole budgets and no faults: as many cards go as the key may delete, and the others wait.
  void check_burst() {
    clock_.now += kMinuteUs;
    Caller thief = caller(any_merchant());
    thief.subject = "key_" + std::to_string(++keys_made_);
    const auto gone = [this] { return std::ranges::count(known_, true, &Known::gone); };
    const std::int64_t before = gone();
    burst(std::move(thief));
    play_until_done();
    EXPECT_LE(gone() - before, kDeleteBudget.identity) << "a burst of deletes was carried out";
  }
  // Again where this machine was too slow.
  std::optional<Duplicate> insist(const Sent& sent) {
    for (int i = 0; i < 10; ++i) {
      Caller who = caller(sent.merchant);
      who.subject = "key_" + std::to_string(++keys_made_);
      const auto view = played(tokenize_as(sent, std::move(who)));
      if (view) return view->duplicate;
    }
    return std::nullopt;
  }

  // --- The play ----------------------------------------------------------------------------------

  // The value of `task`, with turns for all.
  template <class T>
  T played(async::Task<T> task) {
    std::optional<T> value;
    auto keep = [](async::Task<T> one, std::optional<T>& out) -> async::Task<> {
      out.emplace(co_await std::move(one));
    };
    async::spawn(keep(std::move(task), value));
    loop_.run_until_done(turns_.play([&value] { return value.has_value(); }));
    return *std::move(value);
  }
  void open(async::Task<> task) {
    ++open_;
    async::spawn(std::move(task));
  }
  void play_until_done() {
    loop_.run_until_done(turns_.play([this] { return open_ == 0 && turns_.late == 0; }));
  }

  void round(bool all) {
    // What deletes are spent comes back, so that each round begins with whole budgets.
    clock_.now += kMinuteUs + static_cast<std::int64_t>(turns_.below(30)) * kMinuteUs;
    if (turns_.one_in(12)) clock_.now += kDayUs;
    round_began_us_ = clock_.now;
    deletes_.clear();
    erased_.clear();
    turns_.faults = !turns_.one_in(4);
    for (std::size_t i = 2 + turns_.below(kCallersMax - 1); i > 0; --i) {
      open(caller_of(1 + turns_.below(kActsMax)));
    }
    if (turns_.one_in(4)) {
      Caller thief = caller(any_merchant());
      thief.subject = "key_of_" + thief.merchant;
      burst(std::move(thief));
    }
    if (turns_.one_in(2)) open(purge());
    if (turns_.one_in(3)) open(decide());
    if (turns_.one_in(3)) open(let_time_pass());
    if (turns_.one_in(2)) open(restart(places_[turns_.below(2)]));
    play_until_done();
    turns_.faults = false;
    for (Place& place : places_) {
      if (!PlayedRecorder::open_in(place.log).empty()) open(restart(place));
      play_until_done();
    }
    expect_deletes_within_budget();
    check_in_quiet(all);
    check_duplicate();
    if (turns_.one_in(8)) check_burst();
  }

  const std::uint64_t seed_ = make_seed();
  Turns turns_{loop_, seed_, GetParam() == std::string_view("sqlite") ? 1U : 3U};
  std::array<Place, 2> places_;
  std::vector<std::string> numbers_;
  std::deque<Known> known_;
  std::vector<Sent> sent_;
  // Of a likeness, by time: requests that may have added a card, and were told of none.
  std::map<std::string, std::map<std::int64_t, std::int64_t>> maybe_alike_;
  struct Delete {
    std::string merchant;
    std::string key;
  };
  std::vector<Delete> deletes_;       // of this round
  std::vector<const Known*> erased_;  // of this round
  int decisions_begun_ = 0;
  int decisions_ended_ = 0;
  std::int64_t round_began_us_ = 0;
  std::size_t open_ = 0;
  int keys_made_ = 0;
};

TEST_P(OrdersTest, AnyOrderByCallersAtOnceWithFaultsKeepsTheRules) {
  const std::string how = fmt::format("STRONGROOM_SEED={} repeats this", seed_);
  SCOPED_TRACE(how);
  fmt::print("{}\n", how);
  std::fflush(stdout);
  const auto end = std::chrono::steady_clock::now() + duration();
  int rounds = 0;
  for (bool last = false; !last && !HasFailure(); ++rounds) {
    last = std::chrono::steady_clock::now() >= end;
    SCOPED_TRACE(fmt::format("round {}", rounds));
    round(last);
  }
  fmt::print("{} rounds, {} tokens\n", rounds, known_.size());
  EXPECT_GT(known_.size(), 4U);  // or the rounds were not what they should be
}

INSTANTIATE_TEST_SUITE_P(Databases, OrdersTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& of) { return std::string(of.param); });

}  // namespace
}  // namespace strongroom::cde
