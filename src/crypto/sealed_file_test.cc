#include "crypto/sealed_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/encoding.h"

namespace strongroom::crypto {
namespace {

// docs/formats/sealed-file.md, made with Python's hashlib and cryptography.
constexpr std::string_view kExample =
    "53525345414c454401000927c0737373737373737373737373737373736e6e6e"
    "6e6e6e6e6e6e6e6e6e31323e1c4071485d8a52d5fb027757f1a5218e01b7af";

SecretBytes secret(std::string_view text) { return *SecretBytes::copy_of(as_bytes(text)); }

class SealedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "sealed_file.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = name + "/key";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<void> write(std::string_view text) {
    return write_sealed_file(path_, secret(text), passphrase_, "test");
  }
  ErrorCode error_of_read(std::string_view purpose = "test") {
    const auto read = read_sealed_file(path_, passphrase_, purpose);
    EXPECT_FALSE(read);
    return read ? ErrorCode::gone : read.error().code();
  }
  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void replace(std::string_view bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  void replace_by_example() const {
    std::string bytes(kExample.size() / 2, '\0');
    ASSERT_TRUE(parse_hex(kExample, std::as_writable_bytes(std::span(bytes))));
    replace(bytes);
  }

  SecretBytes passphrase_ = secret("correct horse battery");
  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(SealedFileTest, ReadGivesBackWhatWasWritten) {
  ASSERT_TRUE(write("the key"));
  const auto read = read_sealed_file(path_, passphrase_, "test");
  ASSERT_TRUE(read);
  EXPECT_EQ(as_text(read->reveal()), "the key");
  EXPECT_EQ(content().find("the key"), std::string::npos);
}

TEST_F(SealedFileTest, ReadsTheDocumentedBytes) {
  replace_by_example();
  const auto read = read_sealed_file(path_, passphrase_, "test");
  ASSERT_TRUE(read);
  EXPECT_EQ(as_text(read->reveal()), "secret");
}

TEST_F(SealedFileTest, WritesTheDocumentedForm) {
  ASSERT_TRUE(write("secret"));
  const std::string first = content();
  EXPECT_EQ(first.size() * 2, kExample.size());
  EXPECT_EQ(hex(as_bytes(first)).substr(0, 26), kExample.substr(0, 26));
  struct ::stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_TRUE(write("secret"));
  EXPECT_NE(content().substr(13, 16), first.substr(13, 16));  // salt
  EXPECT_NE(content().substr(29, 12), first.substr(29, 12));  // nonce
}

TEST_F(SealedFileTest, WriteReplacesTheOldSecret) {
  ASSERT_TRUE(write("old"));
  ASSERT_TRUE(write(""));
  const auto read = read_sealed_file(path_, passphrase_, "test");
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->empty());
}

TEST_F(SealedFileTest, ReadRefusesAnotherPassphraseOrPurpose) {
  replace_by_example();
  EXPECT_EQ(error_of_read("other"), ErrorCode::permission_denied);
  passphrase_ = secret("correct horse batterz");
  EXPECT_EQ(error_of_read(), ErrorCode::permission_denied);
}

TEST_F(SealedFileTest, ReadRefusesAlteredBytes) {
  replace_by_example();
  const std::string good = content();
  for (const std::size_t at : {12u, 13u, 28u, 29u, 40u, 41u, 46u, 47u, 62u}) {  // every part's ends
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    replace(bad);
    EXPECT_EQ(error_of_read(), ErrorCode::permission_denied) << at;
  }
  replace(good + '\n');
  EXPECT_EQ(error_of_read(), ErrorCode::permission_denied);
}

TEST_F(SealedFileTest, ReadRefusesWhatIsNoSealedFile) {
  replace_by_example();
  const std::string good = content();
  for (const std::size_t at : {0u, 7u, 8u}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    replace(bad);
    EXPECT_EQ(error_of_read(), ErrorCode::corrupt) << at;
  }
  for (const std::size_t size : {0u, 8u, 56u}) {
    replace(good.substr(0, size));
    EXPECT_EQ(error_of_read(), ErrorCode::corrupt) << size;
  }
}

TEST_F(SealedFileTest, ReadRefusesIterationsOutsideTheBounds) {
  replace_by_example();
  const std::string good = content();
  for (const std::uint32_t iterations : {0u, 599'999u, 9'600'001u, 0xffff'ffffu}) {
    std::string bad = good;
    for (std::size_t i = 0; i < 4; ++i) {
      bad[9 + i] = static_cast<char>(iterations >> (24 - 8 * i));
    }
    replace(bad);
    EXPECT_EQ(error_of_read(), ErrorCode::corrupt) << iterations;
  }
}

TEST_F(SealedFileTest, ReadSaysThatThereIsNoFile) {
  EXPECT_EQ(error_of_read(), ErrorCode::not_found);
}

TEST_F(SealedFileTest, ReadRefusesALargeFile) {
  replace(std::string(kSealedFileSecretMax + 58, 'x'));
  EXPECT_EQ(error_of_read(), ErrorCode::too_large);
}

TEST_F(SealedFileTest, WriteTakesTheLargestSecretOnly) {
  ASSERT_TRUE(write(std::string(kSealedFileSecretMax, 'x')));
  const auto read = read_sealed_file(path_, passphrase_, "test");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), kSealedFileSecretMax);
  EXPECT_EQ(write(std::string(kSealedFileSecretMax + 1, 'x')).error().code(), ErrorCode::too_large);
}

TEST_F(SealedFileTest, WriteRefusesAShortPassphrase) {
  passphrase_ = secret("eleven char");
  EXPECT_EQ(write("secret").error().code(), ErrorCode::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SealedFileTest, WriteSaysThatThereIsNoFolder) {
  path_ = (folder_ / "absent" / "key").string();
  EXPECT_EQ(write("secret").error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace strongroom::crypto
