#include "service/readiness.h"

#include <gtest/gtest.h>

#include "service/admin.h"
#include "service/start_error.h"

namespace strongroom::service {
namespace {

TEST(ReadinessTest, ReadyWhenEveryCheckIs) {
  Readiness readiness;
  EXPECT_TRUE(readiness.ready());
  readiness.add("auditd", true, "not reached");
  EXPECT_TRUE(readiness.ready());
  EXPECT_EQ(readiness.checks()[0].detail, "");
  readiness.add("database", false, "not reached");
  EXPECT_FALSE(readiness.ready());
}

TEST(ReadinessTest, WorkersShareACheckAndTheWorseOneStands) {
  Readiness readiness;
  readiness.add("auditd", true);
  readiness.add("auditd", false, "not reached");
  readiness.add("auditd", true);
  ASSERT_EQ(readiness.checks().size(), 1u);
  EXPECT_FALSE(readiness.checks()[0].ok);
  EXPECT_EQ(readiness.checks()[0].detail, "not reached");
}

TEST(ReadinessTest, WarningsAreSaidOnceAndDoNotMakeItUnready) {
  Readiness worker;
  worker.warn("hsm: software");
  Readiness all = worker;
  all.merge(worker);
  EXPECT_EQ(all.warnings(), std::vector<std::string>{"hsm: software"});
  EXPECT_TRUE(all.ready());
}

TEST(ReadinessTest, JsonNamesEveryCheckAndGap) {
  Readiness readiness;
  readiness.add("auditd", false, "not reached");
  readiness.warn("hsm: software");
  const AdminFacts facts{.instance = "authd",
                         .sandbox_gaps = {"landlock: no TCP rules before ABI 4"},
                         .memory = "mlocked",
                         .memory_locked = true};
  EXPECT_EQ(readiness_json(readiness, facts),
            R"({"ready":false,"instance":"authd","version":")" SR_VERSION
            R"(","checks":[{"name":"auditd","ok":false,"detail":"not reached"}],)"
            R"("warnings":["hsm: software"],)"
            R"("sandbox_gaps":["landlock: no TCP rules before ABI 4"],"memory":"mlocked",)"
            R"("memory_locked":true})");
}

TEST(StartErrorTest, SaysWhereWhatAndTheNumber) {
  EXPECT_EQ(StartError("HSM token", Error{ErrorCode::permission_denied, "PIN is wrong"}).text(),
            "HSM token: PIN is wrong");
  EXPECT_EQ(
      StartError("HSM token", Error{ErrorCode::unavailable, "no answer"}.with_detail(160)).text(),
      "HSM token: no answer (0xa0)");
}

TEST(StartErrorTest, ConfigErrorsKeepTheirPlace) {
  const ConfigError error{.message = "unknown key",
                          .file = "strongroom.toml",
                          .section = "vaultd",
                          .key = "foo",
                          .line = 12,
                          .column = 5};
  EXPECT_EQ(StartError(error).text(), error.text());
}

}  // namespace
}  // namespace strongroom::service
