// The tables against Stripe's own description of its API: what they take, it knows, with the same
// type, the same choices and at most the same length.
#include "simulators/stripe/parameters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "simulators/stripe/endpoints.h"

namespace strongroom::simulators::stripe {
namespace {

namespace json = boost::json;

std::filesystem::path vectors() {
  const char* folder = std::getenv("STRONGROOM_VECTORS");
  if (folder != nullptr) return folder;
  return std::filesystem::path(SR_SOURCE_DIR) / "../shared/vectors";
}

class SpecTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file(vectors() / "stripe_openapi_subset.json");
    if (!file) GTEST_SKIP() << "no stripe_openapi_subset.json in " << vectors();
    std::stringstream text;
    text << file.rdbuf();
    document_ = json::parse(text.str()).as_object();
  }

  // A schema's alternatives, references followed.
  std::vector<const json::object*> alternatives(const json::object& schema) const {
    if (const json::value* reference = schema.if_contains("$ref")) {
      const std::string_view name = reference->as_string();
      const auto& schemas = document_.at("components").at("schemas").as_object();
      return alternatives(schemas.at(name.substr(name.rfind('/') + 1)).as_object());
    }
    const json::value* any = schema.if_contains("anyOf");
    if (any == nullptr) return {&schema};
    std::vector<const json::object*> all;
    for (const json::value& one : any->as_array()) {
      for (const json::object* found : alternatives(one.as_object())) all.push_back(found);
    }
    return all;
  }

  // The schemas of the parameter that `rest` of a name leads to.
  std::vector<const json::object*> follow(std::vector<const json::object*> from,
                                          std::string_view rest) const {
    while (!rest.empty()) {
      const std::string_view segment = take_segment(rest);
      std::vector<const json::object*> next;
      for (const json::object* schema : from) {
        for (const json::object* found : step(*schema, segment)) next.push_back(found);
      }
      from = std::move(next);
    }
    return from;
  }

  std::vector<const json::object*> step(const json::object& schema,
                                        std::string_view segment) const {
    const json::value* found = nullptr;
    if (segment == "*") {
      found = schema.if_contains("additionalProperties");
    } else if (segment.empty()) {
      found = schema.if_contains("items");
    } else if (const json::value* properties = schema.if_contains("properties")) {
      found = properties->as_object().if_contains(segment);
    }
    if (found == nullptr || !found->is_object()) return {};
    return alternatives(found->as_object());
  }

  // The operation's parameters: of its form, or of its query.
  std::vector<const json::object*> find(const json::object& operation,
                                        std::string_view name) const {
    if (const json::value* body = operation.if_contains("requestBody")) {
      const json::value* form = body->as_object().at("content").as_object().if_contains(
          "application/x-www-form-urlencoded");
      if (auto found = follow(alternatives(form->at("schema").as_object()), name); !found.empty()) {
        return found;
      }
    }
    const std::string_view root = take_segment(name);
    const json::value* parameters = operation.if_contains("parameters");
    if (parameters == nullptr) return {};
    for (const json::value& parameter : parameters->as_array()) {
      if (parameter.at("name").as_string() == root && parameter.at("in").as_string() == "query") {
        return follow(alternatives(parameter.at("schema").as_object()), name);
      }
    }
    return {};
  }

  // The path of the document with as many segments, and equal ones but for {..}.
  const json::object* path_item(std::string_view pattern) const {
    const auto shape = [](std::string_view path) {
      std::string out;
      bool inside = false;
      for (const char c : path) {
        inside = inside ? c != '}' : c == '{';
        if (!inside) out.push_back(c);
      }
      return out;
    };
    for (const auto& [path, item] : document_.at("paths").as_object()) {
      if (shape(path) == shape(pattern)) return &item.as_object();
    }
    return nullptr;
  }

  json::object document_;
};

bool has_type(const std::vector<const json::object*>& schemas, std::string_view type) {
  return std::ranges::any_of(schemas, [&](const json::object* schema) {
    const json::value* found = schema->if_contains("type");
    return found != nullptr && found->as_string() == type;
  });
}

bool has_choice(const std::vector<const json::object*>& schemas, std::string_view choice) {
  if ((choice == "true" || choice == "false") && has_type(schemas, "boolean")) return true;
  return std::ranges::any_of(schemas, [&](const json::object* schema) {
    const json::value* found = schema->if_contains("enum");
    return found != nullptr && std::ranges::any_of(found->as_array(), [&](const json::value& one) {
             return one.as_string() == choice;
           });
  });
}

void expect_fits(const Parameter& parameter, const std::vector<const json::object*>& schemas) {
  switch (parameter.kind) {
    case ParameterKind::integer:
      EXPECT_TRUE(has_type(schemas, "integer"));
      return;
    case ParameterKind::boolean:
      EXPECT_TRUE(has_type(schemas, "boolean"));
      return;
    case ParameterKind::text:
      EXPECT_TRUE(has_type(schemas, "string"));
      for (const json::object* schema : schemas) {
        const json::value* longest = schema->if_contains("maxLength");
        if (longest != nullptr) {
          EXPECT_LE(parameter.bytes_max, longest->to_number<std::size_t>());
        }
      }
      return;
    case ParameterKind::choice:
      std::istringstream choices{std::string(parameter.choices)};
      for (std::string choice; choices >> choice;) {
        EXPECT_TRUE(has_choice(schemas, choice)) << choice;
      }
  }
}

TEST_F(SpecTest, KnowsEveryParameterOfTheTables) {
  std::size_t looked_at = 0;
  for (const Endpoint& endpoint : endpoints()) {
    const json::object* item = path_item(endpoint.pattern);
    ASSERT_NE(item, nullptr) << endpoint.pattern;
    const std::string_view method = endpoint.method == http::Method::post  ? "post"
                                    : endpoint.method == http::Method::get ? "get"
                                                                           : "delete";
    ASSERT_TRUE(item->contains(method)) << method << " " << endpoint.pattern;
    if (method == "delete") continue;  // takes none, and `expand` does no harm
    for (const auto& table : endpoint.parameters) {
      for (const Parameter& parameter : table) {
        SCOPED_TRACE(std::string(endpoint.pattern) + " " + std::string(parameter.name));
        const auto schemas = find(item->at(method).as_object(), parameter.name);
        EXPECT_FALSE(schemas.empty()) << "the API does not know it";
        if (!schemas.empty()) expect_fits(parameter, schemas);
        ++looked_at;
      }
    }
  }
  EXPECT_GT(looked_at, 100u);
}

TEST_F(SpecTest, KnowsNoMisspeltParameter) {
  const json::object& operation = path_item("/v1/payment_intents")->at("post").as_object();
  EXPECT_FALSE(find(operation, "payment_method_options[card][network]").empty());
  EXPECT_TRUE(find(operation, "payment_method_options[card][networks]").empty());
  EXPECT_TRUE(find(operation, "amounts").empty());
  EXPECT_TRUE(find(operation, "expand[][x]").empty());
}

}  // namespace
}  // namespace strongroom::simulators::stripe
