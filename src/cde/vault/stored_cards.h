// StoredCards: the way to each processor's connectord, by which a card is put there or removed. It
// is an interface so that what the vault decides can be tested without one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "async/task.h"
#include "base/result.h"
#include "base/secret.h"
#include "cde/vault/answer.h"
#include "cde/vault/processor_token_store.h"
#include "http/client.h"

namespace strongroom::cde {

// Why a processor did not take a card: connectord's word (PayAnswer of api/connector.yaml:
// declined, failed or unknown), as JSON to be passed on.
struct StoreRefusal {
  std::string json;
  bool unknown = false;  // the processor may have the card nevertheless
};
// What became of handing a card over: a sealed processor token when the processor has it now.
using HandedOver = std::variant<std::string, StoreRefusal>;

class StoredCards {
 public:
  virtual ~StoredCards() = default;
  // True when a connector of this name is configured.
  [[nodiscard]] virtual bool has(std::string_view connector) const = 0;
  // Hands over the card in `body` (stored_card_request_json), on the ticket and under the id of the
  // request that it serves. Repeating it with the same body gives the same card at the processor.
  // Problems: invalid_value (the account is none of this connector) and not_allowed (it is another
  // merchant's), by which the processor was not asked; service_unavailable (the answer may be
  // lost).
  [[nodiscard]] virtual async::Task<Answer<HandedOver>> store(std::string connector,
                                                              SecretBytes body, std::string ticket,
                                                              std::string request_id) = 0;
  // Removes a card; one that is gone already, too. Any error: try again later.
  [[nodiscard]] virtual async::Task<Result<void>> remove(std::string connector,
                                                         AtProcessor what) = 0;
};

// Over mutual TLS. Belongs to one Loop; the clients outlive every call.
class HttpStoredCards final : public StoredCards {
 public:
  using Clients = std::map<std::string, std::unique_ptr<http::Client>, std::less<>>;

  // `clients` by name: "stripe" is connectord-stripe.
  explicit HttpStoredCards(Clients clients) : clients_(std::move(clients)) {}

  [[nodiscard]] bool has(std::string_view connector) const override {
    return clients_.contains(connector);
  }
  [[nodiscard]] async::Task<Answer<HandedOver>> store(std::string connector, SecretBytes body,
                                                      std::string ticket,
                                                      std::string request_id) override;
  [[nodiscard]] async::Task<Result<void>> remove(std::string connector, AtProcessor what) override;

  // Connections made from now on use `tls`.
  void set_tls(const std::shared_ptr<const http::TlsContext>& tls);
  [[nodiscard]] async::Task<void> close();

 private:
  Clients clients_;
};

}  // namespace strongroom::cde
