// Percent-encoding: only RFC 3986's unreserved characters stay as they are.
#include "cde/connectors/stripe/form.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::cde::stripe {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

bool is_unreserved(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::array<char, 3> escape(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return {'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
}

}  // namespace

Result<Form> Form::create() {
  SR_TRY(SecretBytes bytes, SecretBytes::allocate(kSizeMax));
  return Form(std::move(bytes));
}

void Form::put(std::string_view text) noexcept {
  if (full_ || text.size() > bytes_.size() - size_) {
    full_ = true;
    return;
  }
  std::ranges::copy(as_bytes(text), bytes_.reveal().begin() + static_cast<std::ptrdiff_t>(size_));
  size_ += text.size();
}

Form& Form::append(std::string_view key, std::string_view value) {
  if (size_ > 0) put("&");
  put(key);
  put("=");
  for (const char& c : value) {
    if (is_unreserved(c)) {
      put({&c, 1});
    } else {
      const std::array<char, 3> escaped = escape(c);
      put({escaped.data(), escaped.size()});
    }
  }
  return *this;
}

Result<std::span<const std::byte>> Form::bytes() const& {
  if (full_) return fail({ErrorCode::too_large, "the form is larger than 4 KiB"});
  return bytes_.reveal().first(size_);
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c)) {
      out.push_back(c);
    } else {
      const std::array<char, 3> escaped = escape(c);
      out.append(escaped.data(), escaped.size());
    }
  }
  return out;
}

}  // namespace strongroom::cde::stripe
