#include "simulators/stripe/form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace strongroom::simulators::stripe {
namespace {

using ::testing::ElementsAre;

// Keeps the bytes that a Form points into.
struct Parsed {
  explicit Parsed(std::string bytes) : text(std::move(bytes)), form(Form::parse(text)) {}
  std::string text;
  Result<Form> form;
};

ErrorCode error_of(std::string text) {
  const Parsed parsed(std::move(text));
  EXPECT_FALSE(parsed.form.has_value());
  return parsed.form ? ErrorCode::corrupt : parsed.form.error().code();
}

TEST(FormTest, ParseDecodesNamesAndValues) {
  const Parsed parsed("a=1&card%5Bnumber%5D=42&name=Jenny+Rosen%26Co&empty=&flag");
  ASSERT_TRUE(parsed.form.has_value());
  EXPECT_EQ(parsed.form->value("a"), "1");
  EXPECT_EQ(parsed.form->value("card[number]"), "42");
  EXPECT_EQ(parsed.form->value("name"), "Jenny Rosen&Co");
  EXPECT_EQ(parsed.form->value("empty"), "");
  EXPECT_EQ(parsed.form->value("flag"), "");
  EXPECT_EQ(parsed.form->value("card"), std::nullopt);
}

TEST(FormTest, ParseDecodesInPlace) {
  const Parsed parsed("card[number]=%34%32");
  ASSERT_TRUE(parsed.form.has_value());
  const std::string_view value = *parsed.form->value("card[number]");
  EXPECT_EQ(value, "42");
  EXPECT_GE(value.data(), parsed.text.data());
  EXPECT_LT(value.data(), parsed.text.data() + parsed.text.size());
}

TEST(FormTest, ListTakesBothSpellings) {
  const Parsed parsed(
      "expand[]=a&expand[0]=b&expand[17]=c&expand[x]=d&expanded[]=e&expand[1][y]=f");
  ASSERT_TRUE(parsed.form.has_value());
  EXPECT_THAT(parsed.form->list("expand"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(parsed.form->list("absent"), ElementsAre());
}

TEST(FormTest, MembersAreTheNamesInBrackets) {
  const Parsed parsed("metadata[12]=A1&metadata[a b]=&metadatas[x]=1");
  ASSERT_TRUE(parsed.form.has_value());
  const auto members = parsed.form->members("metadata");
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[0].name, "12");
  EXPECT_EQ(members[0].value, "A1");
  EXPECT_EQ(members[1].name, "a b");
  EXPECT_TRUE(parsed.form->has_group("metadata"));
  EXPECT_FALSE(parsed.form->has_group("order"));
}

TEST(FormTest, ParseTakesNothing) {
  EXPECT_TRUE(Parsed("").form.has_value());
  EXPECT_TRUE(Parsed("&&").form.has_value());
}

TEST(FormTest, ParseRefusesIllEncodedText) {
  for (const char* text : {"a=%", "a=%4", "a=%4g", "%zz=1", "a=%ff", "a=%c0%80", "a=%ed%a0%80",
                           "a=%f4%90%80%80", "a=%e2%82", "a=%00"}) {
    EXPECT_EQ(error_of(text), ErrorCode::invalid_argument) << text;
  }
  EXPECT_TRUE(Parsed("a=%e2%82%ac%f0%9f%92%b3%c3%bc").form.has_value());
}

TEST(FormTest, ParseRefusesMalformedNames) {
  for (const char* text :
       {"=1", "[a]=1", "a[=1", "a]=1", "a[b=1", "a[b]c=1", "a[b[c]]=1", "a[][b]=1", "a[b]]=1"}) {
    EXPECT_EQ(error_of(text), ErrorCode::invalid_argument) << text;
  }
}

TEST(FormTest, ParseRefusesNamesThatDisagree) {
  for (const char* text : {"a=1&a=1", "a[b]=1&a[b]=2", "a=1&a[b]=2", "a[b][c]=1&a[b]=2",
                           "a[]=1&a=2", "a[0]=1&a[0]=2"}) {
    EXPECT_EQ(error_of(text), ErrorCode::invalid_argument) << text;
  }
}

TEST(FormTest, ParseRefusesWhatIsTooLarge) {
  std::string many;
  for (std::size_t i = 0; i < Form::kFieldsMax; ++i) many += "a[]=&";
  EXPECT_TRUE(Parsed(many).form.has_value());
  EXPECT_EQ(error_of(many + "a[]="), ErrorCode::too_large);
  EXPECT_TRUE(Parsed(std::string(Form::kNameBytesMax, 'a') + "=1").form.has_value());
  EXPECT_EQ(error_of(std::string(Form::kNameBytesMax + 1, 'a') + "=1"), ErrorCode::too_large);
  EXPECT_TRUE(Parsed("a[b][c][d][e][f][g]=1").form.has_value());
  EXPECT_EQ(error_of("a[b][c][d][e][f][g][h]=1"), ErrorCode::too_large);
}

TEST(FormTest, TakeSegmentWalksAName) {
  std::string_view rest = "a[b][]";
  EXPECT_EQ(take_segment(rest), "a");
  EXPECT_EQ(take_segment(rest), "b");
  EXPECT_EQ(take_segment(rest), "");
  EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace strongroom::simulators::stripe
