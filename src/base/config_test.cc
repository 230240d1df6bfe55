#include "base/config.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/encoding.h"

namespace strongroom {
namespace {

ConfigFile parse(std::string_view toml) {
  auto file = ConfigFile::parse(toml, "strongroom.toml", "/etc/strongroom");
  if (!file) ADD_FAILURE() << file.error().text();
  return file ? *std::move(file) : ConfigFile();
}

std::string parse_error(std::string_view toml) {
  const auto file = ConfigFile::parse(toml, "strongroom.toml", "/etc/strongroom");
  return file ? "" : file.error().text();
}

// The error of reading `toml`'s section [vaultd] by `read`.
template <class Read>
std::string error_of(std::string_view toml, Read read) {
  const ConfigFile file = parse(toml);
  ConfigSection section = *file.section("vaultd");
  read(section);
  const auto finished = section.finish();
  return finished ? "" : finished.error().text();
}

TEST(ConfigTest, ReadsEveryType) {
  const ConfigFile file = parse(R"(
[vaultd]
listen = "127.0.0.1:8443"
database = "postgres"
workers = 4
inline = true
certificate = "tls/vaultd.pem"
key = "/run/../keys/vaultd.key"
peers = ["a:1", "b:2"]
pin = "file:secrets/pin"
[vaultd.limits]
rate = "10/s"
[vaultd.pkcs11]
slots = 2
)");
  ConfigSection section = *file.section("vaultd");
  EXPECT_EQ(section.text("listen"), "127.0.0.1:8443");
  EXPECT_EQ(section.choice("database", {"sqlite", "postgres"}, "sqlite"), "postgres");
  EXPECT_EQ(section.integer("workers", 1, 64), 4);
  EXPECT_TRUE(section.flag("inline", false));
  EXPECT_EQ(section.path("certificate"), "/etc/strongroom/tls/vaultd.pem");
  EXPECT_EQ(section.path_or_empty("key"), "/keys/vaultd.key");
  EXPECT_EQ(section.text_list("peers"), (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(section.table("limits"), (std::map<std::string, std::string>{{"rate", "10/s"}}));
  const SecretReference pin = section.secret("pin");
  EXPECT_EQ(pin.kind, SecretReference::Kind::file);
  EXPECT_EQ(pin.where, "/etc/strongroom/secrets/pin");
  ConfigSection pkcs11 = section.subsection("pkcs11");
  EXPECT_EQ(pkcs11.keys(), std::vector<std::string>{"slots"});
  EXPECT_EQ(pkcs11.integer("slots", 0, 9, 1), 2);
  EXPECT_TRUE(pkcs11.finish());
  EXPECT_TRUE(section.finish());
}

TEST(ConfigTest, GivesDefaultsForAbsentKeys) {
  const ConfigFile file = parse("[vaultd]\n");
  ConfigSection section = *file.section("vaultd");
  EXPECT_EQ(section.text_or("a", "b"), "b");
  EXPECT_EQ(section.choice("a", {"x", "y"}, "y"), "y");
  EXPECT_EQ(section.integer("n", 1, 64, 2), 2);
  EXPECT_TRUE(section.flag("f", true));
  EXPECT_EQ(section.path_or_empty("p"), "");
  EXPECT_TRUE(section.text_list("l").empty());
  EXPECT_TRUE(section.table("t").empty());
  EXPECT_TRUE(section.subsection("s").keys().empty());
  EXPECT_TRUE(section.subsection("s").finish());
  EXPECT_FALSE(section.has("a"));
  EXPECT_TRUE(section.finish());
}

TEST(ConfigTest, NamesUnknownKeysWithTheirPlace) {
  EXPECT_EQ(error_of("[vaultd]\na = 1\n  foo = 2\n",
                     [](auto& section) { static_cast<void>(section.integer("a", 0, 9)); }),
            "strongroom.toml:3:3: [vaultd] unknown key 'foo'");
  // A table that nobody asked for, and a key in one that somebody did.
  EXPECT_EQ(error_of("[vaultd]\n[vaultd.b]\nc = 1\n", [](auto&) {}),
            "strongroom.toml:2:9: [vaultd] unknown key 'b'");
  const ConfigFile file = parse("[vaultd]\n[vaultd.b]\nc = 1\n");
  ConfigSection section = *file.section("vaultd");
  EXPECT_EQ(section.subsection("b").finish().error().text(),
            "strongroom.toml:3:1: [vaultd.b] unknown key 'c'");
}

TEST(ConfigTest, NamesMissingKeys) {
  const auto missing = [](auto read) { return error_of("\n[vaultd]\n", read); };
  const std::string text = "strongroom.toml:2:2: [vaultd] missing key 'a'";
  EXPECT_EQ(missing([](auto& s) { static_cast<void>(s.text("a")); }), text);
  EXPECT_EQ(missing([](auto& s) { static_cast<void>(s.path("a")); }), text);
  EXPECT_EQ(missing([](auto& s) { static_cast<void>(s.secret("a")); }), text);
  EXPECT_EQ(missing([](auto& s) { static_cast<void>(s.integer("a", 0, 1)); }), text);
}

TEST(ConfigTest, RefusesWrongTypesAndValues) {
  const auto at = [](std::string_view value, auto read) {
    return error_of("[vaultd]\na = " + std::string(value) + "\n", read);
  };
  const std::string place = "strongroom.toml:2:1: [vaultd] ";
  EXPECT_EQ(at("1", [](auto& s) { static_cast<void>(s.text("a")); }), place + "not a string 'a'");
  EXPECT_EQ(at("''", [](auto& s) { static_cast<void>(s.text("a")); }),
            place + "empty value of 'a'");
  EXPECT_EQ(at("1.5", [](auto& s) { static_cast<void>(s.integer("a", 0, 9)); }),
            place + "not an integer 'a'");
  for (const char* value : {"0", "65"}) {
    EXPECT_EQ(at(value, [](auto& s) { static_cast<void>(s.integer("a", 1, 64, 2)); }),
              place + "out of range: 'a'");
  }
  EXPECT_EQ(at("1", [](auto& s) { static_cast<void>(s.flag("a", true)); }),
            place + "neither true nor false 'a'");
  EXPECT_EQ(at("'z'", [](auto& s) { static_cast<void>(s.choice("a", {"x", "y"}, "x")); }),
            place + "not one of the values allowed for 'a'");
  EXPECT_EQ(at("'x'", [](auto& s) { static_cast<void>(s.text_list("a")); }),
            place + "not a list of strings 'a'");
  EXPECT_EQ(at("['x', 1]", [](auto& s) { static_cast<void>(s.text_list("a")); }),
            "strongroom.toml:2:11: [vaultd] not a list of strings 'a'");
  EXPECT_EQ(at("'x'", [](auto& s) { static_cast<void>(s.table("a")); }), place + "not a table 'a'");
  EXPECT_EQ(at("{x = 1}", [](auto& s) { static_cast<void>(s.table("a")); }),
            "strongroom.toml:2:6: [vaultd] not a table of strings 'a'");
  EXPECT_EQ(at("1", [](auto& s) { static_cast<void>(s.subsection("a")); }),
            place + "not a table 'a'");
  EXPECT_EQ(at("1",
               [](auto& s) {
                 static_cast<void>(s.integer("a", 0, 9));
                 s.refuse("a", {ErrorCode::invalid_argument, "does not go with the rest:"});
               }),
            place + "does not go with the rest: 'a'");
}

TEST(ConfigTest, KeepsTheFirstError) {
  EXPECT_EQ(error_of("[vaultd]\na = 1\nb = 2\n",
                     [](auto& section) {
                       static_cast<void>(section.text("b"));
                       static_cast<void>(section.text("a"));
                     }),
            "strongroom.toml:3:1: [vaultd] not a string 'b'");
}

TEST(ConfigTest, RefusesSecretsWrittenInlineWithoutShowingThem) {
  const auto pin = [](auto& section) { static_cast<void>(section.secret("pin")); };
  for (const char* value : {"1234", "file:", "env:"}) {
    EXPECT_EQ(error_of("[vaultd]\npin = '" + std::string(value) + "'\n", pin),
              "strongroom.toml:2:1: [vaultd] a secret is given as file:PATH or env:NAME: 'pin'");
  }
  EXPECT_EQ(error_of("[vaultd]\npin = 'env:PIN'\n", pin),
            "strongroom.toml:2:1: [vaultd] production takes no secret from the environment: 'pin'");
  EXPECT_EQ(error_of("[deployment]\nprofile = 'demo'\n[vaultd]\npin = 'env:PIN'\n", pin), "");
}

TEST(ConfigTest, FindsSectionsByDottedName) {
  const ConfigFile file = parse("[connectord.stripe]\na = 1\n[vaultd]\nb = 1\n");
  EXPECT_TRUE(file.has_section("connectord.stripe"));
  EXPECT_EQ(file.section("connectord.stripe")->integer("a", 0, 9), 1);
  for (const char* name : {"connectord.nmi", "vaultd.b", "edged"}) {
    EXPECT_FALSE(file.has_section(name));
    EXPECT_EQ(file.section(name).error().text(),
              "strongroom.toml: there is no section '" + std::string(name) + "'");
  }
}

TEST(ConfigTest, ExpectSectionsRefusesWhatItDoesNotKnow) {
  EXPECT_TRUE(parse("[a]\n[b]\n").expect_sections({"a", "b", "c"}));
  EXPECT_EQ(parse("[a]\n[b]\n").expect_sections({"a"}).error().text(),
            "strongroom.toml:2:2: unknown section 'b'");
  EXPECT_EQ(parse("a = 1\n[b]\n").expect_sections({"a", "b"}).error().text(),
            "strongroom.toml:1:1: key outside of any section 'a'");
}

TEST(ConfigTest, ReadsTheProfile) {
  EXPECT_EQ(parse("").profile(), Profile::production);
  EXPECT_EQ(parse("[deployment]\n").profile(), Profile::production);
  EXPECT_EQ(parse("[deployment]\nprofile = 'production'\n").profile(), Profile::production);
  EXPECT_EQ(parse("[deployment]\nprofile = 'demo'\n").profile(), Profile::demo);
  EXPECT_EQ(parse_error("[deployment]\nprofile = 'Demo'\n"),
            "strongroom.toml:2:1: [deployment] not one of the values allowed for 'profile'");
  EXPECT_EQ(to_string(Profile::demo), "demo");
  EXPECT_EQ(to_string(Profile::production), "production");
}

TEST(ConfigTest, RefusesBrokenTomlWithoutQuotingIt) {
  EXPECT_EQ(parse_error("[a]\npin = hunter2\n"), "strongroom.toml:2:7: not valid TOML");
  EXPECT_EQ(parse_error("[a]\nb = 1\nb = 2\n").substr(0, 18), "strongroom.toml:3:");
}

TEST(ConfigTest, MasksCardNumbersInErrors) {
  EXPECT_EQ(error_of("[vaultd]\n4242424242424242 = 1\n", [](auto&) {}),
            "strongroom.toml:2:1: [vaultd] unknown key '****************'");
}

class ConfigFolderTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(folder_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string make(const std::string& name, const std::string& content) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << content;
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
    return path;
  }
  std::string folder_ = testing::TempDir() + "config_test.XXXXXX";
};

TEST_F(ConfigFolderTest, LoadStartsRelativePathsAtTheFilesFolder) {
  make("pin", "1234\n");
  const auto file = ConfigFile::load(make("strongroom.toml", "[vaultd]\npin = 'file:pin'\n"));
  ASSERT_TRUE(file);
  const std::string folder = std::filesystem::path(folder_).lexically_normal().string();
  EXPECT_EQ(file->folder(), folder);
  const SecretReference pin = file->section("vaultd")->secret("pin");
  EXPECT_EQ(pin.where, folder + "/pin");
  EXPECT_EQ(as_text(resolve_secret(pin)->reveal()), "1234");
}

TEST_F(ConfigFolderTest, LoadSaysWhichFileIsMissing) {
  EXPECT_EQ(ConfigFile::load("/absent/strongroom.toml").error().text(),
            "/absent/strongroom.toml: no such file");
  EXPECT_EQ(ConfigFile::load(make("strongroom.toml", "[a]\nb\n")).error().text().substr(0, 18),
            "strongroom.toml:2:");
}

TEST_F(ConfigFolderTest, ResolveSecretReadsTheEnvironment) {
  const auto reference = parse_secret_reference("env:CONFIG_TEST_PIN", folder_, Profile::demo);
  ASSERT_TRUE(reference);
  ::unsetenv("CONFIG_TEST_PIN");
  EXPECT_EQ(resolve_secret(*reference).error().code(), ErrorCode::not_found);
  ::setenv("CONFIG_TEST_PIN", "1234", 1);
  EXPECT_EQ(as_text(resolve_secret(*reference)->reveal()), "1234");
  EXPECT_EQ(parse_secret_reference("env:X", folder_, Profile::production).error().code(),
            ErrorCode::permission_denied);
}

TEST_F(ConfigFolderTest, ResolveSecretRefusesOpenFiles) {
  const auto reference = parse_secret_reference("file:pin", folder_, Profile::production);
  ASSERT_EQ(::chmod(make("pin", "1234").c_str(), 0644), 0);
  EXPECT_EQ(resolve_secret(*reference).error().code(), ErrorCode::permission_denied);
}

}  // namespace
}  // namespace strongroom
