// People: whose signature counts for what. A list of enrollments, each of one key; a person who has
// several, as after a renewal, is one person all the same.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/approval.h"

namespace strongroom::formats {

inline constexpr std::size_t kEnrollmentsMax = 256;
inline constexpr std::size_t kPeopleBytesMax = std::size_t{128} << 10;

struct Enrollment {
  std::string person;  // 1 to 64 of a-z, 0-9, . _ and -
  PersonKey key{};
  std::vector<ApprovalRole> roles{};  // at least one, each once
  std::int64_t valid_from_us = 0;     // times are whole milliseconds
  std::int64_t valid_until_us = 0;    // from then on it counts no more
  std::optional<std::int64_t> revoked_at_us{};
  bool operator==(const Enrollment&) const = default;
};

class People {
 public:
  People() = default;
  // invalid_argument: a member is not what it must be, or they are too many; conflict: two have the
  // same key, so that one person could pass for two (detail: which, counted from 0).
  [[nodiscard]] static Result<People> create(std::vector<Enrollment> enrollments);
  // What to_json() gives, members in any order. Errors of create(), and invalid_argument,
  // too_large.
  [[nodiscard]] static Result<People> parse(std::string_view json);
  [[nodiscard]] std::string to_json() const;

  // Null: nobody's.
  [[nodiscard]] const Enrollment* find(const PersonKey& key) const noexcept;
  [[nodiscard]] std::span<const Enrollment> enrollments() const noexcept { return enrollments_; }

 private:
  std::vector<Enrollment> enrollments_;
};

}  // namespace strongroom::formats
