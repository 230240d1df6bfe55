// A kill at any change to the disk while archives are made, restored, held or disposed of loses
// nothing, and the next start and its work make up for it.
#include "auditd/testing/dying_files.h"
#include "auditd/testing/retention_fixture.h"

namespace strongroom::auditd {
namespace {

class ArchiveKillTest : public RetentionTest {
 protected:
  // An auditd on a log of five entries, for which `prepare` is done once, is killed at each change
  // that `act` makes, one after the other; `check` is told whether it was at the last start.
  template <class Prepare, class Act, class Check>
  void kill_at_each_change(Prepare prepare, Act act, Check check) {
    stop_after(serve(fill(1, 5)), prepare);
    const std::string kept = folder_ + "/kept";
    fs::copy(directory_, kept, fs::copy_options::recursive);
    const DyingFiles::Immutable kept_immutable = immutable_;
    for (int changes = 0;; ++changes) {
      SCOPED_TRACE(changes);
      bool died = false;
      fs::remove_all(directory_);
      fs::copy(kept, directory_, fs::copy_options::recursive);
      immutable_ = kept_immutable;
      DyingFiles dying(immutable_);
      stop_after(serve(open(dying)), [&](Archivist& archivist) {
        dying.kill_after(changes);
        const bool done = act(archivist);
        died = dying.dead();
        EXPECT_NE(done, died);
        dying.kill_after(0);  // the stop does not mend it
      });
      DyingFiles disk(immutable_);
      stop_after(serve(open(disk)), [&](Archivist& archivist) { check(archivist, died); });
      if (!died) return;
    }
  }
  template <class Body>
  void stop_after(std::unique_ptr<Auditd> auditd, Body body) {
    ASSERT_TRUE(run(auditd->checkpoint_now()));
    body(*auditd->archivist());
    stop(auditd);
  }
  bool archive(Archivist& archivist) { return run(archivist.archive_due("uid:7")).has_value(); }
  // The one that has the five entries.
  Archivist::Listed first(Archivist& archivist) {
    const auto listed = run(archivist.list());
    SR_CHECK(listed && !listed->empty());
    return listed->front();
  }
  bool restore(Archivist& archivist) {
    return run(archivist.restore(first(archivist).first_sequence, "uid:7")).has_value();
  }
  void expect_all_prove() {
    for (std::uint64_t index = 0; index < 5; ++index) EXPECT_TRUE(proves(index)) << index;
  }

  DyingFiles::Immutable immutable_;
};

TEST_F(ArchiveKillTest, Archiving) {
  retention_ = {.at_hand_ms = 0};
  kill_at_each_change(
      [](Archivist&) {}, [&](Archivist& archivist) { return archive(archivist); },
      [&](Archivist& archivist, bool) {
        ASSERT_TRUE(archive(archivist));
        const auto all = *run(archivist.list());
        for (const Archivist::Listed& listed : all) {
          ASSERT_TRUE(run(archivist.restore(listed.first_sequence, "uid:7")));
          EXPECT_TRUE(immutable_.contains(audit::archive_path(directory_, listed.first_sequence)));
        }
        expect_all_prove();
      });
}

TEST_F(ArchiveKillTest, Restoring) {
  retention_ = {.at_hand_ms = 0};
  const std::string copy = directory_ + "/restored/" + audit::segment_name(1);
  const auto made = [&](Archivist& archivist) {
    return restore(archivist) && immutable_.contains(copy);  // which is the last, and no error
  };
  kill_at_each_change([&](Archivist& archivist) { ASSERT_TRUE(archive(archivist)); }, made,
                      [&](Archivist& archivist, bool died) {
                        const auto told = acts();
                        EXPECT_TRUE(!fs::exists(copy) || told.back() == "restore uid:7")
                            << "a copy that the log does not tell of";
                        EXPECT_TRUE(!log().entry(0) || proves(0)) << "half of a copy";
                        ASSERT_TRUE(archive(archivist)) << "what is regularly done";
                        EXPECT_TRUE(died || proves(0));
                        if (fs::exists(copy)) expect_all_prove();
                        ASSERT_TRUE(restore(archivist));
                        expect_all_prove();
                      });
}

TEST_F(ArchiveKillTest, Holding) {
  retention_ = {.at_hand_ms = 0};
  const std::int64_t until_ms = set_clock_.now_ms() + 4'000 * kDayMs;
  const auto hold = [&](Archivist& archivist, std::int64_t ms) {
    return run(archivist.hold(first(archivist).first_sequence, ms, "uid:7")).has_value();
  };
  kill_at_each_change([&](Archivist& archivist) { ASSERT_TRUE(archive(archivist)); },
                      [&](Archivist& archivist) { return hold(archivist, until_ms); },
                      [&](Archivist& archivist, bool died) {
                        const Archivist::Listed listed = first(archivist);
                        EXPECT_LE(listed.locked_until_ms(), until_ms);
                        EXPECT_TRUE(died || listed.locked_until_ms() == until_ms);
                        EXPECT_TRUE(hold(archivist, until_ms + 1));
                        ASSERT_TRUE(restore(archivist));
                        expect_all_prove();
                      });
}

TEST_F(ArchiveKillTest, DisposingOf) {
  retention_ = {.at_hand_ms = 0, .keep_ms = 0};
  std::uint64_t sequence = 0;
  const auto dispose = [&](Archivist& archivist) {
    return run(archivist.dispose(sequence, set_clock_.now_ms(), "uid:7"));
  };
  kill_at_each_change(
      [&](Archivist& archivist) {
        ASSERT_TRUE(archive(archivist) && restore(archivist));
        sequence = first(archivist).first_sequence;
      },
      [&](Archivist& archivist) { return dispose(archivist).has_value(); },
      [&](Archivist& archivist, bool died) {
        const std::string path = audit::archive_path(directory_, sequence);
        if (first(archivist).first_sequence == sequence) {
          EXPECT_TRUE(died);
          expect_all_prove();
          ASSERT_TRUE(dispose(archivist)) << "it was not disposed of";
        } else {
          ASSERT_TRUE(archive(archivist)) << "what is regularly done";
        }
        EXPECT_FALSE(fs::exists(path));
        EXPECT_FALSE(log().entry(0)) << "nor a copy";
      });
}

}  // namespace
}  // namespace strongroom::auditd
