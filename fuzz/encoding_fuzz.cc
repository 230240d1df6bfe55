// The decoders of base/ accept the one canonical form only: what they accept encodes to the same
// text.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/id.h"
#include "base/try.h"

namespace strongroom {
namespace {

void check_hex(std::string_view text) {
  std::array<std::byte, 8> bytes;
  if (parse_hex(text, bytes)) SR_CHECK(hex(bytes) == text);
}

void check_base64(std::string_view text) {
  if (const auto bytes = parse_base64(text)) SR_CHECK(base64(*bytes) == text);
  if (const auto bytes = parse_base64url(text)) SR_CHECK(base64url(*bytes) == text);
}

void check_uuid(std::string_view text) {
  if (const auto id = parse_uuid(text)) SR_CHECK(uuid_text(*id) == text);
}

// A time has several texts (offsets, fractions), but each text one time.
void check_time(std::string_view text) {
  const auto time_us = parse_rfc3339(text);
  if (!time_us) return;
  const auto again_us = parse_rfc3339(rfc3339(*time_us));
  SR_CHECK(again_us.has_value());
  SR_CHECK(*again_us <= *time_us && *time_us - *again_us < 1'000);
}

}  // namespace
}  // namespace strongroom

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  strongroom::check_hex(text);
  strongroom::check_base64(text);
  strongroom::check_uuid(text);
  strongroom::check_time(text);
  return 0;
}
