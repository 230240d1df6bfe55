// What auditd is told of a dump, at its admin socket.
#include "service/recorded_dump.h"

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <optional>
#include <string>

#include "async/loop.h"
#include "async/task.h"
#include "base/encoding.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "http/client.h"

namespace strongroom::service {
namespace {

constexpr std::size_t kIdBytes = 16;
constexpr int kRecorded = 200;
constexpr Error kNotRecorded{
    ErrorCode::unavailable,
    "auditd does not record this dump, so there is none: it must run, and takes"
    " the word of its own user and root"};

async::Task<Result<http::ClientResponse>> send_and_close(http::Client& client,
                                                         const http::ClientRequest& request) {
  auto response = co_await client.send(request);
  co_await client.close();
  co_return response;
}

class DumpRecord {
 public:
  DumpRecord(const Deployment& deployment, std::string_view database, crypto::Random& random)
      : deployment_(deployment), database_(database) {
    std::array<std::byte, kIdBytes> id{};
    random.fill(id);
    id_ = hex(id);
  }

  Start<void> say(std::string_view act, const std::optional<crypto::Sha256Digest>& sha256 = {}) {
    const auto auditd = deployment_.auditd_uid();
    if (!auditd) return start_failure(deployment_.audit_socket_folder(), auditd.error());
    boost::json::object body{
        {"id", id_}, {"kind", "dump"}, {"act", act}, {"parts", boost::json::array{database_}}};
    if (sha256) body["sha256"] = hex(*sha256);
    const std::string text = boost::json::serialize(body);
    const std::string path = deployment_.run_path("auditd.admin.sock");
    async::Loop loop;
    http::Client client(loop, {.host = "localhost", .unix_path = path, .unix_users = {*auditd}});
    const http::ClientRequest request{.method = http::Method::post,
                                      .target = "/v1/backups",
                                      .headers = {{"Content-Type", "application/json"}},
                                      .body = as_bytes(text)};
    const auto answer = loop.run_until_done(send_and_close(client, request));
    if (answer && answer->status == kRecorded) return {};
    return start_failure(path, kNotRecorded);
  }

 private:
  const Deployment& deployment_;
  std::string_view database_;
  std::string id_;
};

}  // namespace

Start<void> dump_recorded(const Deployment& deployment, std::string_view database,
                          crypto::Random& random, const DumpSink& sink,
                          const std::function<Start<void>(const DumpSink&)>& dump) {
  DumpRecord record(deployment, database, random);
  SR_CHECK_OK(record.say("begin"));
  crypto::Sha256 hash;
  const Start<void> dumped = dump([&](std::span<const std::byte> bytes) {
    hash.update(bytes);
    return sink(bytes);
  });
  if (!dumped) {
    static_cast<void>(record.say("end"));
    return dumped;
  }
  return record.say("end", hash.finish());
}

}  // namespace strongroom::service
