// A stream carries bytes to the peer that it names, and says when nobody takes them any longer.
#include "http/byte_stream.h"

#include <gtest/gtest.h>

#include <string>

#include "base/encoding.h"
#include "http/testing/authority.h"
#include "http/testing/raw_server.h"

namespace strongroom::http {
namespace {

using testing::Authority;
using testing::RawConnection;
using testing::RawServer;

class ByteStreamTest : public ::testing::Test {
 protected:
  template <class T>
  T wait(async::Task<T> task) {
    return loop_.run_until_done(std::move(task));
  }
  std::shared_ptr<const TlsContext> public_server() {
    TlsOptions own = authority_.options("sink");
    own.ca_pem.clear();  // asks for no certificate
    return *TlsContext::server(own);
  }
  Result<std::unique_ptr<ByteStream>> open(std::uint16_t port, const Authority& believed) {
    ByteStreamOptions options{.host = "localhost",
                              .port = port,
                              .addresses = {"127.0.0.1"},
                              .tls = *TlsContext::client_of_hosts(believed.ca_pem())};
    return wait(ByteStream::open(loop_, std::move(options)));
  }

  async::Loop loop_;
  Authority authority_;
};

TEST_F(ByteStreamTest, ThePeerGetsAllThatWasWritten) {
  std::string heard;
  const std::string sent(100'000, 'x');
  {
    RawServer server(public_server(),
                     {[&](RawConnection& connection) { heard = connection.hear_all(); }});
    auto stream = open(server.port(), authority_);
    ASSERT_TRUE(stream);
    EXPECT_TRUE((*stream)->is_alive());
    EXPECT_TRUE(wait((*stream)->write(as_bytes(sent))));
    (*stream)->finish();
    stream->reset();
  }
  EXPECT_EQ(heard, sent);
}

TEST_F(ByteStreamTest, APeerThatIsGoneIsSeen) {
  std::unique_ptr<ByteStream> stream;
  {
    RawServer server(public_server(), {[](RawConnection&) {}});
    auto opened = open(server.port(), authority_);
    ASSERT_TRUE(opened);
    stream = *std::move(opened);
  }
  EXPECT_FALSE(stream->is_alive());
}

TEST_F(ByteStreamTest, AStrangerIsNotWrittenTo) {
  RawServer server(public_server(), {[](RawConnection&) {}});
  const auto stream = open(server.port(), Authority{});
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::permission_denied);
}

TEST_F(ByteStreamTest, NobodyListensIsUnavailable) {
  const auto stream = open(1, authority_);
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), ErrorCode::unavailable);
}

}  // namespace
}  // namespace strongroom::http
