// One row per method.
#include "simulators/stripe/endpoints.h"

#include <array>

namespace strongroom::simulators::stripe {
namespace {

using http::Method;

const std::array kEndpoints{
    Endpoint{Method::post, "/v1/customers", kCustomerParameters, create_customer},
    Endpoint{Method::get, "/v1/customers/{id}", kNoParameters, get_customer},
    Endpoint{Method::delete_, "/v1/customers/{id}", kNoParameters, delete_customer},
    Endpoint{Method::post, "/v1/payment_methods", kPaymentMethodParameters, create_payment_method},
    Endpoint{Method::get, "/v1/payment_methods/{id}", kNoParameters, get_payment_method},
    Endpoint{Method::post, "/v1/payment_methods/{id}/attach", kAttachParameters,
             attach_payment_method},
    Endpoint{Method::post, "/v1/payment_methods/{id}/detach", kNoParameters, detach_payment_method},
    Endpoint{Method::post, "/v1/payment_intents", kPaymentIntentParameters, create_payment_intent},
    Endpoint{Method::get, "/v1/payment_intents/search", kSearchParameters, search_payment_intents},
    Endpoint{Method::get, "/v1/payment_intents/{id}", kGetPaymentIntentParameters,
             get_payment_intent},
    Endpoint{Method::post, "/v1/payment_intents/{id}/confirm", kConfirmParameters,
             confirm_payment_intent},
    Endpoint{Method::post, "/v1/payment_intents/{id}/capture", kCaptureParameters,
             capture_payment_intent},
    Endpoint{Method::post, "/v1/payment_intents/{id}/cancel", kCancelParameters,
             cancel_payment_intent},
    Endpoint{Method::post, "/v1/refunds", kRefundParameters, create_refund},
    Endpoint{Method::get, "/v1/refunds", kListRefundsParameters, list_refunds},
    Endpoint{Method::get, "/v1/refunds/{id}", kNoParameters, get_refund},
};

}  // namespace

std::span<const Endpoint> endpoints() noexcept { return kEndpoints; }

}  // namespace strongroom::simulators::stripe
