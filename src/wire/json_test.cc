#include "wire/json.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/json/memory_resource.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <new>
#include <string>

namespace strongroom::wire {
namespace {

namespace json = boost::json;

// Counts what is taken from it, so that a copy elsewhere shows as too little.
class CountingResource final : public json::memory_resource {
 public:
  std::size_t bytes_live = 0;
  std::size_t bytes_max = std::size_t{1} << 20;

 private:
  void* do_allocate(std::size_t size, std::size_t) override {
    if (bytes_live + size > bytes_max) throw std::bad_alloc();
    bytes_live += size;
    return std::malloc(size);
  }
  void do_deallocate(void* block, std::size_t size, std::size_t) override {
    bytes_live -= size;
    std::free(block);
  }
  bool do_is_equal(const json::memory_resource& other) const noexcept override {
    return this == &other;
  }
};

ProblemType refusal(std::string_view text) {
  const auto value = parse_strict(text, {});
  EXPECT_FALSE(value.has_value()) << text;
  return value ? ProblemType::internal : value.error().type;
}

TEST(JsonTest, ParseStrictTakesEveryKindOfValue) {
  const std::string text =
      R"({"a":[1,-2,3.5,true,false,null,"\u00e9\n"],"b":{"c":{}},"d":18446744073709551615})";
  const auto value = parse_strict(text, {});
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->at("a").at(6).as_string(), "\u00e9\n");
  EXPECT_EQ(value->at("d").as_uint64(), 18446744073709551615u);
  EXPECT_TRUE(parse_strict(" [] ", {}).has_value());
}

TEST(JsonTest, ParseStrictRefusesWhatIsNotOneJsonText) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "{}x",
                                      "{} {}",
                                      "{\"a\":1,}",
                                      "[1,]",
                                      "{a:1}",
                                      "{'a':1}",
                                      "01",
                                      "+1",
                                      ".5",
                                      "1.",
                                      "NaN",
                                      "1e999",
                                      "-1e999",
                                      "Infinity",
                                      "tru",
                                      "// c\n{}",
                                      "/**/{}",
                                      "\"\t\"",
                                      "\"\\x\"",
                                      "\"\\ud800\"",
                                      "\"\xff\"",
                                      "\"\xc0\xaf\"",
                                      "\"\xed\xa0\x80\"",
                                      "\xef\xbb\xbf{}",
                                      "{\"a\"}",
                                      "[1 2]"}) {
    EXPECT_EQ(refusal(text), ProblemType::malformed_json) << text;
  }
  EXPECT_EQ(refusal(std::string_view("{}\0", 3)), ProblemType::malformed_json);
}

TEST(JsonTest, ParseStrictRefusesDuplicateKeys) {
  EXPECT_EQ(refusal(R"({"a":1,"a":2})"), ProblemType::duplicate_key);
  EXPECT_EQ(refusal(R"({"a":1,"b":{"c":1,"c":1}})"), ProblemType::duplicate_key);
  EXPECT_EQ(refusal(R"([{"a":{"x":1,"y":2},"a":{"z":3}}])"), ProblemType::duplicate_key);
  EXPECT_EQ(refusal(R"({"number":1,"\u006eumber":2})"), ProblemType::duplicate_key);
  EXPECT_EQ(refusal(R"({"":1,"":2})"), ProblemType::duplicate_key);
  EXPECT_TRUE(parse_strict(R"([{"a":1},{"a":1},{"a":{"a":1}}])", {}).has_value());
  EXPECT_TRUE(parse_strict(R"({"a":1,"A":2})", {}).has_value());
}

TEST(JsonTest, ParseStrictBoundsTheDepth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_strict(nested(kJsonDepthMax), {}).has_value());
  EXPECT_EQ(refusal(nested(kJsonDepthMax + 1)), ProblemType::malformed_json);
  EXPECT_EQ(refusal(nested(100'000)), ProblemType::malformed_json);
}

TEST(JsonTest, ParseStrictKeepsEveryByteInTheGivenStorage) {
  CountingResource resource;
  {
    const std::string digits(2000, '4');  // longer than any inline string
    const auto value = parse_strict("{\"card\":{\"number\":\"" + digits + "\"}}", &resource);
    ASSERT_TRUE(value.has_value());
    EXPECT_EQ(value->storage().get(), &resource);
    EXPECT_EQ(value->at("card").at("number").storage().get(), &resource);
    EXPECT_GE(resource.bytes_live, digits.size());
  }
  EXPECT_EQ(resource.bytes_live, 0u);
}

TEST(JsonTest, ParseStrictSaysWhenTheStorageIsUsedUp) {
  CountingResource resource;
  resource.bytes_max = 4096;
  const auto value = parse_strict("\"" + std::string(8192, 'x') + "\"", &resource);
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().type, ProblemType::overloaded);
  EXPECT_EQ(resource.bytes_live, 0u);
}

TEST(JsonTest, AsObjectRefusesOtherValues) {
  EXPECT_TRUE(as_object(json::object{}).has_value());
  const json::value array = json::array{};
  ASSERT_FALSE(as_object(array).has_value());
  EXPECT_EQ(as_object(array).error().type, ProblemType::wrong_type);
}

// One row: a body, and the problem that reading it as below must give.
struct Row {
  std::string_view body;
  ProblemType type;
  std::string_view pointer;
};

std::optional<Problem> read(const json::object& object) {
  ObjectReader reader(object);
  (void)reader.text("#/name", {.min = 2, .max = 4});
  (void)reader.text_or_none("#/note", {.min = 0, .max = 3});
  (void)reader.integer("#/amount", 1, 100);
  (void)reader.integer_or_none("#/limit", 0, 5);
  (void)reader.flag("#/capture");
  (void)reader.flag_or("#/final", true);
  (void)reader.object("#/card");
  (void)reader.object_or_none("#/metadata");
  (void)reader.array("#/scopes", 2);
  (void)reader.array_or_none("#/more", 1);
  return reader.finish();
}

TEST(ObjectReaderTest, RefusesWithTheFirstBrokenRule) {
  constexpr std::string_view kGood = R"({"name":"ab","amount":1,"capture":true,"card":{},)"
                                     R"("scopes":[]})";
  constexpr auto kRows = std::to_array<Row>({
      {R"({})", ProblemType::missing_field, "#/name"},
      {R"({"name":null})", ProblemType::missing_field, "#/name"},
      {R"({"name":1})", ProblemType::wrong_type, "#/name"},
      {R"({"name":"a"})", ProblemType::invalid_value, "#/name"},
      {R"({"name":"abcde"})", ProblemType::invalid_value, "#/name"},
      {R"({"name":"ab","note":1})", ProblemType::wrong_type, "#/note"},
      {R"({"name":"ab","note":"long"})", ProblemType::invalid_value, "#/note"},
      {R"({"name":"ab","amount":"1"})", ProblemType::wrong_type, "#/amount"},
      {R"({"name":"ab","amount":1.0})", ProblemType::wrong_type, "#/amount"},
      {R"({"name":"ab","amount":1e2})", ProblemType::wrong_type, "#/amount"},
      {R"({"name":"ab","amount":0})", ProblemType::invalid_value, "#/amount"},
      {R"({"name":"ab","amount":101})", ProblemType::invalid_value, "#/amount"},
      {R"({"name":"ab","amount":9223372036854775808})", ProblemType::invalid_value, "#/amount"},
      {R"({"name":"ab","amount":1,"limit":6})", ProblemType::invalid_value, "#/limit"},
      {R"({"name":"ab","amount":1,"limit":null})", ProblemType::missing_field, "#/capture"},
      {R"({"name":"ab","amount":1,"capture":1})", ProblemType::wrong_type, "#/capture"},
      {R"({"name":"ab","amount":1,"capture":true,"final":"no"})", ProblemType::wrong_type,
       "#/final"},
      {R"({"name":"ab","amount":1,"capture":true,"card":[]})", ProblemType::wrong_type, "#/card"},
      {R"({"name":"ab","amount":1,"capture":true,"card":{},"metadata":"x"})",
       ProblemType::wrong_type, "#/metadata"},
      {R"({"name":"ab","amount":1,"capture":true,"card":{},"scopes":{}})", ProblemType::wrong_type,
       "#/scopes"},
      {R"({"name":"ab","amount":1,"capture":true,"card":{},"scopes":[1,2,3]})",
       ProblemType::invalid_value, "#/scopes"},
      {R"({"name":"ab","amount":1,"capture":true,"card":{},"scopes":[],"more":[1,2]})",
       ProblemType::invalid_value, "#/more"},
      {R"({"name":"ab","amount":1,"capture":true,"card":{},"scopes":[],"extra":1})",
       ProblemType::unknown_field, ""},
      {R"({"name":"ab","amount":1,"capture":true,"card":{},"scopes":[],"extra":null})",
       ProblemType::unknown_field, ""},
      {R"({"extra":1})", ProblemType::missing_field, "#/name"},
  });
  const auto good = parse_strict(kGood, {});
  ASSERT_TRUE(good.has_value());
  EXPECT_FALSE(read(good->as_object()).has_value());
  for (const Row& row : kRows) {
    const auto value = parse_strict(row.body, {});
    ASSERT_TRUE(value.has_value()) << row.body;
    const auto problem = read(value->as_object());
    ASSERT_TRUE(problem.has_value()) << row.body;
    EXPECT_EQ(problem->type, row.type) << row.body;
    EXPECT_EQ(problem->pointer.text(), row.pointer) << row.body;
  }
}

TEST(ObjectReaderTest, GivesTheValues) {
  const auto value = parse_strict(
      R"({"a":"text","b":-5,"c":true,"d":{"x":1},"e":[1,2],"f":null,"g":"y","h":7})", {});
  ASSERT_TRUE(value.has_value());
  ObjectReader reader(value->as_object());
  EXPECT_EQ(reader.text("#/a", {.min = 0, .max = 10}), "text");
  EXPECT_EQ(reader.integer("#/b", -10, 10), -5);
  EXPECT_TRUE(reader.flag("#/c"));
  ASSERT_NE(reader.object("#/deep/d"), nullptr);
  ASSERT_NE(reader.array("#/e", 2), nullptr);
  EXPECT_EQ(reader.text_or_none("#/f", {.min = 1, .max = 2}), std::nullopt);
  EXPECT_EQ(reader.text_or_none("#/g", {.min = 1, .max = 2}), "y");
  EXPECT_EQ(reader.integer_or_none("#/h", 0, 9), 7);
  EXPECT_EQ(reader.integer_or_none("#/absent", 0, 9), std::nullopt);
  EXPECT_TRUE(reader.flag_or("#/also_absent", true));
  EXPECT_EQ(reader.object_or_none("#/o"), nullptr);
  EXPECT_EQ(reader.array_or_none("#/p", 1), nullptr);
  EXPECT_TRUE(reader.ok());
  EXPECT_FALSE(reader.finish().has_value());
}

TEST(ObjectReaderTest, RefuseKeepsTheFirstProblem) {
  const json::object empty;
  ObjectReader reader(empty);
  reader.refuse({.type = ProblemType::card_expired, .pointer = "#/card/exp_year"});
  EXPECT_FALSE(reader.ok());
  (void)reader.text("#/name", {});
  ASSERT_TRUE(reader.finish().has_value());
  EXPECT_EQ(reader.finish()->type, ProblemType::card_expired);
}

}  // namespace
}  // namespace strongroom::wire
