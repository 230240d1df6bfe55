// Form: parameters as Stripe takes them, application/x-www-form-urlencoded with nested names in
// brackets: `card[number]=..`, `metadata[order]=A1`, `expand[]=latest_charge`. It may hold a card
// number, so nothing here copies a value: all is decoded where it lies.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace strongroom::simulators::stripe {

// FormField is one parameter, decoded.
struct FormField {
  std::string_view name;
  std::string_view value;
};

// Form is what one body or query said. Its views live as long as the bytes that it was parsed from.
class Form {
 public:
  static constexpr std::size_t kFieldsMax = 256;
  static constexpr std::size_t kNameBytesMax = 256;
  static constexpr std::size_t kDepthMax = 6;  // brackets of one name

  // Decodes `text` in place. invalid_argument: ill-encoded, not UTF-8, or a name that is malformed,
  // comes twice, or is a value and a group at once (two parsers would disagree on which one
  // counts); too_large: a limit of above.
  [[nodiscard]] static Result<Form> parse(std::span<char> text);

  // The value of `name`, "card[number]"; empty when it is absent.
  [[nodiscard]] std::optional<std::string_view> value(std::string_view name) const noexcept;
  // The values of `name[]` and `name[0]`, in the order in which they came.
  [[nodiscard]] std::vector<std::string_view> list(std::string_view name) const;
  // What stands under `name`: of `metadata[order]=A1` the member `order` with its value.
  // REQUIRES: `name` has members of one level only.
  [[nodiscard]] std::vector<FormField> members(std::string_view name) const;
  // True when something stands under `name`.
  [[nodiscard]] bool has_group(std::string_view name) const noexcept;
  [[nodiscard]] const std::vector<FormField>& fields() const noexcept { return fields_; }

 private:
  std::vector<FormField> fields_;
};

// The root of a name and its parts in brackets in turn: "a[b][]" gives "a", "b", "". What it gives
// is cut off `rest`. REQUIRES: `rest` is what is left of a well-formed name, not empty.
[[nodiscard]] std::string_view take_segment(std::string_view& rest) noexcept;
// True for what stands in the brackets of a list's element: nothing, or digits.
[[nodiscard]] bool is_list_index(std::string_view segment) noexcept;

}  // namespace strongroom::simulators::stripe
