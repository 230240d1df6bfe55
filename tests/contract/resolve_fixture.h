// What tests share that resolve tokens: accounts, requests, and callers that come at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cde/vault/removal_job.h"
#include "contract/vault_fixture.h"
#include "wire/sealed_head.h"

namespace strongroom::cde {

// A blob with a true head, as connectord makes one (docs/formats/connector-seal.md).
inline std::string account_blob(std::string_view account_id) {
  std::vector<std::byte> bytes{std::byte{1}, {}, {}, {}, std::byte{1}, std::byte{1}};
  const auto add = [&bytes](std::string_view text) {
    bytes.push_back(static_cast<std::byte>(text.size()));
    for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  };
  add("stripe");
  add(account_id);
  bytes.resize(bytes.size() + 64);
  return base64url(bytes);
}

class ResolveTest : public VaultTest {
 protected:
  using VaultTest::VaultTest;
  static wire::ProcessorTokenRequest ask(const std::string& payment,
                                         std::string_view account_id = "acc_1",
                                         std::string stale = {}) {
    const std::string account = account_blob(account_id);
    const auto body = wire::processor_token_request_json(account, payment);
    auto parsed = wire::parse_processor_token_request(body);
    SR_CHECK(parsed);
    parsed->stale = std::move(stale);
    return *std::move(parsed);
  }
  Answer<Resolved> resolve(const PublicToken& token, wire::ProcessorTokenRequest what,
                           Caller who = caller()) {
    return loop_.run_until_done(
        vault_->resolve(token, std::move(what), "the.ticket", std::move(who)));
  }
  static wire::ProcessorTokenAnswer given(const Answer<Resolved>& resolved) {
    const auto* answer = resolved ? std::get_if<wire::ProcessorTokenAnswer>(&*resolved) : nullptr;
    return answer ? *answer : wire::ProcessorTokenAnswer{};
  }
  PublicToken add(const std::string& more = "", const std::string& outer = "") {
    const auto view = tokenize(request(more, outer));
    SR_CHECK(view);
    return view->token;
  }
  std::int64_t uses(const PublicToken& token) {
    SR_CHECK(loop_.run_until_done(uses_->flush()));
    return look_up(token)->usage_count;
  }
  // Lets all of them resolve at once, each for a payment of its own; gives how many were served.
  int resolve_at_once(const std::vector<std::pair<PublicToken, wire::ProcessorTokenRequest>>& all,
                      const std::string& merchant = "mer_a") {
    int left = 0, served = 0;
    auto one = [](Vault& vault, PublicToken which, wire::ProcessorTokenRequest what, Caller who,
                  int& open, int& done) -> async::Task<> {
      const auto resolved = co_await vault.resolve(which, std::move(what), "t", std::move(who));
      if (resolved) ++done;
      --open;
    };
    for (const auto& [token, what] : all) {
      ++left;
      async::spawn(one(*vault_, token, what, caller(merchant), left, served));
    }
    run_until([&left] { return left == 0; });
    return served;
  }
  // Begins a payment whose card stands at the connector, which has not answered yet.
  void pay_until_handed_over(const PublicToken& token, std::optional<Answer<Resolved>>& answer) {
    stored_cards_.paused = true;
    begin(token, ask("pay_1"), answer);
    run_until([this] { return !stored_cards_.bodies.empty(); });
  }
  void begin(const PublicToken& token, wire::ProcessorTokenRequest what,
             std::optional<Answer<Resolved>>& answer) {
    auto pay = [](Vault& vault, PublicToken which, wire::ProcessorTokenRequest asked,
                  std::optional<Answer<Resolved>>& out) -> async::Task<> {
      out.emplace(co_await vault.resolve(which, std::move(asked), "t", caller()));
    };
    async::spawn(pay(*vault_, token, std::move(what), answer));
  }
  template <class Done>
  void run_until(const Done& done) {
    auto wait = [](async::Loop& loop, const Done& over) -> async::Task<> {
      while (!over()) co_await loop.sleep_for(std::chrono::milliseconds(1));
    };
    loop_.run_until_done(wait(loop_, done));
  }
  std::size_t run_removals() {
    RemovalJob job(
        {loop_, *processor_tokens_, stored_cards_, recorder_, random_, clock_, metrics_});
    return loop_.run_until_done(job.run_once());
  }
  std::size_t queued() { return rows("SELECT tries FROM removals").size(); }
};

}  // namespace strongroom::cde
