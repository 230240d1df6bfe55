// The journal under every fault: for every n, the n-th call that changes a file fails, alone or
// with those after it, or is the last one before the power goes. No acknowledged entry is ever
// lost, no refused one ever appears twice or out of order.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "audit/journal.h"
#include "base/encoding.h"
#include "base/try.h"
#include "fault_files.h"

namespace strongroom::audit {
namespace {

constexpr std::string_view kFolder = "audit";
constexpr std::size_t kGroups = 12;
constexpr std::string_view kRecovered = "log.recovered";

JournalOptions small_segments() {
  return {.directory = std::string(kFolder), .segment_bytes_max = 2048, .zero_ahead_bytes = 700};
}

struct Written {
  std::vector<std::string> acknowledged;  // must be there
  std::vector<std::string> uncertain;     // the group under way when all ended
};

Result<std::unique_ptr<Journal>> open(Files& files, std::vector<std::string>& entries) {
  SR_TRY(JournalReader reader, JournalReader::open(files, std::string(kFolder)));
  while (true) {
    const auto frame = reader.next();
    if (!frame && !(frame.error().code() == ErrorCode::corrupt && reader.torn())) {
      return std::unexpected(frame.error());
    }
    if (!frame || !*frame) break;
    entries.emplace_back(as_text((*frame)->entry));
  }
  return Journal::resume(files, small_segments(), reader);
}

// Tries recover() as auditd does, a bounded number of times.
bool recovers(Journal& journal) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    if (journal.recover()) return true;
  }
  return false;
}

// Recovers as auditd does: a small entry says so. It finds room at the end of a segment where the
// group that failed found none.
bool recovers_and_says_so(Journal& journal, Written& written) {
  for (std::size_t attempt = 0; attempt < kGroups && recovers(journal); ++attempt) {
    journal.stage(kRecovered);
    written.uncertain = {std::string(kRecovered)};
    if (!journal.commit()) continue;
    written.acknowledged.push_back(std::move(written.uncertain.front()));
    written.uncertain.clear();
    return true;
  }
  return false;
}

// Commits groups of one to four entries until the groups are used up or the journal stays broken.
Written write_groups(Journal& journal, std::size_t first_group) {
  Written written;
  for (std::size_t group = first_group; group < first_group + kGroups; ++group) {
    std::vector<std::string> entries;
    for (std::size_t i = 0; i <= group % 4; ++i) {
      entries.push_back(fmt::format("group {} entry {} {}", group, i, std::string(90, 'e')));
      journal.stage(entries.back());
    }
    if (journal.commit()) {
      written.acknowledged.insert(written.acknowledged.end(), entries.begin(), entries.end());
    } else {
      written.uncertain = std::move(entries);
      if (!recovers_and_says_so(journal, written)) return written;
    }
  }
  return written;
}

// `found` is all of `acknowledged` and then at most a beginning of `uncertain`.
void expect_kept(const std::vector<std::string>& found, const Written& written) {
  ASSERT_GE(found.size(), written.acknowledged.size());
  std::vector<std::string> allowed = written.acknowledged;
  allowed.insert(allowed.end(), written.uncertain.begin(), written.uncertain.end());
  ASSERT_LE(found.size(), allowed.size());
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], allowed[i]);
}

// Reopens after the power loss, goes on writing and reads everything once more.
void expect_goes_on(FaultFiles& files, const Written& before) {
  std::vector<std::string> found;
  auto journal = open(files, found);
  ASSERT_TRUE(journal) << journal.error().what();
  expect_kept(found, before);
  Written all = write_groups(**journal, 100);
  all.acknowledged.insert(all.acknowledged.begin(), found.begin(), found.end());
  files.lose_power(99);
  std::vector<std::string> found_again;
  ASSERT_TRUE(open(files, found_again));
  EXPECT_EQ(found_again, all.acknowledged);
}

std::size_t calls_without_fault() {
  FaultFiles files;
  std::vector<std::string> none;
  auto journal = open(files, none);
  EXPECT_TRUE(journal);
  EXPECT_EQ(write_groups(**journal, 0).acknowledged.size(), kGroups / 4 * 10);
  return files.calls();
}

void run(FaultFiles::Plan plan, std::uint32_t seed) {
  SCOPED_TRACE(fmt::format("call {} and {} more, seed {}", plan.number, plan.more, seed));
  FaultFiles files(plan);
  Written written;
  std::vector<std::string> none;
  if (auto journal = open(files, none)) written = write_groups(**journal, 0);
  files.lose_power(seed);
  expect_goes_on(files, written);
}

TEST(JournalFaultTest, LosesNothingWhenOneCallFails) {
  const std::size_t calls = calls_without_fault();
  for (std::size_t number = 0; number < calls; ++number) {
    for (std::uint32_t seed = 0; seed < 3; ++seed) run({number}, seed);
  }
}

TEST(JournalFaultTest, LosesNothingWhenADiskStaysFullForAWhile) {
  const std::size_t calls = calls_without_fault();
  for (std::size_t number = 0; number < calls; ++number) {
    for (const std::size_t more : {1U, 2U, 3U, 9U}) run({number, more}, 7);
  }
}

TEST(JournalFaultTest, LosesNothingWhenThePowerGoesAtAnyCall) {
  constexpr std::size_t kForEver = 1'000'000;
  const std::size_t calls = calls_without_fault();
  for (std::size_t number = 0; number < calls; ++number) {
    for (std::uint32_t seed = 0; seed < 20; ++seed) run({number, kForEver}, seed);
  }
}

TEST(JournalFaultTest, OneSyncPerGroup) {
  FaultFiles files;
  std::vector<std::string> none;
  auto journal = open(files, none);
  ASSERT_TRUE(journal);
  const std::size_t before = files.syncs();
  for (int i = 0; i < 5; ++i) (*journal)->stage("entry");
  ASSERT_TRUE((*journal)->commit());
  EXPECT_EQ(files.syncs() - before, 1U);
}

}  // namespace
}  // namespace strongroom::audit
