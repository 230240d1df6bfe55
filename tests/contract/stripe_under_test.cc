// psp-sim started beside the suite, and its control interface.
#include "stripe_under_test.h"

#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fstream>
#include <thread>

#include "base/encoding.h"
#include "base/try.h"
#include "cde/connectors/stripe/stripe_connector.h"
#include "http/internal/socket.h"
#include "http/testing/authority.h"
#include "support/temporary_directory.h"

namespace strongroom::test {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using payments::DeclineClass;

constexpr int kStartAttempts = 400;
constexpr auto kStartStep = 25ms;

std::uint16_t free_port() {
  const auto socket = http::internal::listen_tcp("127.0.0.1", 0);
  SR_CHECK(socket.has_value());
  return http::internal::local_port(socket->get());
}

std::string_view path_of(Request request) {
  switch (request) {
    case Request::charge:
      return "/v1/payment_intents";
    case Request::capture:
      return "/v1/payment_intents/*/capture";
    case Request::void_:
      return "/v1/payment_intents/*/cancel";
    case Request::refund:
      return "/v1/refunds";
    case Request::first_of_store:
      return "/v1/payment_methods";
    case Request::last_of_store:
      return "/v1/payment_methods/*/attach";
    case Request::first_of_remove:
      return "/v1/payment_methods/*/detach";
    case Request::last_of_remove:
      return "/v1/customers/*";
    case Request::look_up:
      return "/v1/payment_intents/*";
  }
  std::unreachable();
}

std::string_view kind_of(Fault fault) {
  switch (fault) {
    case Fault::silence:
      return "timeout";
    case Fault::reset:
      return "reset";
    case Fault::unavailable:
      return "503";
    case Fault::garbage:
      return "garbage";
    case Fault::huge:
      return "huge";
    case Fault::slow:
      return "slow";
    case Fault::other_payment:
      return "other_id";
  }
  std::unreachable();
}

class StripeUnderTest final : public ConnectorUnderTest {
 public:
  StripeUnderTest() {
    const http::TlsOptions tls = authority_.options("psp-sim");
    write("psp.crt", tls.certificate_pem);
    write("psp.key", std::string(as_text(tls.key_pem.reveal())));
    start();
  }
  ~StripeUnderTest() override {
    loop_.run_until_done(control_->close());
    ::kill(child_, SIGTERM);
    ::waitpid(child_, nullptr, 0);
  }

  std::unique_ptr<cde::Connector> connect(async::Loop& loop,
                                          std::chrono::milliseconds answer_timeout) override {
    http::ClientOptions options = to(port_);
    options.response_timeout = answer_timeout;
    return std::make_unique<cde::stripe::StripeConnector>(loop, std::move(options));
  }
  std::unique_ptr<cde::Connector> connect_to_nobody(async::Loop& loop) override {
    return std::make_unique<cde::stripe::StripeConnector>(loop, to(free_port()));
  }
  cde::Account account() override {
    return {"acc_contract", "mer_1", *SecretBytes::copy_of(as_bytes("sk_test_contract_suite"))};
  }
  std::optional<cde::Account> refused_account() override {
    return cde::Account{"acc_contract", "mer_1",
                        *SecretBytes::copy_of(as_bytes("sk_live_contract_suite"))};
  }
  std::string_view good_number() const override { return "4242424242424242"; }
  std::vector<DeclinedCard> declined_when_charged() const override {
    return {{"4000000000000341", DeclineClass::soft}};
  }
  std::vector<DeclinedCard> declined_when_stored() const override {
    return {{"4000000000000002", DeclineClass::soft},
            {"4000000000009995", DeclineClass::soft},
            {"4000000000009987", DeclineClass::hard},
            {"4000000000009979", DeclineClass::hard},
            {"4000000000000069", DeclineClass::hard},
            {"4000000000000127", DeclineClass::verification_mismatch},
            {"4000000000000119", DeclineClass::soft}};
  }
  void fail_next(Request request, Fault fault, bool after_effect) override {
    const std::string delay =
        fault == Fault::slow ? fmt::format(R"(,"delay_ms":{})", kSlowness.count()) : std::string();
    ask(http::Method::post, "/_sim/faults",
        fmt::format(R"({{"path":"{}","kind":"{}","when":"{}","count":1{}}})", path_of(request),
                    kind_of(fault), after_effect ? "after_effect" : "before_effect", delay));
  }
  Truth truth(std::string_view reference) override {
    Truth truth;
    const json::object seen = ask(http::Method::get, "/_sim/charges", "");
    for (const json::value& element : seen.at("charges").as_array()) {
      const json::object& charge = element.as_object();
      const json::object& metadata = charge.at("metadata").as_object();
      const json::value* ours = metadata.if_contains("strongroom_reference");
      if (ours == nullptr || ours->as_string() != reference) continue;
      add(charge, truth);
    }
    return truth;
  }
  bool can_search() const override { return true; }

 private:
  // Stripe counts the suite's currencies as ISO 4217 does.
  static std::int64_t minor(const json::object& charge, std::string_view member) {
    return charge.at(member).as_int64();
  }
  static void add(const json::object& charge, Truth& truth) {
    if (charge.at("status") == "declined") return;
    ++truth.charges;
    truth.authorized += minor(charge, "amount");
    truth.captured += minor(charge, "amount_captured");
    truth.refunded += minor(charge, "amount_refunded");
    truth.voided = charge.at("status") == "reversed";
  }

  http::ClientOptions to(std::uint16_t port) {
    return {.host = "localhost",
            .port = port,
            .tls = *http::TlsContext::client_of_hosts(authority_.ca_pem()),
            .connect_timeout = 3s};
  }
  std::string path(std::string_view name) const { return (folder_.path() / name).string(); }
  void write(std::string_view name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    SR_CHECK(::chmod(path(name).c_str(), 0600) == 0);
  }

  void start() {
    port_ = free_port();
    std::array<std::string, 7> words{
        PSP_SIM,         "--listen",      fmt::format("127.0.0.1:{}", port_),
        "--certificate", path("psp.crt"), "--key",
        path("psp.key")};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    SR_CHECK(::posix_spawn(&child_, PSP_SIM, nullptr, nullptr, arguments.data(), environ) == 0);
    control_.emplace(loop_, to(port_));
    const http::ClientRequest request{.method = http::Method::get, .target = "/_sim/requests"};
    for (int i = 0; i < kStartAttempts; ++i) {
      if (loop_.run_until_done(control_->send(request))) return;
      std::this_thread::sleep_for(kStartStep);
    }
    SR_CHECK(false);
  }

  json::object ask(http::Method method, std::string_view target, const std::string& body) {
    http::ClientRequest request{.method = method, .target = target, .body = as_bytes(body)};
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    const auto response = loop_.run_until_done(control_->send(request));
    SR_CHECK(response.has_value() && response->status / 100 == 2);
    return response->body.empty() ? json::object() : json::parse(response->body).as_object();
  }

  TemporaryDirectory folder_;
  http::testing::Authority authority_;
  async::Loop loop_;
  std::optional<http::Client> control_;
  std::uint16_t port_ = 0;
  pid_t child_ = 0;
};

}  // namespace

std::unique_ptr<ConnectorUnderTest> make_stripe_under_test() {
  return std::make_unique<StripeUnderTest>();
}

}  // namespace strongroom::test
