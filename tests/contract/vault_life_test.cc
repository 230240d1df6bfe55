// The token's whole life in any order: random steps against a model of a few lines, on each
// database, with callers at once and writes that fail. What must hold: one live token per card and
// merchant; a duplicate gives no longer life and no higher limit; what is expired or deleted never
// matches again and says so for good; merchants share nothing.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cde/vault/purge_job.h"
#include "contract/each_database.h"
#include "contract/resolve_fixture.h"

namespace strongroom::cde {
namespace {

constexpr std::int64_t kHourUs = 3'600'000'000;
constexpr int kSteps = 500;
constexpr std::size_t kAtOnceMax = 6;
constexpr std::array kMerchants{"mer_a", "mer_b"};
constexpr std::array kNumbers{"4242424242424242", "5555555555554444", "378282246310005"};

enum class State : std::uint8_t { live, deleted, purged };

// A token as it must be.
struct Modeled {
  std::string merchant;
  std::string number;
  PublicToken token;
  std::optional<std::int64_t> expires_at_us;
  std::optional<std::int64_t> usage_limit;
  std::int64_t usage_count = 0;
  std::set<std::string> payments{};  // that used a token with a limit
  int exp_year = 0;
  std::string name{};
  State state = State::live;
};

// What a step asks for when it adds a card.
struct Sent {
  std::string merchant;
  std::string number;
  std::optional<std::int64_t> expires_at_us;
  std::optional<std::int64_t> usage_limit;
  int exp_year;
  std::string name;
};

class LifeTest : public OnEachDatabase<ResolveTest> {
 protected:
  LifeTest() {
    const char* given = std::getenv("STRONGROOM_SEED");
    seed_ = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    dice_.seed(seed_);
    // Cards that come and go by the hundred are no guesses here.
    cards_ = std::make_unique<CardStore>(loop_, *lossy_, 60'000);
    make_vault({});
  }

  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(dice_);
  }
  bool one_in(std::size_t count) { return below(count) == 0; }

  // Each with a key of its own: what a key may do is bounded elsewhere.
  Caller any_caller(const std::string& merchant) {
    Caller who = caller(merchant);
    who.subject = "key_" + std::to_string(++callers_);
    return who;
  }
  Sent any_card() {
    Sent sent{.merchant = kMerchants[below(kMerchants.size())],
              .number = kNumbers[below(kNumbers.size())],
              .expires_at_us = std::nullopt,
              .usage_limit = std::nullopt,
              .exp_year = one_in(4) ? 2031 : 2030,
              .name = std::array{"", "Ada", "Grace"}[below(3)]};
    if (one_in(2))
      sent.expires_at_us = clock_.now + static_cast<std::int64_t>(1 + below(3)) * kHourUs;
    if (one_in(2)) sent.usage_limit = static_cast<std::int64_t>(1 + below(3));
    return sent;
  }
  TokenRequest request_of(const Sent& sent) {
    const std::string name = sent.name.empty() ? "" : R"(,"name":")" + sent.name + '"';
    TokenRequest body = request(name, "", sent.number);
    body.expiry = *ExpiryDate::create(12, static_cast<std::uint16_t>(sent.exp_year));
    body.expires_at_us = sent.expires_at_us;
    body.usage_limit = sent.usage_limit;
    return body;
  }

  [[nodiscard]] bool is_over(const Modeled& token) const {
    return token.state == State::purged ||
           (token.expires_at_us && *token.expires_at_us <= clock_.now);
  }
  Modeled* live(const Sent& sent) {
    for (Modeled& one : tokens_) {
      const bool same = one.merchant == sent.merchant && one.number == sent.number;
      if (same && one.state == State::live && !is_over(one)) return &one;
    }
    return nullptr;
  }
  // What the owner is told of a token that is not to be had.
  [[nodiscard]] std::optional<ProblemType> trouble(const Modeled& token) const {
    if (token.state == State::deleted) return ProblemType::token_deleted;
    if (is_over(token)) return ProblemType::token_expired;
    return std::nullopt;
  }
  static std::optional<ProblemType> problem_of(const auto& answer) {
    return answer ? std::nullopt : std::optional(answer.error().type);
  }
  // A write that fails, now and then: then nothing has happened.
  void maybe_lose_a_write() {
    if (one_in(8)) lossy_->fates = {LossyDatabase::Fate::refused};
  }
  template <class T>
  bool was_lost(const Answer<T>& answer) {
    const bool used = lossy_->fates.empty();
    lossy_->fates.clear();
    return used && problem_of(answer) == ProblemType::database_unavailable;
  }

  void expect_view(const TokenView& view, const Modeled& token) {
    EXPECT_EQ(view.token, token.token);
    EXPECT_EQ(view.expires_at_us, token.expires_at_us);
    EXPECT_EQ(view.usage_limit, token.usage_limit);
    EXPECT_EQ(view.expiry.year(), token.exp_year);
  }
  void take_new(const Sent& sent, const TokenView& view) {
    for (const Modeled& known : tokens_) EXPECT_NE(known.token, view.token);
    tokens_.push_back({.merchant = sent.merchant,
                       .number = sent.number,
                       .token = view.token,
                       .expires_at_us = sent.expires_at_us,
                       .usage_limit = sent.usage_limit,
                       .exp_year = sent.exp_year,
                       .name = sent.name});
    expect_view(view, tokens_.back());
  }

  void step_tokenize() {
    const Sent sent = any_card();
    maybe_lose_a_write();
    const auto view = tokenize(request_of(sent), any_caller(sent.merchant));
    if (was_lost(view)) return;
    ASSERT_TRUE(view);
    Modeled* const there = live(sent);
    if (there == nullptr) {
      EXPECT_EQ(view->duplicate, Duplicate::new_card);
      take_new(sent, *view);
      return;
    }
    const bool changed =
        there->exp_year != sent.exp_year || (!sent.name.empty() && sent.name != there->name);
    EXPECT_EQ(view->duplicate, changed ? Duplicate::changed : Duplicate::same);
    there->exp_year = sent.exp_year;
    if (!sent.name.empty()) there->name = sent.name;
    expect_view(*view, *there);
  }

  // The same card by several callers, each with other limits: one adds it, whose limits stand.
  void step_tokenize_at_once() {
    std::vector<Sent> sent(2 + below(kAtOnceMax - 1), any_card());
    for (Sent& one : sent) one.usage_limit = static_cast<std::int64_t>(1 + below(9));
    std::vector<std::optional<Answer<TokenView>>> views(sent.size());
    std::size_t left = sent.size();
    auto add = [](Vault& vault, TokenRequest body, Caller who,
                  std::optional<Answer<TokenView>>& out, std::size_t& open) -> async::Task<> {
      out.emplace(co_await vault.tokenize(std::move(body), std::move(who)));
      --open;
    };
    const bool was_there = live(sent[0]) != nullptr;
    // A name or expiry that differs would be kept by one and make another try again.
    if (Modeled* const there = live(sent[0])) {
      for (Sent& one : sent) one.exp_year = there->exp_year, one.name = there->name;
    }
    for (std::size_t i = 0; i < sent.size(); ++i) {
      async::spawn(add(*vault_, request_of(sent[i]), any_caller(sent[i].merchant), views[i], left));
    }
    run_until([&left] { return left == 0; });
    std::size_t added = 0;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      ASSERT_TRUE(*views[i]);
      if ((*views[i])->duplicate != Duplicate::new_card) continue;
      ++added;
      take_new(sent[i], **views[i]);
    }
    EXPECT_EQ(added, was_there ? 0U : 1U);
    const Modeled* const there = live(sent[0]);
    ASSERT_NE(there, nullptr);
    for (const auto& view : views) expect_view(**view, *there);
  }

  void step_look_up(const Modeled& token, const std::string& merchant) {
    SR_CHECK(loop_.run_until_done(uses_->flush()));
    const auto view = look_up(token.token, any_caller(merchant));
    if (merchant != token.merchant) {
      EXPECT_EQ(problem_of(view), ProblemType::not_found);
    } else if (const auto problem = trouble(token)) {
      EXPECT_EQ(problem_of(view), problem);
    } else {
      ASSERT_TRUE(view);
      expect_view(*view, token);
      EXPECT_EQ(view->usage_count, token.usage_count);
    }
  }

  void step_erase(Modeled& token, const std::string& merchant) {
    if (one_in(8)) lossy_->refused_writes = 1;
    const auto erased = erase(token.token, any_caller(merchant));
    const bool lost = std::exchange(lossy_->refused_writes, 0) == 0 &&
                      problem_of(erased) == ProblemType::database_unavailable;
    if (lost) return;
    if (merchant != token.merchant) {
      EXPECT_EQ(problem_of(erased), ProblemType::not_found);
      return;
    }
    EXPECT_TRUE(erased);  // also again
    if (token.state == State::live) token.state = State::deleted;
  }

  void step_resolve(Modeled& token, const std::string& merchant) {
    const std::string payment = "pay_" + std::to_string(below(8));
    const auto resolved = resolve(token.token, ask(payment), any_caller(merchant));
    if (merchant != token.merchant) {
      EXPECT_EQ(problem_of(resolved), ProblemType::not_found);
      return;
    }
    if (const auto problem = trouble(token)) {
      EXPECT_EQ(problem_of(resolved), problem);
      return;
    }
    const bool again = token.payments.contains(payment);
    if (token.usage_limit && !again && token.usage_count == *token.usage_limit) {
      EXPECT_EQ(problem_of(resolved), ProblemType::token_used_up);
      return;
    }
    EXPECT_TRUE(resolved);
    if (!token.usage_limit || token.payments.insert(payment).second) ++token.usage_count;
  }

  // Payments of their own at once: as many succeed as there are uses left.
  void step_resolve_at_once(Modeled& token) {
    if (trouble(token) || !token.usage_limit) return;
    std::vector<std::pair<PublicToken, wire::ProcessorTokenRequest>> all;
    std::vector<std::string> payments;
    for (std::size_t i = 0; i < 2 + below(kAtOnceMax); ++i) {
      payments.push_back("pay_at_once_" + std::to_string(++callers_));
      all.emplace_back(token.token, ask(payments.back()));
    }
    const auto room = static_cast<std::size_t>(*token.usage_limit - token.usage_count);
    const std::size_t served = std::min(room, all.size());
    EXPECT_EQ(resolve_at_once(all, token.merchant), static_cast<int>(served));
    token.usage_count += static_cast<std::int64_t>(served);
  }

  void step_purge() {
    PurgeJob job({loop_, *cards_, *vault_, recorder_, random_, clock_, std::chrono::hours(0)});
    std::uint64_t due = 0;
    for (Modeled& one : tokens_) {
      if (one.state != State::live || !is_over(one)) continue;
      one.state = State::purged;
      ++due;
    }
    EXPECT_EQ(loop_.run_until_done(job.run_once()).erased, due);
  }

  [[nodiscard]] auto entries(Phase phase) const {
    return std::ranges::count(recorder_.entries, phase, &audit::Entry::phase);
  }

  void step() {
    const std::size_t kind = below(20);
    if (kind < 6 || tokens_.empty()) return step_tokenize();
    if (kind < 8) return step_tokenize_at_once();
    // Mostly one of the newest, which is likelier alive, and its owner.
    const std::size_t newest = std::min<std::size_t>(tokens_.size(), 6);
    Modeled& token =
        one_in(5) ? tokens_[below(tokens_.size())] : tokens_[tokens_.size() - 1 - below(newest)];
    const std::string merchant = one_in(5) ? kMerchants[below(2)] : token.merchant;
    if (kind < 10) return step_look_up(token, merchant);
    if (kind < 13) return step_erase(token, merchant);
    if (kind < 16) return step_resolve(token, merchant);
    if (kind < 17) return step_resolve_at_once(token);
    if (kind < 18) return step_purge();
    clock_.now += static_cast<std::int64_t>(below(120)) * 60'000'000;
  }

  std::uint64_t seed_ = 0;
  std::mt19937_64 dice_;
  std::vector<Modeled> tokens_;
  int callers_ = 0;
};

TEST_P(LifeTest, AnyOrderOfStepsKeepsTheRules) {
  const std::string how = fmt::format("STRONGROOM_SEED={} repeats this", seed_);
  SCOPED_TRACE(how);
  fmt::print("{}\n", how);
  for (int i = 0; i < kSteps && !HasFailure(); ++i) {
    SCOPED_TRACE(fmt::format("step {}", i));
    step();
  }
  ASSERT_GT(tokens_.size(), 12U);  // or the steps were not what they should be
  std::size_t alive = 0;
  for (const Modeled& one : tokens_) {
    for (const char* merchant : kMerchants) step_look_up(one, merchant);
    if (one.state == State::live) ++alive;
  }
  run_until([this] {
    return entries(Phase::outcome) == entries(Phase::intent);
  });  // what failed is settled later
  expect_balanced();
  EXPECT_EQ(rows("SELECT token_id FROM cards WHERE deleted_at IS NULL").size(), alive);
  EXPECT_EQ(rows("SELECT token_id FROM cards").size(), tokens_.size());
}

TEST_P(LifeTest, AHundredAtOnceUseALimitOfOneOnce) {
  const PublicToken token = add("", R"(,"usage_limit":1)");
  std::vector<std::pair<PublicToken, wire::ProcessorTokenRequest>> all;
  for (int i = 0; i < 100; ++i) all.emplace_back(token, ask("pay_" + std::to_string(i)));
  EXPECT_EQ(resolve_at_once(all), 1);
  EXPECT_EQ(look_up(token)->usage_count, 1);
  expect_balanced();
}

INSTANTIATE_TEST_SUITE_P(Databases, LifeTest, ::testing::Values("sqlite", "unix"),
                         [](const auto& of) { return std::string(of.param); });

}  // namespace
}  // namespace strongroom::cde
