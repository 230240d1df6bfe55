// Making load: sessions that wait for their answers, or a schedule that waits for nobody.
#include "loadgen/worker.h"

#include <fmt/core.h>

#include <boost/json/value.hpp>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"
#include "loadgen/card_sequence.h"
#include "loadgen/null_connector.h"
#include "wire/json.h"
#include "wire/processor_token.h"

namespace strongroom::bench {
namespace {

using std::chrono::steady_clock;

// Requests of the open model that wait for a connection: a second of load at any rate that one
// machine reaches. Beyond it they are counted as failures, which no report may hide.
constexpr std::size_t kWaitingMax = 65'536;
constexpr std::chrono::seconds kTurnTimeout{60};
constexpr std::chrono::milliseconds kPoll{2};
constexpr int kUnavailable = 503;

std::size_t share(std::size_t whole, std::size_t parts, std::size_t index) {
  return whole / parts + (index < whole % parts ? 1 : 0);
}

http::ClientOptions authd_options(const Deployment& deployment) {
  return {.host = deployment.authd.host,
          .port = deployment.authd.port,
          .server_identity = "authd",
          .tls = deployment.tls,
          .connections_max = 1};
}

http::ClientOptions gateway_options(const Deployment& deployment, std::size_t connections) {
  return {.host = deployment.vault.host,
          .port = deployment.vault.port,
          .server_identity = "vaultd",
          .tls = deployment.gateway_tls,
          .connections_max = connections,
          .waiting_max = kWaitingMax,
          .turn_timeout = kTurnTimeout};
}

http::ClientOptions server_options(const Deployment& deployment, Target target,
                                   std::size_t connections) {
  const bool vault = target == Target::vault;
  const Endpoint& where = vault                    ? deployment.vault
                          : target == Target::edge ? deployment.edge
                                                   : deployment.processor;
  return {.host = where.host,
          .port = where.port,
          .server_identity = vault ? "vaultd" : "",
          .tls = vault ? deployment.tls : deployment.public_tls,
          .connections_max = connections,
          .waiting_max = kWaitingMax,
          .turn_timeout = kTurnTimeout};
}

// psp-sim takes any test key; this one is an account of its own.
constexpr std::string_view kProcessorAuthorization = "Bearer sk_test_of_the_load_generator";

std::string_view content_type(Target target) {
  return target == Target::processor ? "application/x-www-form-urlencoded" : "application/json";
}

std::string_view collection(Target target) {
  return target == Target::vault ? "/v1/cards" : "/v1/tokens";
}

// The one account whose processor tokens the vault keeps for the whole run.
constexpr std::string_view kKeptAccount = "acc_kept";
constexpr std::string_view kHandedOver = R"("created":true)";
constexpr std::string_view kKept = R"("created":false)";
constexpr std::size_t kMixedCycle = 5;  // one new card and four resolves

bool succeeded(const Shot& shot, const http::ClientResponse& answer) {
  return answer.status / 100 == 2 && answer.body.contains(shot.must_say);
}

}  // namespace

Worker::Worker(const Deployment& deployment, const LoadPlan& plan, std::size_t index)
    : deployment_(deployment),
      plan_(plan),
      index_(index),
      connections_(share(plan.connections, plan.threads, index)),
      authd_(loop_, authd_options(deployment)),
      server_(loop_, server_options(deployment, plan.target, connections_)),
      tickets_(authd_, deployment.authorization) {
  if (has_resolves(plan.mix)) gateway_.emplace(loop_, gateway_options(deployment, connections_));
}

Result<void> Worker::prepare() { return loop_.run_until_done(prepare_all()); }

Tally Worker::run(const Window& window) {
  loop_.run_until_done(drive(window));
  return tally_;
}

async::Task<Result<void>> Worker::prepare_all() {
  if (plan_.target == Target::vault) SR_CO_CHECK_OK(co_await tickets_.renew());
  if (plan_.mix == Mix::new_cards) co_return Result<void>{};
  pool_.resize(share(plan_.pool, plan_.threads, index_));
  for (std::size_t i = 0; i < connections_; ++i) async::spawn(fill_pool());
  co_await wait_for_answers();
  co_return filled_;
}

// Several at once make the pool, each the next shot of it.
async::Task<void> Worker::fill_pool() {
  ++under_way_;
  while (filled_ && next_to_fill_ < pool_.size()) {
    const std::size_t place = next_to_fill_++;
    Result<Shot> shot = co_await make_shot();
    if (shot) {
      pool_[place] = *std::move(shot);
    } else {
      filled_ = fail(shot.error());
    }
  }
  --under_way_;
}

async::Task<Result<Shot>> Worker::make_shot() {
  if (plan_.mix == Mix::sales) co_return co_await make_sale();
  if (has_resolves(plan_.mix)) co_return co_await make_resolve();
  std::string body = next_card();
  SR_CO_TRY(const std::string token, co_await make_card(body));
  std::string target(collection(plan_.target));
  if (plan_.mix == Mix::duplicates) {
    co_return Shot{http::Method::post, std::move(target), std::move(body)};
  }
  target.append("/").append(token);
  co_return Shot{http::Method::get, std::move(target), {}};
}

async::Task<Result<std::string>> Worker::make_card(std::string body) {
  Shot shot{http::Method::post, std::string(collection(plan_.target)), std::move(body)};
  co_return co_await make(std::move(shot));
}

async::Task<Result<std::string>> Worker::make(Shot shot) {
  SR_CO_TRY(const http::ClientResponse answer, co_await send(shot));
  const auto parsed = wire::parse_strict(answer.body, {});
  const boost::json::value* id =
      parsed && parsed->is_object() ? parsed->get_object().if_contains("id") : nullptr;
  if (answer.status / 100 != 2 || id == nullptr || !id->is_string()) {
    co_return fail(
        Error{ErrorCode::permission_denied, "a card was not taken (HTTP status)"}.with_detail(
            static_cast<std::uint32_t>(answer.status)));
  }
  co_return std::string(id->get_string());
}

// The first payment brings the card to the processor; those that are measured find it there.
async::Task<Result<Shot>> Worker::make_sale() {
  if (plan_.target == Target::processor) co_return co_await make_processor_sale();
  SR_CO_TRY(const std::string token, co_await make_card(next_card()));
  Shot sale{http::Method::post, "/v1/payments",
            fmt::format(R"({{"amount":1099,"currency":"USD","token":"{}"}})", token),
            fmt::format("first-{}", next_index()), R"("status":"captured")"};
  const auto first = co_await send(sale);
  if (!first) co_return fail(first.error());
  if (!succeeded(sale, *first)) {
    co_return fail({ErrorCode::permission_denied, "a first payment was not captured"});
  }
  co_return sale;
}

// As connectord does it: a customer, a card, and the card attached.
async::Task<Result<Shot>> Worker::make_processor_sale() {
  Shot new_customer{http::Method::post, "/v1/customers", "metadata[made_by]=loadgen"};
  SR_CO_TRY(const std::string customer, co_await make(std::move(new_customer)));
  Shot new_card{http::Method::post, "/v1/payment_methods",
                fmt::format("type=card&card[number]={}&card[exp_month]=12&card[exp_year]=2040",
                            test_pan(next_index()))};
  SR_CO_TRY(const std::string card, co_await make(std::move(new_card)));
  Shot attach{http::Method::post, fmt::format("/v1/payment_methods/{}/attach", card),
              fmt::format("customer={}", customer)};
  SR_CO_TRY(const std::string attached, co_await make(std::move(attach)));
  co_return Shot{http::Method::post,
                 "/v1/payment_intents",
                 fmt::format("amount=1099&currency=usd&customer={}&payment_method={}"
                             "&payment_method_types[0]=card&confirm=true"
                             "&capture_method=automatic",
                             customer, attached),
                 {},
                 R"("status":"succeeded")"};
}

// The pool holds cards that the vault has a processor token of, at one account; those that are to
// be handed over it has none of.
async::Task<Result<Shot>> Worker::make_resolve() {
  SR_CO_TRY(const std::string token, co_await make_card(next_card()));
  std::string target = fmt::format("/v1/cards/{}/processor-tokens", token);
  const bool handover = plan_.mix == Mix::handovers;
  Shot resolve = resolve_of(std::move(target), handover);
  if (handover) co_return resolve;
  const auto first = co_await send(resolve);
  if (!first) co_return fail(first.error());
  if (first->status != 200 || !first->body.contains(kHandedOver)) {
    co_return fail(
        Error{ErrorCode::permission_denied, "a card was not handed over (HTTP status)"}.with_detail(
            static_cast<std::uint32_t>(first->status)));
  }
  co_return resolve;
}

// For a payment of its own; a handover is at an account of its own, of which nothing is kept.
Shot Worker::resolve_of(std::string target, bool handover) {
  const std::uint64_t index = next_index();
  const std::string account = handover ? fmt::format("acc_{}", index) : std::string(kKeptAccount);
  std::string body = wire::processor_token_request_json(
      null_blob(wire::SealedKind::account, account), fmt::format("pay_{}", index));
  return {.method = http::Method::post,
          .target = std::move(target),
          .body = std::move(body),
          .must_say = handover ? kHandedOver : kKept,
          .as_gateway = true};
}

async::Task<void> Worker::drive(Window window) {
  co_await loop_.sleep_for(window.warmup_begin - steady_clock::now());
  if (plan_.rate) {
    co_await drive_open(window);
  } else {
    co_await drive_closed(window);
  }
  co_await wait_for_answers();
  co_await server_.close();
  if (gateway_) co_await gateway_->close();
  co_await authd_.close();
}

async::Task<void> Worker::drive_closed(Window window) {
  for (std::size_t i = 0; i < connections_; ++i) async::spawn(session(window));
  co_await loop_.sleep_for(window.end - steady_clock::now());
}

async::Task<void> Worker::session(Window window) {
  ++under_way_;
  for (;;) {
    const SteadyTime now = steady_clock::now();
    if (now >= window.end) break;
    co_await request(now, window.contains(now));
  }
  --under_way_;
}

// Thread i starts i periods of the whole schedule later, so that together they make one.
async::Task<void> Worker::drive_open(Window window) {
  const auto threads = static_cast<double>(plan_.threads);
  const std::chrono::duration<double> offset(static_cast<double>(index_) / *plan_.rate);
  Arrivals arrivals(
      window.warmup_begin + std::chrono::duration_cast<std::chrono::nanoseconds>(offset),
      window.end, *plan_.rate / threads);
  const auto fire = [](Worker& self, SteadyTime due, bool counts) -> async::Task<void> {
    ++self.under_way_;
    co_await self.request(due, counts);
    --self.under_way_;
  };
  while (const auto next = arrivals.next()) {
    co_await loop_.sleep_for(*next - steady_clock::now());
    while (const auto due = arrivals.take_due(steady_clock::now())) {
      async::spawn(fire(*this, *due, window.contains(*due)));
    }
  }
}

async::Task<void> Worker::wait_for_answers() {
  while (under_way_ > 0) co_await loop_.sleep_for(kPoll);  // every send has its time limit
}

async::Task<void> Worker::request(SteadyTime since, bool counts) {
  const Shot shot = next_shot();
  const Result<http::ClientResponse> answer = co_await send(shot);
  if (counts) count(shot, answer, since);
}

async::Task<Result<http::ClientResponse>> Worker::send(const Shot& shot) {
  http::ClientRequest request{
      .method = shot.method, .target = shot.target, .body = as_bytes(shot.body)};
  if (plan_.target == Target::vault) {
    if (tickets_.is_due(steady_clock::now())) SR_CO_CHECK_OK(co_await tickets_.renew());
    request.headers.emplace_back("Strongroom-Ticket", tickets_.current());
  } else if (plan_.target == Target::edge) {
    request.headers.emplace_back("Authorization", deployment_.authorization);
  } else {
    request.headers.emplace_back("Authorization", std::string(kProcessorAuthorization));
  }
  if (!shot.body.empty()) {
    request.headers.emplace_back("Content-Type", std::string(content_type(plan_.target)));
  }
  if (!shot.idempotency_key.empty()) {
    request.headers.emplace_back("Idempotency-Key", shot.idempotency_key);
  }
  http::Client& client = shot.as_gateway ? *gateway_ : server_;
  co_return co_await client.send(request);
}

Shot Worker::next_shot() {
  const bool card_due =
      plan_.mix == Mix::payments_and_cards && next_in_mix_++ % kMixedCycle == kMixedCycle - 1;
  if (plan_.mix == Mix::new_cards || card_due) {
    return {http::Method::post, std::string(collection(plan_.target)), next_card()};
  }
  const Shot& stored = pool_[next_in_pool_++ % pool_.size()];
  if (stored.as_gateway) return resolve_of(stored.target, plan_.mix == Mix::handovers);
  Shot shot = stored;
  if (plan_.mix == Mix::sales) shot.idempotency_key = fmt::format("sale-{}", next_index());
  return shot;
}

std::string Worker::next_card() { return token_request_body(next_index()); }

std::uint64_t Worker::next_index() {
  return plan_.first_card + tally_.cards_used++ * plan_.threads + index_;
}

void Worker::count(const Shot& shot, const Result<http::ClientResponse>& answer, SteadyTime since) {
  if (!answer) {
    ++tally_.failures[answer.error().code()];
    return;
  }
  if (answer->status / 100 == 2 && !succeeded(shot, *answer)) {
    ++tally_.failures[ErrorCode::unknown_outcome];
    return;
  }
  if (answer->status == kUnavailable && answer->header("retry-after").empty()) {
    ++tally_.failures[ErrorCode::corrupt];
    return;
  }
  ++tally_.statuses[answer->status];
  if (succeeded(shot, *answer)) tally_.latencies.record(steady_clock::now() - since);
}

}  // namespace strongroom::bench
