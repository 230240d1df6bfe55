// Parts and manifests: what goes in comes out, from any place, and no byte of one may change.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "backup/manifest.h"
#include "backup/part.h"
#include "backup/part_files.h"
#include "backup/places.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/try.h"

namespace strongroom::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = std::size_t{1} << 24;

crypto::Aead key_of(std::uint8_t byte = 7) {
  const std::vector<std::byte> bytes(crypto::Aead::kKeySize, std::byte{byte});
  return *crypto::Aead::create(*SecretBytes::copy_of(bytes), 1);
}

std::vector<std::byte> content_of(std::size_t size) {
  std::vector<std::byte> content(size);
  for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<std::byte>(i * 31 + i / 251);
  return content;
}

Manifest example() {
  return {.kind = Kind::data,
          .id = "00112233445566778899aabbccddeeff",
          .deployment = "strongroom.local/auditd/operator/2026+00000000+AA==",
          .program = "0.1",
          .made_at_us = 1'700'000'000'000'000,
          .log_before = 17,
          .log_end = 40,
          .databases = {{.name = "vault", .schema_version = 7, .rows = 3}},
          .parts = {{.name = "log",
                     .size_bytes = 99,
                     .sha256 = crypto::sha256({}),
                     .files = {{.path = "audit/last-signed",
                                .mode = 0640,
                                .size_bytes = 12,
                                .sha256 = crypto::sha256({})}}}}};
}

// With each of its parts, of one file.
Manifest whole(Kind kind) {
  const auto part = [](std::string name, std::string path) {
    return Part{.name = std::move(name),
                .size_bytes = 99,
                .sha256 = crypto::sha256({}),
                .files = {{.path = std::move(path),
                           .mode = 0640,
                           .size_bytes = 12,
                           .sha256 = crypto::sha256({})}}};
  };
  Manifest manifest = example();
  manifest.kind = kind;
  manifest.parts = {part("auth", "auth"), part("core", "core"), part("vault", "vault"),
                    part("files", "etc/strongroom.toml"), part("log", "audit/last-signed")};
  if (kind == Kind::keys) manifest.parts = {part("keys", "secrets/pin")};
  return manifest;
}

class BackupTest : public ::testing::Test {
 protected:
  BackupTest() { fs::create_directories(folder_); }
  ~BackupTest() override { fs::remove_all(folder_); }

  PartFacts write(std::span<const std::byte> content) {
    fs::remove(path_);
    auto writer = *PartWriter::create(files_, path_, name_, key_, random_);
    // In uneven pieces.
    for (std::size_t at = 0, piece = 1; at < content.size(); at += piece, piece = piece * 3 + 1) {
      piece = std::min(piece, content.size() - at);
      SR_CHECK(writer.add(content.subspan(at, piece)).has_value());
    }
    return *writer.finish();
  }
  Result<std::vector<std::byte>> read(const crypto::Aead& key, const PartName& name) {
    SR_TRY(PartReader reader, PartReader::open(files_, path_, name, key));
    std::vector<std::byte> content(reader.size() + 1);
    SR_TRY(const std::size_t got, reader.read(0, content));
    content.resize(got);
    return content;
  }
  std::string bytes_of(const std::string& path) { return *read_file(path, kFileBytesMax); }
  void put(const std::string& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  const std::string folder_ =
      fs::temp_directory_path() / ("backup_test." + std::to_string(getpid()));
  const std::string path_ = folder_ + "/vault.part";
  const PartName name_{.backup = "00ff", .part = "vault"};
  const crypto::Aead key_ = key_of();
  crypto::SystemRandom random_;
  audit::PosixFiles files_;
};

TEST_F(BackupTest, APartGivesBackWhatItWasGiven) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPartChunkBytes - 1,
                                 kPartChunkBytes, kPartChunkBytes + 1, 3 * kPartChunkBytes + 5}) {
    const auto content = content_of(size);
    const PartFacts facts = write(content);
    const auto back = read(key_, name_);
    ASSERT_TRUE(back) << size;
    EXPECT_EQ(*back, content) << size;
    const std::string bytes = bytes_of(path_);
    EXPECT_EQ(facts.size_bytes, bytes.size());
    EXPECT_EQ(facts.sha256, crypto::sha256(as_bytes(bytes)));
  }
}

TEST_F(BackupTest, APartIsReadFromAnyPlace) {
  const auto content = content_of(2 * kPartChunkBytes + 77);
  write(content);
  auto reader = *PartReader::open(files_, path_, name_, key_);
  for (const std::size_t at : {std::size_t{0}, kPartChunkBytes - 3, kPartChunkBytes,
                               content.size() - 2, content.size(), content.size() + 9}) {
    std::vector<std::byte> out(10);
    const auto got = reader.read(at, out);
    ASSERT_TRUE(got);
    const std::size_t expected =
        at >= content.size() ? 0 : std::min<std::size_t>(10, content.size() - at);
    ASSERT_EQ(*got, expected) << at;
    EXPECT_TRUE(
        std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(expected),
                   content.begin() + static_cast<std::ptrdiff_t>(std::min(at, content.size()))));
  }
}

TEST_F(BackupTest, NoByteOfAPartMayChangeNorBeMissing) {
  write(content_of(kPartChunkBytes + 300));
  const std::string whole = bytes_of(path_);
  for (std::size_t at = 0; at < whole.size(); at += at < 40 ? 1 : 997) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    put(path_, flipped);
    EXPECT_FALSE(read(key_, name_)) << at;
  }
  const std::size_t sealed_chunk = kPartChunkBytes + crypto::Sealed::kOverhead;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, kPartHeaderBytes, kPartHeaderBytes + 20,
        kPartHeaderBytes + sealed_chunk, whole.size() - 1}) {
    put(path_, whole.substr(0, size));
    EXPECT_FALSE(read(key_, name_)) << size;
  }
  put(path_, whole + "x");
  EXPECT_FALSE(read(key_, name_));
  put(path_, whole);
  EXPECT_TRUE(read(key_, name_));
}

TEST_F(BackupTest, APartOfAnotherBackupPlaceOrKeyIsRefused) {
  write(content_of(10));
  EXPECT_FALSE(read(key_of(8), name_));
  EXPECT_FALSE(read(key_, {.backup = "00fe", .part = "vault"}));
  EXPECT_FALSE(read(key_, {.backup = "00ff", .part = "core"}));
}

TEST_F(BackupTest, NothingOfWhatItHoldsStandsInAPart) {
  const std::string secret = "a text that must not be seen";
  write(as_bytes(secret));
  EXPECT_FALSE(bytes_of(path_).contains(secret));
  ASSERT_TRUE(write_manifest(files_, folder_, example(), key_, random_));
  EXPECT_FALSE(bytes_of(folder_ + "/manifest").contains("vault"));
}

TEST_F(BackupTest, WhatAPartHoldsIsInSecretMemoryWhileItIsClear) {
  fs::remove(path_);
  const std::size_t before = secret_memory_used_bytes();
  auto writer = *PartWriter::create(files_, path_, name_, key_, random_);
  ASSERT_TRUE(writer.add(content_of(kPartChunkBytes)));
  EXPECT_GE(secret_memory_used_bytes(), before + kPartChunkBytes);
  ASSERT_TRUE(writer.finish());
  const std::size_t written = secret_memory_used_bytes();
  const auto reader = *PartReader::open(files_, path_, name_, key_);
  EXPECT_GE(secret_memory_used_bytes(), written + kPartChunkBytes);
}

TEST_F(BackupTest, AManifestComesBackAndHasOneForm) {
  const Manifest manifest = example();
  const auto parsed = parse_manifest(to_json(manifest));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, manifest);
  ASSERT_TRUE(write_manifest(files_, folder_, manifest, key_, random_));
  EXPECT_EQ(*read_manifest(files_, folder_, key_), manifest);
  EXPECT_FALSE(read_manifest(files_, folder_, key_of(8)));
  const std::string json = to_json(manifest);
  for (std::size_t size = 0; size < json.size(); ++size) {
    EXPECT_FALSE(parse_manifest(std::string_view(json).substr(0, size))) << size;
  }
}

TEST_F(BackupTest, AManifestThatLeadsOutOfItsFolderIsRefused) {
  for (const std::string_view path : {"../x", "/etc/passwd", "a/../../x", "a//b", "a/", "."}) {
    Manifest manifest = example();
    manifest.parts[0].files[0].path = path;
    EXPECT_FALSE(parse_manifest(to_json(manifest))) << path;
  }
}

TEST_F(BackupTest, AManifestThatSteersATerminalIsRefused) {
  for (const std::string_view bad : {"a\nb", "\x1b[2J", "\x1f", "\x7f", "b\r"}) {
    Manifest manifests[] = {example(), example(), example(), example(), example()};
    manifests[0].parts[0].files[0].path = bad;
    manifests[1].parts[0].name = bad;
    manifests[2].databases[0].name = bad;
    manifests[3].deployment = bad;
    manifests[4].program = bad;
    for (const Manifest& manifest : manifests) EXPECT_FALSE(parse_manifest(to_json(manifest)));
  }
  Manifest manifest = example();
  manifest.parts[0].files[0].path = "audit/\xc3\xa9 ~";
  EXPECT_TRUE(parse_manifest(to_json(manifest)));
}

TEST_F(BackupTest, AManifestsIdIs32HexDigits) {
  const std::string id = example().id;
  for (const std::string& bad :
       {id.substr(1), id + "0", "g" + id.substr(1), "A" + id.substr(1), "\n" + id.substr(1)}) {
    Manifest manifest = example();
    manifest.id = bad;
    EXPECT_FALSE(parse_manifest(to_json(manifest))) << bad;
  }
}

// As `restore` would put it there.
TEST_F(BackupTest, APartHoldsOnlyWhatBelongsToIt) {
  const auto place = [](Kind kind, std::string part, std::string path) {
    Manifest manifest = whole(kind);
    auto there = std::ranges::find(manifest.parts, part, &Part::name);
    if (there == manifest.parts.end()) there = manifest.parts.begin();
    there->name = std::move(part);
    there->files[0].path = std::move(path);
    return misplaced(manifest);
  };
  const std::vector<std::string> own[] = {
      {"files", "etc/strongroom.toml", "public/tickets.pub", "data/auditd/archive.sealed"},
      {"log", "audit/last-signed", "audit/trees/a/nodes"},
      {"keys", "hsm/tokens/a/b", "secrets/pin", "tls/ca/ca.crt"},
      {"vault", "vault"},
      {"auth", "auth"}};
  for (const auto& part : own) {
    for (const auto& other : own) {
      for (std::size_t i = 1; i < other.size(); ++i) {
        const Kind kind = part[0] == "keys" ? Kind::keys : Kind::data;
        const auto why = place(kind, part[0], other[i]);
        EXPECT_EQ(why.has_value(), part[0] != other[0]) << part[0] << " " << other[i];
        const std::string named = "part " + part[0] + " names " + other[i];
        EXPECT_TRUE(!why || why->contains(named)) << *why;
      }
    }
  }
  for (const std::string_view path :
       {"data/vaultd/vault.db", "data/vaultd/unrecorded", "run/x", "restoring/strongroom.toml",
        "etc", "auditx/journal", "etc/openssl.cnf", "etc/a/strongroom.toml", "public/a/b"}) {
    EXPECT_TRUE(place(Kind::data, "files", std::string(path))) << path;
  }
  for (const std::string_view name : {"lock", "reserve", "refused", "rolled-back", "restored/x"}) {
    EXPECT_TRUE(place(Kind::data, "log", "audit/" + std::string(name))) << name;
  }
  EXPECT_TRUE(place(Kind::data, "keys", "secrets/pin"));
  EXPECT_TRUE(place(Kind::keys, "files", "etc/strongroom.toml"));
  EXPECT_TRUE(place(Kind::data, "other", "other"));
}

TEST_F(BackupTest, ABackupHasEachPartOfItsKindOnceAndOneDumpOfADatabase) {
  for (const Kind kind : {Kind::data, Kind::keys}) {
    const Manifest manifest = whole(kind);
    EXPECT_FALSE(misplaced(manifest));
    for (std::size_t i = 0; i < manifest.parts.size(); ++i) {
      const std::string name = manifest.parts[i].name;
      Manifest half = manifest, twice = manifest, none = manifest, two = manifest;
      half.parts.erase(half.parts.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_EQ(misplaced(half), "has no part " + name);
      twice.parts.push_back(twice.parts[i]);
      EXPECT_EQ(misplaced(twice), "has the part " + name + " twice");
      none.parts[i].files.clear();
      two.parts[i].files.push_back(two.parts[i].files[0]);
      const bool is_database = name == manifest.parts[i].files[0].path;
      EXPECT_EQ(misplaced(none).has_value(), is_database) << name;
      EXPECT_EQ(misplaced(two).has_value(), is_database) << name;
    }
  }
}

TEST_F(BackupTest, TheFilesOfAPartAreAFileSystem) {
  write(as_bytes("onetwo!three"));
  const auto file = [](std::string path, std::uint64_t size) {
    return BackedFile{.path = std::move(path), .mode = 0600, .size_bytes = size, .sha256 = {}};
  };
  const Part part{
      .name = "vault",
      .size_bytes = 0,
      .sha256 = {},
      .files = {file("audit/one", 3), file("audit/trees/b/two", 3), file("audit/trees/a/empty", 0),
                file("other", 1), file("audit/three", 5)}};
  PartFiles files(*PartReader::open(files_, path_, name_, key_), part);
  EXPECT_EQ(*files.list("audit"), (std::vector<std::string>{"one", "three"}));
  EXPECT_EQ(*files.list_folders("audit"), (std::vector<std::string>{"trees"}));
  EXPECT_EQ(*files.list_folders("audit/trees"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(*audit::read_text(files, "audit/trees/b/two", 100), "two");
  EXPECT_EQ(*audit::read_text(files, "audit/trees/a/empty", 100), "");
  EXPECT_EQ(*audit::read_text(files, "audit/three", 100), "three");
  EXPECT_EQ(files.open("audit/four", audit::OpenMode::read).error().code(), ErrorCode::not_found);
  EXPECT_FALSE(files.open("audit/one", audit::OpenMode::write));
}

}  // namespace
}  // namespace strongroom::backup
