// WitnessTest: a witness in a folder of its own, and a log of ten entries that it knows.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/proof.h"
#include "audit/testing/golden.h"
#include "audit/testing/memory_hashes.h"
#include "base/encoding.h"
#include "base/try.h"
#include "witness/witness.h"

namespace strongroom::witness {

namespace fs = std::filesystem;

class SetClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override { return now_s * 1'000'000; }
  void set(std::string_view time) { now_s = *parse_rfc3339(time) / 1'000'000; }
  std::int64_t now_s = audit::testing::kWitnessTimeS;
};

class WitnessTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kEntries = 10;

  WitnessTest() : folder_(::testing::TempDir() + "sr_witness_XXXXXX") {
    SR_CHECK(::mkdtemp(folder_.data()) != nullptr);
    fs::create_directory(folder_ + "/etc");
    fs::create_directory(folder_ + "/state");
    write("state/lock", "");
    write("etc/logs", "log " + std::string(audit::testing::kVkey) + "\n");
    audit::MerkleTree tree;
    heads_.push_back(tree.head());
    for (std::uint64_t i = 0; i < kEntries; ++i) {
      const audit::Hash leaf = audit::leaf_hash(as_bytes("entry " + std::to_string(i)));
      hashes_.append(leaf);
      tree.append(leaf);
      heads_.push_back(tree.head());
    }
  }
  ~WitnessTest() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
  }
  Result<Witness> open() {
    return Witness::open(folder_, std::string(audit::testing::kWitness),
                         audit::testing::witness_signer(), clock_);
  }
  std::string note(std::uint64_t size) const {
    return audit::sign_checkpoint({std::string(audit::testing::kOrigin), size, heads_[size].root},
                                  audit::testing::golden_signer());
  }
  // The request that takes a witness to the first `size` entries as another log, from nothing.
  std::string beginning(const std::string& origin, std::uint64_t size) const {
    return audit::add_checkpoint_body(
        0, {},
        audit::sign_checkpoint({origin, size, heads_[size].root}, audit::testing::golden_signer()));
  }
  // The request that takes a witness from one size to another.
  std::string body(std::uint64_t old_size, std::uint64_t size) {
    const auto proof = old_size > size ? std::vector<audit::Hash>{}
                                       : audit::consistency_proof(hashes_, old_size, size).value();
    return audit::add_checkpoint_body(old_size, proof, note(size));
  }
  std::string state_path() const {
    return folder_ + "/state/" + origin_hash(audit::testing::kOrigin);
  }

  std::string folder_;
  SetClock clock_;
  audit::testing::MemoryHashes hashes_;
  std::vector<audit::TreeHead> heads_;
};

}  // namespace strongroom::witness
