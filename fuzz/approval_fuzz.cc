// Approvals, requests and lists of people: what is read is written back the same, byte by byte
// where there is one form.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/try.h"
#include "formats/approval.h"
#include "formats/people.h"
#include "formats/quorum.h"

namespace strongroom::formats {
namespace {

void check(std::string_view text) {
  if (const auto request = parse_approval_request(text)) SR_CHECK(to_text(*request) == text);
  if (const auto approval = parse_approval(text)) {
    SR_CHECK(to_text(*approval) == text);
    const QuorumPolicy policy{.roles = {approval->role}, .window = std::chrono::minutes(1)};
    const auto decision =
        decide_quorum(policy, People(), {.wanted = approval->request}, {&*approval, 1});
    SR_CHECK(!decision.reached);  // nobody is enrolled
    static_cast<void>(is_signed(*approval));
  }
  if (const auto people = People::parse(text)) {
    const auto again = People::parse(people->to_json());
    SR_CHECK(again.has_value());
    SR_CHECK(again->to_json() == people->to_json());
  }
}

}  // namespace
}  // namespace strongroom::formats

extern "C" int LLVMFuzzerTestOneInput(  // NOLINT(readability-identifier-naming): libFuzzer's name
    const std::uint8_t* data, std::size_t size) {
  strongroom::formats::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
