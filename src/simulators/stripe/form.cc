// Decoding and the rules for names.
#include "simulators/stripe/form.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/try.h"

namespace strongroom::simulators::stripe {
namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// '+' is a space, %XX a byte (WHATWG URL, section 5.1). The result is never longer than its source,
// so it takes its place. Empty when ill-encoded.
std::optional<std::string_view> decode(std::span<char> text) noexcept {
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      text[size++] = text[i] == '+' ? ' ' : text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    text[size++] = static_cast<char>(high * 16 + low);
    i += 2;
  }
  return std::string_view(text.data(), size);
}

// How many bytes the UTF-8 sequence has that `lead` begins; 0: it begins none.
std::size_t sequence_size(unsigned char lead) noexcept {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

// RFC 3629 section 4, and no control characters.
bool is_text(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const auto lead = static_cast<unsigned char>(bytes[0]);
    const std::size_t size = sequence_size(lead);
    if (size == 0 || size > bytes.size() || (lead < 0x20 && lead != '\n' && lead != '\t')) {
      return false;
    }
    for (std::size_t i = 1; i < size; ++i) {
      if ((static_cast<unsigned char>(bytes[i]) & 0xc0) != 0x80) return false;
    }
    const auto second = static_cast<unsigned char>(size > 1 ? bytes[1] : 0x80);
    const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    const bool beyond = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
    if (overlong || beyond) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

// A root, then parts in brackets. Only the last part may be empty.
bool is_well_formed(std::string_view name) noexcept {
  const std::size_t root = std::min(name.find('['), name.size());
  if (root == 0 || name.substr(0, root).contains(']')) return false;
  for (std::string_view rest = name.substr(root); !rest.empty();) {
    const std::size_t end = rest.find(']');
    if (rest[0] != '[' || end == std::string_view::npos) return false;
    if (rest.substr(1, end - 1).contains('[')) return false;
    if (end == 1 && rest.size() > 2) return false;
    rest.remove_prefix(end + 1);
  }
  return true;
}

std::size_t depth(std::string_view name) noexcept {
  return static_cast<std::size_t>(std::ranges::count(name, '['));
}

Result<FormField> parse_field(std::span<char> pair) {
  const auto equals = std::ranges::find(pair, '=');
  const auto name_size = static_cast<std::size_t>(equals - pair.begin());
  const auto name = decode(pair.first(name_size));
  const auto value = decode(pair.subspan(std::min(name_size + 1, pair.size())));
  if (!name || !value) return fail({ErrorCode::invalid_argument, "ill-encoded parameter"});
  if (name->size() > Form::kNameBytesMax || depth(*name) > Form::kDepthMax) {
    return fail({ErrorCode::too_large, "a parameter's name is too long or too deep"});
  }
  if (!is_text(*name) || !is_text(*value)) {
    return fail({ErrorCode::invalid_argument, "parameters must be UTF-8 text"});
  }
  if (!is_well_formed(*name)) {
    return fail({ErrorCode::invalid_argument, "malformed name of a parameter"});
  }
  return FormField{*name, *value};
}

// No name twice, and none that is a value here and a group there.
bool names_agree(const std::vector<FormField>& fields) {
  std::set<std::string_view> values;
  std::set<std::string_view> groups;
  for (const FormField& field : fields) {
    const bool fresh = values.insert(field.name).second;
    if (!fresh && !field.name.ends_with("[]")) return false;
    for (std::size_t at = field.name.find('['); at != std::string_view::npos;
         at = field.name.find('[', at + 1)) {
      groups.insert(field.name.substr(0, at));
    }
  }
  return std::ranges::none_of(values, [&](std::string_view name) { return groups.contains(name); });
}

}  // namespace

Result<Form> Form::parse(std::span<char> text) {
  Form form;
  while (!text.empty()) {
    const auto end = std::ranges::find(text, '&');
    const auto size = static_cast<std::size_t>(end - text.begin());
    if (size > 0) {
      if (form.fields_.size() == kFieldsMax) {
        return fail({ErrorCode::too_large, "too many parameters"});
      }
      SR_TRY(const FormField field, parse_field(text.first(size)));
      form.fields_.push_back(field);
    }
    text = text.subspan(std::min(size + 1, text.size()));
  }
  if (!names_agree(form.fields_)) {
    return fail({ErrorCode::invalid_argument, "a parameter came twice, or as value and as group"});
  }
  return form;
}

std::optional<std::string_view> Form::value(std::string_view name) const noexcept {
  const auto found = std::ranges::find(fields_, name, &FormField::name);
  if (found == fields_.end()) return std::nullopt;
  return found->value;
}

std::vector<std::string_view> Form::list(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const FormField& field : fields_) {
    if (!field.name.starts_with(name)) continue;
    std::string_view rest = field.name.substr(name.size());
    if (rest.starts_with('[') && is_list_index(take_segment(rest)) && rest.empty()) {
      values.push_back(field.value);
    }
  }
  return values;
}

std::vector<FormField> Form::members(std::string_view name) const {
  std::vector<FormField> found;
  for (const FormField& field : fields_) {
    if (!field.name.starts_with(name) || field.name.substr(name.size(), 1) != "[") continue;
    found.push_back(
        {field.name.substr(name.size() + 1, field.name.size() - name.size() - 2), field.value});
  }
  return found;
}

bool Form::has_group(std::string_view name) const noexcept {
  return std::ranges::any_of(fields_, [&](const FormField& field) {
    return field.name.starts_with(name) && field.name.substr(name.size(), 1) == "[";
  });
}

std::string_view take_segment(std::string_view& rest) noexcept {
  if (rest.starts_with('[')) {
    const std::string_view segment = rest.substr(1, rest.find(']') - 1);
    rest.remove_prefix(segment.size() + 2);
    return segment;
  }
  const std::string_view root = rest.substr(0, rest.find('['));
  rest.remove_prefix(root.size());
  return root;
}

bool is_list_index(std::string_view segment) noexcept {
  return segment.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace strongroom::simulators::stripe
