// What auditd is told of a dump, at its admin socket.
#include "service/recorded_dump.h"

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <string>

#include "async/task.h"
#include "base/encoding.h"
#include "base/try.h"
#include "crypto/hash.h"
#include "http/client.h"

namespace strongroom::service {
namespace {

constexpr std::size_t kIdBytes = 16;
constexpr int kRecorded = 200;
constexpr int kNotReady = 503;
constexpr Error kRefused{ErrorCode::permission_denied, "auditd refuses"};
constexpr Error kStarting{ErrorCode::unavailable, "auditd is not ready"};
constexpr Error kNoDump{ErrorCode::unavailable,
                        "auditd does not record this dump, so there is none: it must run, and takes"
                        " the word of its own user and root"};
constexpr Error kNoEnd{ErrorCode::unavailable,
                       "the dump was given, but auditd does not record its end: destroy it"};

// What was given away.
class Given {
 public:
  Result<void> give(std::span<const std::byte> bytes, const DumpOutput& output) {
    while (!bytes.empty()) {
      SR_TRY(const std::size_t taken, output(bytes));
      hash_.update(bytes.first(taken));
      size_bytes_ += taken;
      bytes = bytes.subspan(taken);
    }
    return {};
  }
  void tell(boost::json::object& body) {
    body["sha256"] = hex(hash_.finish());
    body["size_bytes"] = size_bytes_;
  }

 private:
  crypto::Sha256 hash_;
  std::uint64_t size_bytes_ = 0;
};

class DumpRecord {
 public:
  DumpRecord(const Deployment& deployment, std::string_view database, crypto::Random& random)
      : deployment_(deployment), database_(database) {
    std::array<std::byte, kIdBytes> id{};
    random.fill(id);
    id_ = hex(id);
  }

  [[nodiscard]] boost::json::object body(std::string_view act) const {
    return {{"id", id_}, {"kind", "dump"}, {"act", act}, {"parts", boost::json::array{database_}}};
  }
  // The error says why auditd has not.
  [[nodiscard]] Start<void> say(const boost::json::object& body) const {
    const auto auditd = deployment_.auditd_uid();
    if (!auditd) return start_failure(deployment_.audit_socket_folder(), auditd.error());
    const std::string text = boost::json::serialize(body);
    const std::string path = deployment_.run_path("auditd.admin.sock");
    const http::ClientRequest request{.method = http::Method::post,
                                      .target = "/v1/backups",
                                      .headers = {{"Content-Type", "application/json"}},
                                      .body = as_bytes(text)};
    const auto answer =
        http::send_once({.host = "localhost", .unix_path = path, .unix_users = {*auditd}}, request);
    if (!answer) return start_failure(path, answer.error());
    if (answer->status == kRecorded) return {};
    return start_failure(path, answer->status == kNotReady ? kStarting : kRefused);
  }

 private:
  const Deployment& deployment_;
  std::string_view database_;
  std::string id_;
};

}  // namespace

Start<void> dump_recorded(const Deployment& deployment, const Dump& dump, crypto::Random& random) {
  const DumpRecord record(deployment, dump.database, random);
  const Start<void> begun = record.say(record.body("begin"));
  if (!begun) return start_failure(begun.error().text(), kNoDump);
  Given given;
  Start<void> made =
      dump.make([&](std::span<const std::byte> bytes) { return given.give(bytes, dump.output); });
  boost::json::object body = record.body(made ? "end" : "failed");
  given.tell(body);
  const Start<void> ended = record.say(body);
  if (ended) return made;
  const std::string why = made ? "" : made.error().text() + "; ";
  return start_failure(why + ended.error().text(), kNoEnd);
}

}  // namespace strongroom::service
