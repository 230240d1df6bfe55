// The witness over HTTP: paths, statuses, media types, and how much it reads.
#include "witness/routes.h"

#include "async/loop.h"
#include "audit/lines.h"
#include "http/head.h"
#include "http/target.h"
#include "witness/testing/witness_fixture.h"

namespace strongroom::witness {
namespace {

using http::Method;

class WitnessRoutesTest : public WitnessTest {
 protected:
  WitnessRoutesTest() : witness_(open().value()) { add_routes(router_, witness_); }

  http::Response ask(Method method, std::string_view path, std::string body = {},
                     std::string_view query = {}) {
    http::Head head;
    head.method = method;
    head.path = path;
    head.query = query;
    http::Request request(head, std::as_writable_bytes(std::span(body)), peer_, "id");
    return loop_.run_until_done(router_.dispatch(request));
  }

  async::Loop loop_;
  Witness witness_;
  http::Router router_;
  http::Peer peer_;
};

TEST_F(WitnessRoutesTest, CosignsAndShowsTheNewest) {
  const std::string path = "/" + origin_hash(audit::testing::kOrigin) + "/checkpoint";
  EXPECT_EQ(ask(Method::get, path).status, 404);
  const http::Response cosigned = ask(Method::post, "/add-checkpoint", body(0, 4));
  EXPECT_EQ(cosigned.status, 200);
  EXPECT_TRUE(cosigned.body.starts_with("\xE2\x80\x94 witness.example/w1 "));
  const http::Response newest = ask(Method::get, path);
  EXPECT_EQ(newest.status, 200);
  EXPECT_EQ(newest.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(newest.body, note(4) + cosigned.body);
}

TEST_F(WitnessRoutesTest, ShowsTheLogThatComesNext) {
  const std::string stem = "v.example/auditd/operator/";
  const audit::NoteKey key{stem + "2023", audit::testing::golden_signer().public_key()};
  write("etc/logs", "log " + key.text() + "\n");
  const auto next = [&](const std::string& after) {
    return ask(Method::get, "/next-checkpoint", {}, "after=" + http::percent_encoded(after));
  };
  EXPECT_EQ(next(stem).status, 404);
  const http::Response cosigned = ask(Method::post, "/add-checkpoint", beginning(stem + "2024", 3));
  EXPECT_EQ(cosigned.status, 200);
  const http::Response shown = next(stem + "2023");
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(shown.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(shown.body, witness_.checkpoint(origin_hash(stem + "2024")).value());
  EXPECT_EQ(next(stem).body, shown.body);
  EXPECT_EQ(next(stem + "2024").status, 404);
  EXPECT_EQ(ask(Method::get, "/next-checkpoint").status, 404);
}

TEST_F(WitnessRoutesTest, TellsTheLastSizeOnAConflict) {
  EXPECT_EQ(ask(Method::post, "/add-checkpoint", body(0, 4)).status, 200);
  const http::Response conflict = ask(Method::post, "/add-checkpoint", body(3, 5));
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.content_type, "text/x.tlog.size");
  EXPECT_EQ(conflict.body, "4\n");
}

TEST_F(WitnessRoutesTest, ServesNothingElse) {
  EXPECT_EQ(ask(Method::get, "/add-checkpoint").status, 405);
  EXPECT_EQ(ask(Method::get, "/").status, 404);
  EXPECT_EQ(ask(Method::get, "/x/checkpoint").status, 404);
  EXPECT_EQ(ask(Method::post, "/x/checkpoint").status, 405);
}

TEST_F(WitnessRoutesTest, ReadsTheLargestRequestAndNoMore) {
  const std::vector<audit::Hash> hashes(audit::kProofHashesMax);
  const std::string longest(audit::kNoteBytesMax, 'x');
  http::Head head;
  head.method = Method::post;
  head.path = "/add-checkpoint";
  const std::size_t most = router_.body_bytes_max(head);
  const std::string largest = audit::add_checkpoint_body(~std::uint64_t{0}, hashes, longest);
  EXPECT_GE(most, largest.size());
  EXPECT_LE(most, 2 * largest.size());
}

}  // namespace
}  // namespace strongroom::witness
