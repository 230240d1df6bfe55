// Worker: one thread's share of the load, on a Loop of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/loop.h"
#include "async/task.h"
#include "base/result.h"
#include "http/client.h"
#include "loadgen/deployment.h"
#include "loadgen/load_plan.h"
#include "loadgen/ticket_source.h"

namespace strongroom::bench {

// What is sent, once more and once more.
struct Shot {
  http::Method method;
  std::string target;
  std::string body;
  std::string idempotency_key{};  // of sales, each one's own
  std::string_view must_say{};    // a literal: part of each answer that counts as success
  bool as_gateway = false;        // resolves are gatewayd's
};

// The thread that made a Worker calls prepare() and then run(), once each.
class Worker {
 public:
  // Worker `index` of plan.threads takes every plan.threads'th card and its share of connections
  // and rate. Both references outlive it.
  Worker(const Deployment& deployment, const LoadPlan& plan, std::size_t index);

  // Gets a ticket and makes the cards that the mix needs; those of sales pay once, and for those
  // that are resolved the vault gets a processor token. Errors: of the
  // ticket, of http::Client::send; permission_denied when a card was not taken (detail: HTTP
  // status).
  [[nodiscard]] Result<void> prepare();
  // Makes load from window.warmup_begin to window.end and waits for the last answer.
  [[nodiscard]] Tally run(const Window& window);

 private:
  async::Task<Result<void>> prepare_all();
  async::Task<void> fill_pool();
  async::Task<Result<Shot>> make_shot();
  async::Task<Result<std::string>> make_card(std::string body);
  async::Task<Result<std::string>> make(Shot shot);  // gives the id of what was made
  async::Task<Result<Shot>> make_sale();
  async::Task<Result<Shot>> make_processor_sale();
  async::Task<Result<Shot>> make_resolve();
  async::Task<void> drive(Window window);
  async::Task<void> drive_closed(Window window);
  async::Task<void> drive_open(Window window);
  async::Task<void> session(Window window);
  async::Task<void> request(SteadyTime since, bool counts);
  async::Task<void> wait_for_answers();
  async::Task<Result<http::ClientResponse>> send(const Shot& shot);
  Shot next_shot();
  std::string next_card();
  std::uint64_t next_index();
  Shot resolve_of(std::string target, bool handover);
  void count(const Shot& shot, const Result<http::ClientResponse>& answer, SteadyTime since);

  const Deployment& deployment_;
  const LoadPlan& plan_;
  std::size_t index_;
  std::size_t connections_;
  async::Loop loop_;
  http::Client authd_;
  http::Client server_;
  std::optional<http::Client> gateway_;  // to the vault, as gatewayd; for mixes with resolves
  TicketSource tickets_;
  std::vector<Shot> pool_;
  Result<void> filled_{};  // what the pool came to so far
  std::size_t next_to_fill_ = 0;
  std::size_t next_in_pool_ = 0;
  std::size_t next_in_mix_ = 0;
  std::size_t under_way_ = 0;
  Tally tally_;
};

}  // namespace strongroom::bench
