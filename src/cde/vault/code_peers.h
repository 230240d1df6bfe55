// CodePeers: which vaultd holds a token's verification code. Two vaultd on one database behave as
// one, but a code is in memory only, so it is handed to the one that will be asked to pay.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/task.h"
#include "cde/card/cvc.h"
#include "cde/vault/public_token.h"
#include "http/client.h"

namespace strongroom::cde {

class CodePeers {
 public:
  virtual ~CodePeers() = default;
  // Hands `cvc` to the vaultd that comes before this one for `token`, in the name of `ticket`.
  // False: it is this one's to hold. `cvc` outlives the task.
  [[nodiscard]] virtual async::Task<bool> take(PublicToken token, const Cvc& cvc,
                                               std::string ticket, std::string request_id) = 0;
};

// By `PUT /v1/cards/{token}/cvc`. Belongs to the Loop of its clients.
class HttpCodePeers final : public CodePeers {
 public:
  using Clients = std::map<std::string, std::unique_ptr<http::Client>>;  // by name

  // `own`: this vaultd's name, where there are others.
  HttpCodePeers(std::string own, Clients peers);

  [[nodiscard]] async::Task<bool> take(PublicToken token, const Cvc& cvc, std::string ticket,
                                       std::string request_id) override;
  [[nodiscard]] bool empty() const noexcept { return peers_.empty(); }
  void set_tls(const std::shared_ptr<const http::TlsContext>& tls);
  [[nodiscard]] async::Task<void> close();

 private:
  const std::string own_;
  const Clients peers_;
  std::vector<std::string> names_;  // own_ among them
};

}  // namespace strongroom::cde
