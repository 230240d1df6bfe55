// The scaffold of every daemon. A daemon is a Service (the parts of the process) with Workers (one
// per thread); run_daemon brings them up in the one order that is safe: open, sandbox, serve.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "async/loop.h"
#include "async/task.h"
#include "base/metrics.h"
#include "base/result.h"
#include "http/router.h"
#include "sandbox/probe.h"
#include "sandbox/sandbox.h"
#include "service/deployment.h"
#include "service/readiness.h"
#include "service/recorded_dump.h"
#include "service/start_error.h"
#include "service/unrecorded.h"

namespace strongroom::service {

// Worker is one thread's share of a daemon: one Loop, its listener, connections and clients. Every
// call comes on the Loop's thread.
class Worker {
 public:
  virtual ~Worker() = default;

  // Opens what the worker owns and begins to serve. Worker 0 goes first and alone (it closes the
  // instance's open intents); the others start when it has ended. A neighbor that is absent is
  // waited for while readiness() names it. An error is a bad start: the process exits with 2.
  virtual async::Task<Result<void>> start() = 0;
  // Stops accepting, finishes what is under way, closes. Comes while start() still waits, too:
  // then start() gives up and returns. Comes after a failed start() as well. Whatever takes longer
  // than kDrainTimeout is cut off.
  virtual async::Task<void> drain() = 0;
  // SIGHUP: reads certificates and ticket keys again, and takes over the tables of `deployment`:
  // the file as it is now, or as it was last good. What cannot be taken over is logged and stays as
  // it was; then false.
  virtual bool reload(const Deployment& deployment) = 0;
  // Has the audit log say that there was a SIGHUP of `user` (Wakeup::reload_user), and whether
  // `all` was taken over; comes after reload(). A daemon that writes no entries leaves it to those
  // that do.
  virtual void record_reload(bool all, const std::string& user) {
    static_cast<void>(all);
    static_cast<void>(user);
  }
  // Adds the worker's checks. Must not block.
  virtual void readiness(Readiness& readiness) = 0;
  // Adds the daemon's own commands to the admin socket, which worker 0's Loop serves (identities =
  // http::kLocal). Called once, on worker 0, before start().
  virtual void add_admin_routes(http::Router& router) { static_cast<void>(router); }
};

// Service is what a process opens once: HSM module, keys, locks, configuration. It is made before
// the sandbox closes, on the main thread, and destroyed there after every worker is gone.
class Service {
 public:
  virtual ~Service() = default;

  // Gives up every right that serving does not need. The parts are open, no thread runs yet and no
  // byte from outside has been parsed.
  virtual Result<sandbox::Enforced> enter_sandbox() = 0;
  // Where it will listen on TCP: if somebody else does, the start ends with the address named.
  [[nodiscard]] virtual std::optional<Address> address() const { return std::nullopt; }
  // What --check-sandbox tries from inside.
  [[nodiscard]] virtual sandbox::ProbePlan probe_plan() const { return {}; }
  [[nodiscard]] virtual std::size_t workers() const { return 1; }
  // The worker with that index, 0 first; an error is a bad start. Called on the worker's own
  // thread; `loop` outlives it.
  [[nodiscard]] virtual Result<std::unique_ptr<Worker>> make_worker(async::Loop& loop,
                                                                    std::size_t index) = 0;
};

// Host is what the scaffold lends a Service; it outlives the Service.
struct Host {
  Deployment deployment;
  Registry metrics;
  Unrecorded unrecorded;  // held since open() of the Program has returned
};

// Program describes an executable to run_daemon.
struct Program {
  std::string_view name;     // "authd"; also the sandbox's and the log's name
  std::string_view purpose;  // one line for --help
  // Opens the parts for serving and for --check-sandbox. `host` outlives the Service.
  Start<std::unique_ptr<Service>> (*open)(Host& host);
  Start<void> (*init)(Host& host);     // --init; null when the daemon has nothing to make
  Start<void> (*migrate)(Host& host);  // --migrate; null when it has no database
  // --dump and --load; null when it has no database. What `sink` takes goes to standard output, and
  // the audit log tells of it (recorded_dump.h).
  Start<void> (*dump)(Host& host, const DumpSink& sink);
  Start<void> (*load)(Host& host);
  std::string_view database{};  // its name in the log and in backups: "vault"
};

inline constexpr std::chrono::seconds kDrainTimeout{10};

inline constexpr int kCutOff = 3;  // exit status

// The whole life of a daemon. In order: wiping allocators, no core dumps, no ptrace, mlockall where
// permitted, umask 077; arguments; configuration; log; the instance's writer lock
// (DIR/run/<instance>.lock); open; admin socket; sandbox; workers; signals. SIGTERM and SIGINT:
// unready, drain, stop workers, close. SIGHUP: reload. Returns the exit status: 0 after a clean
// stop, 2 after a bad start, with the reason as one plain line on stderr. A worker that does not
// drain in time is left as it is: the Service is closed (the HSM is logged out), unless that takes
// more than a second too, and the process exits with kCutOff.
[[nodiscard]] int run_daemon(const Program& program, int argc, char** argv);

}  // namespace strongroom::service
