// The pool behind a Client.
#pragma once

#include <coroutine>
#include <deque>
#include <memory>
#include <vector>

#include "http/client.h"
#include "http/internal/client_connection.h"

namespace strongroom::http::internal {

class ClientState {
 public:
  ClientState(async::Loop& loop, ClientOptions options);

  async::Task<Result<ClientResponse>> send(const ClientRequest& request);
  void set_tls(std::shared_ptr<const TlsContext> tls);
  async::Task<void> close();

 private:
  using ConnectionPtr = std::unique_ptr<ClientConnection>;
  // A connection on loan; `generation` tells which TlsContext it was made with.
  struct Lease {
    ConnectionPtr connection;
    std::uint64_t generation = 0;
    bool kept = false;  // it has served before, so the peer may have closed it meanwhile
  };
  struct Idle {
    Lease lease;
    SteadyClock::time_point since;
  };
  struct Waiter;

  async::Task<Result<Lease>> acquire();
  async::Task<Result<Lease>> open();
  async::Task<Result<Lease>> wait_for_turn();
  void release(Lease lease, bool reusable);
  void free_slot();
  void resume_later(Waiter& waiter);
  void drop_idle();
  void sweep();

  async::Loop& loop_;
  ClientOptions options_;
  Deadlines deadlines_;
  Deadline idle_sweep_;
  std::deque<Idle> idle_;        // the longest idle in front; taken from the back
  std::deque<Waiter*> waiting_;  // first come first served
  std::size_t open_ = 0;         // connections that exist or are being made
  std::uint64_t generation_ = 0;
  bool closing_ = false;
  std::coroutine_handle<> closed_;
};

}  // namespace strongroom::http::internal
