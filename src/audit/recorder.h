// Recorder: where a process leaves its audit entries. Client (client.h) is the real one; tests of
// other modules bring their own.
#pragma once

#include <vector>

#include "async/task.h"
#include "audit/entry.h"
#include "base/result.h"

namespace strongroom::audit {

// An intent whose outcome the log does not hold yet, as it was recorded.
using OpenIntent = Entry;

// What takes single entries. Belongs to one Loop. No audit, no act: whoever gets an error from
// record() does nothing.
class EntryLog {
 public:
  virtual ~EntryLog() = default;
  // Durable in the journal when it returns. After any error nothing may be done: unavailable (no
  // auditd, no disk, or no answer in time), exhausted (too much waits), invalid_argument (a bug:
  // not an entry). If the intent did reach the journal, it is closed there as not_done by itself.
  // `entry` is read before record() returns its task.
  [[nodiscard]] virtual async::Task<Result<void>> record(const Entry& entry) = 0;
};

// The same for effects, which have an intent and an outcome.
class Recorder : public EntryLog {
 public:
  // An outcome: not awaited; rides in the next group, is kept and repeated until it is
  // acknowledged.
  virtual void send(const Entry& entry) = 0;
  // The intents of this instance that have no outcome; asked once at start, before serving.
  // unavailable.
  [[nodiscard]] virtual async::Task<Result<std::vector<OpenIntent>>> open_intents() = 0;
  // True while record() has a chance; for /readyz.
  [[nodiscard]] virtual bool ready() const = 0;
};

}  // namespace strongroom::audit
