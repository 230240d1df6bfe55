// The simulator without a socket: requests go through its routes as a server would send them.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/loop.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "crypto/random.h"
#include "http/router.h"
#include "simulators/stripe/simulator.h"

namespace strongroom::simulators::stripe::testing {

inline constexpr std::string_view kKey = "sk_test_one";

class SetClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override { return now; }
  std::int64_t now = std::int64_t{1'795'000'000} * 1'000'000;  // November 2026
};

struct Answer {
  int status = 0;
  boost::json::value body{};
  std::string text{};
  std::vector<std::pair<std::string, std::string>> headers{};
  http::Delivery delivery = http::Delivery::whole;

  [[nodiscard]] std::string header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
  // The text at a JSON Pointer; empty when it is absent or no text.
  [[nodiscard]] std::string at(std::string_view pointer) const {
    boost::system::error_code error;
    const boost::json::value* found = body.find_pointer(pointer, error);
    if (found == nullptr || !found->is_string()) return {};
    return std::string(found->get_string());
  }
  [[nodiscard]] std::int64_t number(std::string_view pointer) const {
    boost::system::error_code error;
    const boost::json::value* found = body.find_pointer(pointer, error);
    return found != nullptr && found->is_int64() ? found->get_int64() : -1;
  }
  [[nodiscard]] bool has(std::string_view pointer) const {
    boost::system::error_code error;
    return body.find_pointer(pointer, error) != nullptr;
  }
  [[nodiscard]] std::string code() const { return at("/error/code"); }
  [[nodiscard]] std::string param() const { return at("/error/param"); }
};

using Headers = std::vector<std::pair<std::string, std::string>>;

class SandboxFixture : public ::testing::Test {
 protected:
  SandboxFixture() { restart({}); }

  void restart(SimulatorOptions options) {
    auto made = Simulator::create(loop_, random_, clock_, options);
    ASSERT_TRUE(made.has_value());
    simulator_ = *std::move(made);
    router_ = std::make_unique<http::Router>();
    simulator_->add_routes(*router_);
  }

  async::Task<Answer> send(http::Method method, std::string target, std::string body,
                           Headers headers) {
    http::Head head{.method = method, .path = target, .query = {}, .fields = {}};
    if (const std::size_t question = target.find('?'); question != std::string::npos) {
      head.path = std::string_view(target).substr(0, question);
      head.query = std::string_view(target).substr(question + 1);
    }
    for (const auto& [name, value] : headers) head.fields.push_back({name, value});
    head.fields.push_back({"content-type", "application/x-www-form-urlencoded"});
    head.fields.push_back({"authorization", "Bearer sk_test_one"});
    const http::Peer peer;
    http::Request request(head, std::as_writable_bytes(std::span(body)), peer, "request");
    const http::Response response = co_await router_->dispatch(request);
    Answer answer{.status = response.status,
                  .body = {},
                  .text = response.body,
                  .headers = response.headers,
                  .delivery = response.delivery};
    boost::system::error_code error;
    answer.body = boost::json::parse(response.body, error);
    co_return answer;
  }
  Answer post(std::string target, std::string body, Headers headers = {}) {
    return loop_.run_until_done(
        send(http::Method::post, std::move(target), std::move(body), std::move(headers)));
  }
  Answer get(std::string target, Headers headers = {}) {
    return loop_.run_until_done(send(http::Method::get, std::move(target), {}, std::move(headers)));
  }
  Answer erase(std::string target) {
    return loop_.run_until_done(send(http::Method::delete_, std::move(target), {}, {}));
  }

  // The id of a new PaymentMethod of this number.
  std::string card(std::string_view number) {
    const Answer made = post("/v1/payment_methods", card_form(number));
    EXPECT_EQ(made.status, 200) << made.text;
    return made.at("/id");
  }
  static std::string card_form(std::string_view number) {
    return "type=card&card[number]=" + std::string(number) +
           "&card[exp_month]=12&card[exp_year]=2030&card[cvc]=123";
  }
  std::string customer() { return post("/v1/customers", "").at("/id"); }
  // A card attached to a new customer: "customer=...&payment_method=...".
  std::string stored(std::string_view number) {
    const std::string method = card(number);
    const std::string owner = customer();
    EXPECT_EQ(post("/v1/payment_methods/" + method + "/attach", "customer=" + owner).status, 200);
    return "customer=" + owner + "&payment_method=" + method;
  }
  // A payment in one call; `more` goes behind the usual parameters.
  Answer pay(const std::string& with, const std::string& more = "", Headers headers = {}) {
    return post("/v1/payment_intents",
                "amount=1099&currency=usd&confirm=true&payment_method_types[]=card&" + with + more,
                std::move(headers));
  }
  void fault(const std::string& json) {
    const Answer answer = post("/_sim/faults", json);
    EXPECT_EQ(answer.status, 204) << answer.text;
  }
  Answer charges() { return get("/_sim/charges"); }

  crypto::SystemRandom random_;
  SetClock clock_;
  async::Loop loop_;
  std::unique_ptr<Simulator> simulator_;
  std::unique_ptr<http::Router> router_;
};

}  // namespace strongroom::simulators::stripe::testing
