// AuditdTest: an auditd and its clients on one Loop, in a folder of their own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "audit/client.h"
#include "audit/journal_reader.h"
#include "audit/verify.h"
#include "auditd/auditd.h"
#include "base/encoding.h"
#include "base/try.h"

namespace strongroom::auditd {

namespace fs = std::filesystem;
using async::Task;
using namespace std::chrono_literals;

inline crypto::Ed25519Signer test_signer() {
  std::array<std::byte, 32> seed{};
  return *crypto::Ed25519Signer::from_seed(*SecretBytes::copy_of(seed));
}

class AuditdTest : public testing::Test {
 protected:
  AuditdTest() : folder_(testing::TempDir() + "sr_auditd_XXXXXX") {
    SR_CHECK(::mkdtemp(folder_.data()) != nullptr);
    socket_ = folder_ + "/sock";
    fs::create_directory(folder_ + "/audit");
  }
  ~AuditdTest() override { fs::remove_all(folder_); }

  StoreOptions store_options() const {
    return {.directory = folder_ + "/audit",
            .instance = "auditd",
            .trust_domain = "test.example",
            .witnesses = witnesses_};
  }
  Result<Store> open_store() {
    return Store::open(files_, clock_, random_, store_options(), test_signer());
  }

  std::unique_ptr<Auditd> start(std::vector<WriterUser> users = {{"vaultd", ::geteuid()},
                                                                 {"authd", ::geteuid()}},
                                std::chrono::milliseconds checkpoint_interval = 1s) {
    auto store = open_store();
    SR_CHECK(store.has_value());
    auto auditd = Auditd::start(loop_, *std::move(store), metrics_,
                                {.socket_path = socket_,
                                 .users = std::move(users),
                                 .checkpoint_interval = checkpoint_interval});
    SR_CHECK(auditd.has_value());
    return *std::move(auditd);
  }

  std::unique_ptr<audit::Client> client(std::string instance = "vaultd") {
    return std::make_unique<audit::Client>(
        loop_, clock_,
        audit::ClientOptions{.socket_path = socket_, .instance = std::move(instance)});
  }

  std::unique_ptr<audit::Client> connected_client(std::string instance = "vaultd") {
    auto made = client(std::move(instance));
    SR_CHECK(loop_.run_until_done(made->connected(2s)));
    return made;
  }

  audit::Entry entry(audit::Phase phase = audit::Phase::single) {
    return {
        .uid = crypto::new_entry_id(random_, clock_),
        .operation_id = crypto::new_operation_id(random_, clock_),
        .event_type = audit::EventType::token_create,
        .phase = phase,
        .outcome = phase == audit::Phase::single ? audit::Outcome::success : audit::Outcome::none,
        .time_us = clock_.now_us(),
        .merchant_id = "mer_1"};
  }

  audit::Entry outcome_for(const audit::Entry& intent) {
    return audit::outcome_of(intent, audit::Outcome::done, crypto::new_entry_id(random_, clock_),
                             clock_.now_us());
  }

  std::vector<audit::Entry> journal() {
    auto reader = audit::JournalReader::open(files_, folder_ + "/audit");
    std::vector<audit::Entry> entries;
    while (true) {
      const auto frame = reader->next();
      // Beside a running auditd the newest frame may be half there.
      if (!frame || !*frame) return entries;
      entries.push_back(*audit::parse_entry(as_text((*frame)->entry)));
    }
  }

  // The entries of auditd's own that say what fails, in the order of the journal.
  std::vector<audit::Entry> failures() {
    auto entries = journal();
    std::erase_if(entries, [](const audit::Entry& entry) {
      return entry.event_type != audit::EventType::log_failure;
    });
    return entries;
  }

  std::size_t count(const EntryId& uid) {
    const auto entries = journal();
    return static_cast<std::size_t>(std::ranges::count(entries, uid, &audit::Entry::uid));
  }

  audit::VerifyReport verify() {
    const audit::NoteKey key{"test.example/auditd/operator/2026", test_signer().public_key()};
    auto report = audit::verify_audit(files_, folder_ + "/audit", key.text(), clock_.now_us());
    SR_CHECK(report.has_value());
    return *std::move(report);
  }

  Result<void> record(audit::Client& client, const audit::Entry& entry) {
    return loop_.run_until_done(client.record(entry));
  }
  void stop(audit::Client& client) { loop_.run_until_done(client.close()); }
  void stop(std::unique_ptr<Auditd>& auditd) {
    loop_.run_until_done(auditd->drain());
    auditd.reset();
  }

  std::vector<audit::NoteKey> witnesses_;
  audit::PosixFiles files_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  Registry metrics_;
  async::Loop loop_;
  std::string folder_, socket_;
};

}  // namespace strongroom::auditd
