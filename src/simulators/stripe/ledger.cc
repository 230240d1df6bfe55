// Looking up, with the one rule that accounts do not see each other.
#include "simulators/stripe/ledger.h"

#include <utility>

#include "base/try.h"
#include "simulators/stripe/values.h"

namespace strongroom::simulators::stripe {
namespace {

constexpr std::size_t kSaltBytes = 32;

template <class Object>
Object* own(BoundedMap<Object>& objects, std::string_view account, std::string_view id) {
  Object* found = objects.find(id);
  return found != nullptr && found->account == account ? found : nullptr;
}

}  // namespace

Result<Ledger> Ledger::create(crypto::Random& random, const Clock& clock, std::size_t objects_max) {
  SR_TRY(SecretBytes salt, crypto::random_secret(random, kSaltBytes));
  return Ledger(random, clock, objects_max, std::move(salt));
}

Ledger::Ledger(crypto::Random& random, const Clock& clock, std::size_t objects_max,
               SecretBytes salt)
    : customers(objects_max),
      payment_methods(objects_max),
      payment_intents(objects_max),
      charges(objects_max),
      refunds(objects_max),
      random_(random),
      clock_(clock),
      salt_(std::move(salt)) {}

Customer* Ledger::customer(std::string_view account, std::string_view id) {
  return own(customers, account, id);
}

PaymentMethod* Ledger::payment_method(std::string_view account, std::string_view id) {
  return own(payment_methods, account, id);
}

PaymentIntent* Ledger::payment_intent(std::string_view account, std::string_view id) {
  return own(payment_intents, account, id);
}

Charge* Ledger::charge(std::string_view account, std::string_view id) {
  return own(charges, account, id);
}

Refund* Ledger::refund(std::string_view account, std::string_view id) {
  return own(refunds, account, id);
}

std::string Ledger::new_id(std::string_view prefix) { return new_object_id(random_, prefix); }

}  // namespace strongroom::simulators::stripe
