// People as JSON: {"version":1,"people":[{"person","key","roles","valid_from","valid_until",
// "revoked_at"}]}.
#include "formats/people.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/try.h"
#include "wire/json.h"

namespace strongroom::formats {
namespace {

namespace json = boost::json;

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kPersonMax = 64;
constexpr std::size_t kRolesMax = 2;
constexpr std::size_t kTextMax = 64;  // of a key in base64, or a time

constexpr Error kNotEnrollment{ErrorCode::invalid_argument, "not an enrollment of a person"};
constexpr Error kTooMany{ErrorCode::invalid_argument, "more enrollments than there may be"};
constexpr Error kSameKey{ErrorCode::conflict, "two enrollments have the same key"};
constexpr Error kNotPeople{ErrorCode::invalid_argument, "not a list of people of version 1"};
constexpr Error kTooLarge{ErrorCode::too_large, "a list of people is not that long"};

bool is_person(std::string_view name) {
  return !name.empty() && name.size() <= kPersonMax && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

bool is_sound(const Enrollment& one) {
  const bool roles_differ =
      one.roles.size() == 1 || (one.roles.size() == kRolesMax && one.roles[0] != one.roles[1]);
  return is_person(one.person) && roles_differ && one.valid_from_us < one.valid_until_us;
}

json::object to_object(const Enrollment& one) {
  json::array roles;
  for (const ApprovalRole role : one.roles) roles.emplace_back(name(role));
  json::object object{{"person", one.person},
                      {"key", base64(one.key)},
                      {"roles", std::move(roles)},
                      {"valid_from", rfc3339(one.valid_from_us)},
                      {"valid_until", rfc3339(one.valid_until_us)},
                      {"revoked_at", nullptr}};
  if (one.revoked_at_us) object["revoked_at"] = rfc3339(*one.revoked_at_us);
  return object;
}

Result<std::vector<ApprovalRole>> read_roles(const json::array& array) {
  std::vector<ApprovalRole> roles;
  for (const json::value& value : array) {
    const json::string* text = value.if_string();
    const auto role = text == nullptr ? std::nullopt : role_of({text->data(), text->size()});
    if (!role) return fail(kNotEnrollment);
    roles.push_back(*role);
  }
  return roles;
}

Result<Enrollment> read_enrollment(const json::value& value) {
  if (!value.is_object()) return fail(kNotEnrollment);
  wire::ObjectReader reader(value.get_object());
  Enrollment one;
  one.person = reader.text("#/person", {.min = 1, .max = kPersonMax});
  const auto key = parse_base64(reader.text("#/key", {.min = 1, .max = kTextMax}));
  const json::array* roles = reader.array("#/roles", kRolesMax);
  const auto from = parse_rfc3339(reader.text("#/valid_from", {.min = 1, .max = kTextMax}));
  const auto until = parse_rfc3339(reader.text("#/valid_until", {.min = 1, .max = kTextMax}));
  const auto revoked = reader.text_or_none("#/revoked_at", {.min = 1, .max = kTextMax});
  if (reader.finish() || !key || key->size() != one.key.size() || !from || !until) {
    return fail(kNotEnrollment);
  }
  std::ranges::copy(*key, one.key.begin());
  SR_TRY(one.roles, read_roles(*roles));
  one.valid_from_us = *from;
  one.valid_until_us = *until;
  if (revoked) {
    SR_TRY(one.revoked_at_us, parse_rfc3339(*revoked));
  }
  return one;
}

}  // namespace

Result<People> People::create(std::vector<Enrollment> enrollments) {
  if (enrollments.size() > kEnrollmentsMax) return fail(kTooMany);
  People people;
  for (Enrollment& one : enrollments) {
    const auto at = static_cast<std::uint32_t>(people.enrollments_.size());
    if (!is_sound(one)) return fail(kNotEnrollment.with_detail(at));
    if (people.find(one.key) != nullptr) return fail(kSameKey.with_detail(at));
    people.enrollments_.push_back(std::move(one));
  }
  return people;
}

Result<People> People::parse(std::string_view text) {
  if (text.size() > kPeopleBytesMax) return fail(kTooLarge);
  const auto value = wire::parse_strict(text, {});
  if (!value || !value->is_object()) return fail(kNotPeople);
  wire::ObjectReader reader(value->get_object());
  const std::int64_t version = reader.integer("#/version", kVersion, kVersion);
  const json::array* array = reader.array("#/people", kEnrollmentsMax);
  if (reader.finish() || version != kVersion) return fail(kNotPeople);
  std::vector<Enrollment> enrollments;
  for (const json::value& one : *array) {
    const auto at = static_cast<std::uint32_t>(enrollments.size());
    auto enrollment = read_enrollment(one);
    if (!enrollment) return fail(kNotEnrollment.with_detail(at));
    enrollments.push_back(*std::move(enrollment));
  }
  return create(std::move(enrollments));
}

std::string People::to_json() const {
  json::array array;
  for (const Enrollment& one : enrollments_) array.push_back(to_object(one));
  return json::serialize(json::object{{"version", kVersion}, {"people", std::move(array)}}) + "\n";
}

const Enrollment* People::find(const PersonKey& key) const noexcept {
  const auto found = std::ranges::find(enrollments_, key, &Enrollment::key);
  return found == enrollments_.end() ? nullptr : &*found;
}

}  // namespace strongroom::formats
