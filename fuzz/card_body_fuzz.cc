// Token requests: what is taken keeps every promise of the types it is read into and is taken again
// when it is written anew; what is refused has a place in the request or none, and neither keeps
// secret memory.
#include <fmt/core.h>

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/pan_scan.h"
#include "base/try.h"
#include "cde/card/card_fields.h"
#include "cde/card/token_request.h"
#include "wire/json.h"

namespace strongroom::cde {
namespace {

namespace json = boost::json;

constexpr std::int64_t kNowUs = 1'800'000'000'000'000;

std::string quoted(const SecretBytes& text) {
  return json::serialize(json::string(as_text(text.reveal())));
}

// The request as a client of ours would write it.
std::string written(const TokenRequest& request) {
  std::string card = fmt::format(R"("number":"{}","exp_month":{},"exp_year":{})",
                                 request.pan.reveal(PanReveal::grant()), request.expiry.month(),
                                 request.expiry.year());
  if (request.cvc) {
    card += fmt::format(R"(,"cvc":"{}")", request.cvc->reveal(CvcReveal::grant()));
  }
  if (!request.name.empty()) card += R"(,"name":)" + quoted(request.name);
  std::string body = R"({"card":{)" + card + "}";
  if (request.expires_at_us) {
    body += fmt::format(R"(,"expires_at":"{}")", rfc3339(*request.expires_at_us));
  }
  if (request.usage_limit) body += fmt::format(R"(,"usage_limit":{})", *request.usage_limit);
  if (!request.metadata.empty()) {
    body.append(R"(,"metadata":)").append(as_text(request.metadata.reveal()));
  }
  return body + "}";
}

void check_promises(const TokenRequest& request, Profile profile) {
  const std::string_view digits = request.pan.reveal(PanReveal::grant());
  SR_CHECK(digits.size() >= Pan::kDigitsMin && digits.size() <= Pan::kDigitsMax);
  SR_CHECK(digits.find_first_not_of("0123456789") == std::string_view::npos);
  SR_CHECK(profile == Profile::production ? !request.pan.is_documented_test_number()
                                          : request.pan.is_in_test_range());
  SR_CHECK(!request.expiry.has_passed(kNowUs));
  SR_CHECK(request.name.size() <= kNameBytesMax && !looks_like_pan(as_text(request.name.reveal())));
  SR_CHECK(!request.expires_at_us || *request.expires_at_us > kNowUs);
  SR_CHECK(!request.usage_limit ||
           (*request.usage_limit >= 1 && *request.usage_limit <= kUsageLimitMax));
  if (request.metadata.empty()) return;
  const auto metadata = wire::parse_strict(as_text(request.metadata.reveal()), {});
  SR_CHECK(metadata.has_value());
  SR_CHECK(metadata->is_object() && metadata->get_object().size() <= kMetadataMembersMax);
}

void check_same(const TokenRequest& a, const TokenRequest& b) {
  SR_CHECK(a.pan.reveal(PanReveal::grant()) == b.pan.reveal(PanReveal::grant()));
  SR_CHECK(a.expiry == b.expiry && a.cvc.has_value() == b.cvc.has_value());
  SR_CHECK(as_text(a.name.reveal()) == as_text(b.name.reveal()));
  SR_CHECK(as_text(a.metadata.reveal()) == as_text(b.metadata.reveal()));
  SR_CHECK(a.expires_at_us == b.expires_at_us && a.usage_limit == b.usage_limit);
}

void check_as(std::string_view body, Profile profile) {
  const auto request = parse_token_request(as_bytes(body), {profile, kNowUs});
  if (!request) {
    const std::string_view pointer = request.error().pointer.text();
    SR_CHECK(pointer.empty() || pointer.starts_with('#'));
    return;
  }
  check_promises(*request, profile);
  const std::string again = written(*request);
  const auto reread = parse_token_request(as_bytes(again), {profile, kNowUs});
  SR_CHECK(reread.has_value());
  check_same(*request, *reread);
}

void check(std::string_view body) {
  const std::size_t used = secret_memory_used_bytes();
  for (const Profile profile : {Profile::demo, Profile::production}) check_as(body, profile);
  SR_CHECK(secret_memory_used_bytes() == used);
}

}  // namespace
}  // namespace strongroom::cde

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  strongroom::cde::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
