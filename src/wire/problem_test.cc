#include "wire/problem.h"

#include <gtest/gtest.h>

#include <array>

namespace strongroom::wire {
namespace {

TEST(ProblemTest, ToJsonWritesRfc9457Members) {
  const Problem problem{.type = ProblemType::card_number_check_digit,
                        .detail = "fails the Luhn check",
                        .pointer = "#/card/number"};
  EXPECT_EQ(to_json(problem, "00ff"),
            R"({"type":"urn:strongroom:problem:card-number-check-digit",)"
            R"("title":"The card number's check digit is wrong.","status":422,)"
            R"("detail":"fails the Luhn check","request_id":"00ff",)"
            R"("errors":[{"pointer":"#/card/number","detail":"fails the Luhn check"}]})");
}

TEST(ProblemTest, ToJsonLeavesOutWhatIsEmpty) {
  EXPECT_EQ(to_json({.type = ProblemType::sealed}, ""),
            R"({"type":"urn:strongroom:problem:sealed","title":"The keys are not loaded.",)"
            R"("status":503})");
}

TEST(ProblemTest, ToJsonGivesThePointerTheTitleWithoutDetail) {
  const Problem problem{.type = ProblemType::missing_field, .pointer = "#/token"};
  EXPECT_NE(
      to_json(problem, "")
          .find(R"("errors":[{"pointer":"#/token","detail":"A required field is missing."}])"),
      std::string::npos);
}

TEST(ProblemTest, ToJsonEscapesQuotesBackslashesAndControls) {
  EXPECT_NE(to_json({.type = ProblemType::internal, .detail = "a\"b\\c\n"}, "")
                .find(R"("detail":"a\"b\\c\u000a")"),
            std::string::npos);
}

TEST(ProblemTest, SlugsAreUniqueAndFindTheirType) {
  for (int i = 0; i <= static_cast<int>(ProblemType::outcome_unknown); ++i) {
    const ProblemKind& kind = kind_of(static_cast<ProblemType>(i));
    EXPECT_EQ(problem_type_of(kind.slug), kind.type) << kind.slug;
    EXPECT_EQ(kind.slug.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string_view::npos);
    EXPECT_GE(kind.status, 400);
    EXPECT_LT(kind.status, 600);
  }
  EXPECT_EQ(problem_type_of("no-such-problem"), std::nullopt);
  EXPECT_EQ(problem_type_of(""), std::nullopt);
}

TEST(ProblemTest, ProblemOfMapsEveryErrorCode) {
  struct Row {
    Error error;
    ProblemType type;
    int status;
    std::string_view detail;  // only what the caller can mend is told
  };
  const auto rows = std::to_array<Row>({
      {{ErrorCode::invalid_argument, "x"}, ProblemType::invalid_value, 422, "x"},
      {{ErrorCode::not_found, "x"}, ProblemType::not_found, 404, ""},
      {{ErrorCode::permission_denied, "x"}, ProblemType::not_allowed, 403, ""},
      {{ErrorCode::conflict, "x"}, ProblemType::conflict, 409, "x"},
      {{ErrorCode::gone, "x"}, ProblemType::token_deleted, 410, "x"},
      {{ErrorCode::exhausted, "x"}, ProblemType::overloaded, 503, ""},
      {{ErrorCode::rate_limited, "x"}, ProblemType::rate_limited, 429, ""},
      {{ErrorCode::too_large, "x"}, ProblemType::too_large, 413, "x"},
      {{ErrorCode::sealed, "x"}, ProblemType::sealed, 503, ""},
      {{ErrorCode::unavailable, "x"}, ProblemType::service_unavailable, 503, ""},
      {{ErrorCode::unknown_outcome, "x"}, ProblemType::outcome_unknown, 504, ""},
      {{ErrorCode::corrupt, "x"}, ProblemType::internal, 500, ""},
  });
  for (const Row& row : rows) {
    const Problem problem = problem_of(row.error);
    EXPECT_EQ(problem.type, row.type);
    EXPECT_EQ(problem.status(), row.status);
    EXPECT_EQ(problem.detail.text(), row.detail);
  }
}

}  // namespace
}  // namespace strongroom::wire
