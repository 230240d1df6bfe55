// Context: bytes that bind a ciphertext or a tag to what it is for (associated data, HMAC input).
// Each field is written as `length u32be | bytes`, the label first, so two lists of fields that
// differ never give the same bytes. docs/formats/sealed-blob.md lists the labels in use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"

namespace strongroom::crypto {

// Built in place: Context("strongroom/card/1").add(token_id.bytes).add(version).bytes(). Its own
// memory is not secret memory: a secret field goes through with_secret.
class Context {
 public:
  // `label` names the use and its version; the label fixes number, order and type of the fields.
  explicit Context(std::string_view label);

  // REQUIRES of all: a field is shorter than 4 GiB.
  Context& add(std::span<const std::byte> field);
  Context& add(std::string_view field);
  Context& add(std::uint32_t value);  // 4 bytes, big-endian
  Context& add(std::uint64_t value);  // 8 bytes, big-endian

  // Valid until the next add and while *this lives: a chain of calls must be used where it stands.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  // The same bytes with `field` as the last field, in secret memory. too_large, exhausted.
  [[nodiscard]] Result<SecretBytes> with_secret(std::span<const std::byte> field) const;

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace strongroom::crypto
