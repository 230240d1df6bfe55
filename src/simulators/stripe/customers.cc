// Customers: who payment methods belong to.
#include "simulators/stripe/methods.h"
#include "simulators/stripe/render.h"
#include "simulators/stripe/values.h"

namespace strongroom::simulators::stripe {
namespace {

constexpr std::size_t kMetadataMax = 50;
constexpr std::size_t kMetadataNameBytesMax = 40;

}  // namespace

std::expected<Metadata, ApiError> read_metadata(const Form& form) {
  Metadata metadata;
  for (const FormField& member : form.members("metadata")) {
    if (member.name.size() > kMetadataNameBytesMax) {
      return std::unexpected(
          invalid_request("Metadata keys must be at most 40 characters.", "metadata"));
    }
    if (!member.value.empty()) metadata.emplace(member.name, member.value);
  }
  if (metadata.size() > kMetadataMax) {
    return std::unexpected(invalid_request("You can have up to 50 metadata keys.", "metadata"));
  }
  return metadata;
}

std::string text_of(const Form& form, std::string_view name) {
  return std::string(form.value(name).value_or(""));
}

PostalAddress read_address(const Form& form, std::string_view prefix) {
  const auto part = [&](std::string_view name) {
    return text_of(form, std::string(prefix) + "[" + std::string(name) + "]");
  };
  return {.city = part("city"),
          .country = part("country"),
          .line1 = part("line1"),
          .line2 = part("line2"),
          .postal_code = part("postal_code"),
          .state = part("state")};
}

Reply create_customer(const Call& call) {
  auto metadata = read_metadata(call.form);
  if (!metadata) return std::unexpected(metadata.error());
  if (auto expansion = Expansion::of(call.form, {}); !expansion) {
    return std::unexpected(expansion.error());
  }
  Customer customer{.id = call.ledger.new_id("cus_"),
                    .account = std::string(call.account),
                    .created_s = call.ledger.now_s(),
                    .name = text_of(call.form, "name"),
                    .email = text_of(call.form, "email"),
                    .phone = text_of(call.form, "phone"),
                    .description = text_of(call.form, "description"),
                    .address = read_address(call.form, "address"),
                    .metadata = *std::move(metadata)};
  const std::string id = customer.id;
  return to_json(call.ledger.customers.put(id, std::move(customer)));
}

Reply get_customer(const Call& call) {
  const Customer* customer = call.ledger.customer(call.account, call.id);
  if (customer == nullptr) return std::unexpected(no_such("customer", "id"));
  return to_json(*customer);
}

Reply delete_customer(const Call& call) {
  Customer* customer = call.ledger.customer(call.account, call.id);
  if (customer == nullptr || customer->deleted) return std::unexpected(no_such("customer", "id"));
  customer->deleted = true;
  for (const std::string& key : call.ledger.payment_methods.keys()) {
    PaymentMethod& method = *call.ledger.payment_methods.find(key);
    if (method.customer != customer->id) continue;
    method.customer.clear();
    method.spent = true;
  }
  return to_json(*customer);
}

}  // namespace strongroom::simulators::stripe
