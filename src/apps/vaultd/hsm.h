// vaultd's way to its HSM: the module, the token, the sessions to use its keys by.
#pragma once

#include <memory>

#include "apps/vaultd/config.h"
#include "async/blocking_pool.h"
#include "cde/keys/hsm_trips.h"
#include "pkcs11/module.h"
#include "pkcs11/session_pool.h"
#include "pkcs11/token.h"
#include "service/start_error.h"
#include "service/unrecorded.h"

namespace strongroom::vaultd {

// The parts in the order in which they depend on each other. Thread-safe but for start_threads.
class Hsm {
 public:
  // Opens everything for serving with `workers` workers.
  [[nodiscard]] static service::Start<Hsm> open(const HsmConfig& config, std::size_t workers);
  // Makes what is missing: the token, where the module has a blank slot, and version 1 of each key,
  // which is noted for the audit log.
  [[nodiscard]] static service::Start<void> init(const HsmConfig& config,
                                                 service::Unrecorded& unrecorded);

  // The threads for calls that are not inline; after the sandbox, before the first worker.
  void start_threads(const HsmConfig& config);

  [[nodiscard]] cde::HsmCalls calls() noexcept {
    return {token_.get(), sessions_.get(), threads_.get()};
  }

 private:
  Hsm(std::unique_ptr<pkcs11::Module> module, std::unique_ptr<pkcs11::Token> token,
      std::unique_ptr<pkcs11::SessionPool> sessions)
      : module_(std::move(module)), token_(std::move(token)), sessions_(std::move(sessions)) {}
  std::unique_ptr<pkcs11::Module> module_;
  std::unique_ptr<pkcs11::Token> token_;
  std::unique_ptr<pkcs11::SessionPool> sessions_;
  std::unique_ptr<async::BlockingPool> threads_;  // null: calls are inline
};

}  // namespace strongroom::vaultd
